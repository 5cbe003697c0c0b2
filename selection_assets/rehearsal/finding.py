"""What was looked at before anything is paid for, and what is wrong with it?"""

from collections.abc import Sequence
from dataclasses import dataclass

from selection.corpus.seen_files import SeenFile
from selection.reports.escaping import printable
from selection.reports.files_seen import FILES_LISTED, files_table, samples_table
from selection.reports.tables import text_table

SAMPLE = 32
"""Rows of each file of a source: a pool may have thousands of them, and each may be large."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what : the part of the study or pool, such as `base_model`.
    seen : what was looked at of it.
    problem : what is wrong and what to do; "" where nothing is.
    stops : whether the study cannot do without it; a source that is wrong is left out, and so is a
        method that refuses the target.
    files : of a source, as far as they were read.
    """

    what: str
    seen: str
    problem: str = ""
    stops: bool = True
    files: tuple[SeenFile, ...] = ()

    @property
    def state(self) -> str:
        """One word for the table."""
        if not self.problem:
            return "ok"
        return "wrong" if self.stops else "left out"


def findings_text(findings: Sequence[Finding]) -> str:
    """Lay out what was looked at and what its files hold, then what is wrong."""
    table = text_table(["checked", "looked at", ""], [[f.what, f.seen, f.state] for f in findings])
    files = files_text([seen for finding in findings for seen in finding.files])
    return "\n\n".join(filter(None, [table, files, problems_text(findings)])).strip()


def files_text(files: Sequence[SeenFile]) -> str:
    """Say what each file holds, as far as it was read, with two of its rows; "" without one."""
    if not files:
        return ""
    more = len(files) - FILES_LISTED
    told = [
        text_table(*files_table(files, first=SAMPLE)),
        f"and {more:,} more files" if more > 0 else "",
        text_table(*samples_table(files)) if any(seen.samples for seen in files) else "",
    ]
    return "\n\n".join(filter(None, told))


def problems_text(findings: Sequence[Finding]) -> str:
    """Every problem; "" without one."""
    return printable("\n".join(f"{f.what}: {f.problem}" for f in findings if f.problem))
