"""Does a name of the hub also name something of this machine?"""

from __future__ import annotations

from pathlib import Path


def see_that_only_the_hub_has(name: str) -> None:
    """See that no file or folder has this name where the process runs.

    The hub's libraries would read it in place of the hub's repository, whatever the revision.

    Raises
    ------
    ValueError
        When there is one, with its path.
    """
    if Path(name).exists():
        raise ValueError(
            f"{name!r} is meant to be of the hub, and {Path(name).resolve()} would be read in its"
            " place; run the command from another folder, or rename that one"
        )
