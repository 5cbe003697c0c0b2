"""What could not be used of a source or a target: how much, why, and where first?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from selection.corpus.limits import MAX_LISTED
from selection.corpus.records import BadRecord, UnreadPart

BRING_WHOLE = "bring the file whole and readable"
"""What to do about any part of a file that could not be read."""

FIRST = 3
"""Origins that a reason names."""


def whole_or_allowed(*sources: str) -> str:
    """What to do about unread parts of sources."""
    allow = ", ".join(f"add {source!r} to `allow_unread` of the pool" for source in sources)
    return f"{BRING_WHOLE}, or {allow}"


def whole_or_allowed_target(field: str) -> str:
    """What to do about unread parts of a target; `field` is `target` or `contrast`."""
    return f"{BRING_WHOLE}, or set `{field}.allow_unread: true`"


def remedy(*, bad: bool, unread: bool, correct: str, whole: str) -> str:
    """What to do about bad rows (`correct`) and unread parts (`whole`), where there are any."""
    return "; ".join([correct] * bad + [whole] * unread)


@dataclass(frozen=True)
class Reason:
    """One kind of fault.

    Attributes
    ----------
    kind : as `BadRecord.kind`.
    count : records of this kind.
    first : the first `FIRST` of them, in reading order.
    """

    kind: str
    count: int
    first: tuple[BadRecord, ...]

    @property
    def is_unread(self) -> bool:
        """Whether these are unread parts, not bad rows."""
        return isinstance(self.first[0], UnreadPart)

    def __str__(self) -> str:
        """Its count and its first origins, on one line."""
        one, *others = dict.fromkeys(record.reason for record in self.first)
        if not others:
            return f"{self.count:,} x {one}, first at {', '.join(r.origin for r in self.first)}"
        places = (f"{record.origin}: {record.detail}" for record in self.first)
        return f"{self.count:,} x {self.kind}, first at {'; '.join(places)}"


@dataclass(frozen=True)
class Faults:
    """Everything that could not be used.

    Attributes
    ----------
    listed : bad rows and unread parts in reading order, of each kind the first `MAX_LISTED`.
    reasons : by kind, the most frequent first.
    n_rows : rows that are lost: bad ones, those known to be missing, and one for each unread part
        of which nobody knows how many it holds.
    n_unread : unread parts.
    n_missing : rows known to be missing in unread parts.
    """

    listed: tuple[BadRecord, ...]
    reasons: tuple[Reason, ...]
    n_rows: int
    n_unread: int
    n_missing: int

    @property
    def unread(self) -> tuple[UnreadPart, ...]:
        """The unread parts that are listed."""
        return tuple(record for record in self.listed if isinstance(record, UnreadPart))

    def share(self, n_good: int) -> float:
        """Lost rows as a share of these and the good ones; 0 where there are none at all."""
        return self.n_rows / max(self.n_rows + n_good, 1)

    def summary(self) -> str:
        """Every reason with its count and first origins, on one line."""
        return "; ".join(map(str, self.reasons))

    def unread_summary(self) -> str:
        """The same of the unread parts alone."""
        return "; ".join(str(reason) for reason in self.reasons if reason.is_unread)

    def remedy(self, *, correct: str, whole: str) -> str:
        """What to do about it: about bad rows, and about unread parts."""
        bad = any(not reason.is_unread for reason in self.reasons)
        return remedy(bad=bad, unread=self.n_unread > 0, correct=correct, whole=whole)


class FaultTally:
    """Counts what cannot be used, in memory that does not grow with it."""

    def __init__(self) -> None:
        self._listed: list[BadRecord] = []
        self._count: Counter[str] = Counter()
        self._first: defaultdict[str, list[BadRecord]] = defaultdict(list)
        self._n_rows = self._n_unread = self._n_missing = 0

    def add(self, record: BadRecord) -> None:
        """Count one more."""
        kind = record.kind
        self._count[kind] += 1
        if self._count[kind] <= MAX_LISTED:
            self._listed.append(record)
        if self._count[kind] <= FIRST:
            self._first[kind].append(record)
        if isinstance(record, UnreadPart):
            self._n_unread += 1
            self._n_missing += record.missing or 0
            self._n_rows += 1 if record.missing is None else record.missing
        else:
            self._n_rows += 1

    def faults(self) -> Faults:
        """Everything counted so far."""
        reasons = tuple(
            Reason(kind, count, tuple(self._first[kind]))
            for kind, count in self._count.most_common()
        )
        return Faults(tuple(self._listed), reasons, self._n_rows, self._n_unread, self._n_missing)


def faults_of(records: Iterable[BadRecord]) -> Faults:
    """Count all of these."""
    tally = FaultTally()
    for record in records:
        tally.add(record)
    return tally.faults()
