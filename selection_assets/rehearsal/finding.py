"""What was looked at before anything is paid for, and what is wrong with it?"""

from collections.abc import Sequence
from dataclasses import dataclass

from selection.reports.escaping import printable
from selection.reports.tables import text_table


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what : the part of the study or pool, such as `base_model`.
    seen : what was looked at of it.
    problem : what is wrong and what to do; "" where nothing is.
    stops : whether the study cannot do without it; a source that is wrong is left out.
    """

    what: str
    seen: str
    problem: str = ""
    stops: bool = True

    @property
    def state(self) -> str:
        """One word for the table."""
        if not self.problem:
            return "ok"
        return "wrong" if self.stops else "left out"


def findings_text(findings: Sequence[Finding]) -> str:
    """Lay out what was looked at, then what is wrong."""
    table = text_table(["checked", "looked at", ""], [[f.what, f.seen, f.state] for f in findings])
    return "\n\n".join([table, problems_text(findings)]).strip()


def problems_text(findings: Sequence[Finding]) -> str:
    """Every problem; "" without one."""
    return printable("\n".join(f"{f.what}: {f.problem}" for f in findings if f.problem))
