"""What of a pool is not read, why, and what would change that?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from selection.basics.brevity import LONGEST, cut

State = Literal["refused", "waiting", "ignored"]


class CannotBeRead(ValueError):
    """Why a file, folder or package cannot be read now.

    Attributes
    ----------
    reason, remedy : what was seen, and what to do.
    state : "waiting" for what is only to be looked at again later.
    """

    def __init__(self, reason: str, remedy: str, state: State = "refused") -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.state: State = state

    def of(self, what: str, name: str | None = None) -> NotRead:
        """Return it as it is listed."""
        return NotRead(what, self.reason, self.remedy, self.state, name)


@dataclass(frozen=True)
class NotRead:
    """Something that lies where a pool's sources are, and is not read.

    Attributes
    ----------
    what : a file, folder, package or data set, safe to print.
    reason, remedy : what was seen, and what to do; no remedy where nothing is to be done.
    state : "refused" for what could be a source, "waiting" for one that is still being written,
        "ignored" for what was never meant as one, as far as its name says.
    name : of the source that it would be, where that is known.
    """

    what: str
    reason: str
    remedy: str
    state: State = "refused"
    name: str | None = None

    def __str__(self) -> str:
        """Return one line."""
        ignored = " (ignored)" if self.state == "ignored" else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{cut(self.what, 5 * LONGEST)}{ignored}: {cut(self.reason, 10 * LONGEST)}{remedy}"


def not_read_text(not_read: Iterable[NotRead], *, at_most: int | None = None) -> str:
    """List what is not read, one a line, under a line that counts it; "" when there is nothing.

    Parameters
    ----------
    at_most : lines to list; all of them when None.
    """
    listed: Sequence[NotRead] = sorted(not_read, key=lambda one: (one.state == "ignored", one.what))
    if not listed:
        return ""
    lines = [f"  {one}" for one in listed[:at_most]]
    more = len(listed) - len(lines)
    if more:
        lines.append(f"  and {more:,} more: `selection run STUDY --dry-run` lists all")
    return "\n".join([f"not read: {len(listed):,}", *lines])
