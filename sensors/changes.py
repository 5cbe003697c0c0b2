"""What has changed since the last tick? Pure decisions, with the cursor they are kept in."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seen:
    """What a sensor remembers between ticks.

    Attributes
    ----------
    fingerprints : of everything ever seen, by name; what has vanished stays, so that it goes on
        being reported and is nothing new when it returns as it was.
    asked : how many ticks asked for runs.
    """

    fingerprints: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0

    def to_cursor(self) -> str:
        """As the text that Dagster keeps."""
        return json.dumps(
            {"asked": self.asked, "fingerprints": dict(self.fingerprints)}, sort_keys=True
        )


@dataclass(frozen=True)
class Changes:
    """Names by what happened to them, each sorted.

    Attributes
    ----------
    new, changed : to be read.
    gone : seen before and no longer there.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def to_read(self) -> list[str]:
        """What a run is wanted for."""
        return sorted(self.new + self.changed)


def read_cursor(cursor: str | None) -> Seen | None:
    """Return what was seen, or None at the first tick and after somebody edited the cursor away.

    A first tick is always safe: it compares with the ledger instead.
    """
    try:
        state = json.loads(cursor or "")
        return Seen(dict(state["fingerprints"]), int(state["asked"]))
    except (ValueError, KeyError, TypeError):
        return None


def changes_since(seen: Seen, now: Mapping[str, str]) -> Changes:
    """Say what is new, what has changed and what is gone.

    Parameters
    ----------
    now : name to fingerprint.
    """
    before = seen.fingerprints
    return Changes(
        new=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(
            sorted(name for name in now.keys() & before.keys() if now[name] != before[name])
        ),
        gone=tuple(sorted(before.keys() - now.keys())),
    )


def remember(seen: Seen, now: Mapping[str, str], *, asked: bool) -> Seen:
    """Return what the next tick is to compare with."""
    return Seen({**seen.fingerprints, **now}, seen.asked + asked)


def run_key(name: str, fingerprint: str, seen: Seen) -> str:
    """Return a key that is the same when a tick is repeated, and never again after it.

    Dagster starts no second run with the same key. The fingerprint alone would not do: a file
    restored with its old date has its old fingerprint and must be read again all the same.
    """
    digest = hashlib.sha256(f"{fingerprint} {seen.asked}".encode()).hexdigest()[:16]
    return f"{name}:{digest}"


def report_gone(names: Iterable[str]) -> str:
    """One sentence about what has vanished, or nothing."""
    listed = ", ".join(names)
    if not listed:
        return ""
    return f"no longer there, its rows stay as they were last read: {listed}"
