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
    not_read : what could not be read and why, so that it is a warning once.
    """

    fingerprints: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    not_read: tuple[str, ...] = ()

    def to_cursor(self) -> str:
        """As the text that Dagster keeps."""
        return json.dumps(
            {
                "asked": self.asked,
                "fingerprints": dict(self.fingerprints),
                "not_read": self.not_read,
            },
            sort_keys=True,
        )


def read_cursor(cursor: str | None) -> Seen | None:
    """Return what was seen, or None at the first tick and after somebody edited the cursor away.

    A first tick is always safe: it compares with the ledger instead.
    """
    try:
        state = json.loads(cursor or "")
        fingerprints, asked = dict(state["fingerprints"]), int(state["asked"])
        # Cursors of earlier versions say nothing of what was not read.
        return Seen(fingerprints, asked, tuple(state.get("not_read", ())))
    except (ValueError, KeyError, TypeError):
        return None


def changes_since(seen: Seen, now: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Names of what is new or has changed, and of what is gone, each sorted.

    Parameters
    ----------
    now : name to fingerprint.
    """
    before = seen.fingerprints
    new_or_changed = sorted(name for name in now if now[name] != before.get(name))
    return new_or_changed, sorted(before.keys() - now.keys())


def remember(
    seen: Seen, now: Mapping[str, str], *, asked: bool, not_read: Iterable[str] = ()
) -> Seen:
    """Return what the next tick is to compare with."""
    return Seen({**seen.fingerprints, **now}, seen.asked + asked, tuple(not_read))


def run_key(name: str, fingerprint: str, seen: Seen) -> str:
    """Return a key that is the same when a tick is repeated, and never again after it.

    Dagster starts no second run with the same key. The fingerprint alone would not do: a file
    restored with its old date has its old fingerprint and must be read again all the same.
    """
    digest = hashlib.sha256(f"{fingerprint} {seen.asked}".encode()).hexdigest()[:16]
    return f"{name}:{digest}"
