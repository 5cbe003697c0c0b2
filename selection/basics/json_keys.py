"""Objects of JSON with a key given twice, of which Python's parser would keep the last value."""

from __future__ import annotations


class RepeatedKey(ValueError):
    """An object of JSON says two things under one name; the message is ``kind: detail``."""


def distinct_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs, as `json`'s `object_pairs_hook`.

    Raises
    ------
    RepeatedKey
        Naming the key.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RepeatedKey(f"repeated key: {key[:40]!r} is given twice")
            seen.add(key)
    return made
