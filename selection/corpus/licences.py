"""Which texts name a licence, as against being one?"""

from selection.basics.text import text_fault

LONGEST = 80


def licence_name(said: object) -> str | None:
    """Return what names a licence: one short line. Some put the whole licence where its name goes.

    Returns
    -------
    str or None
        Without white space around it; None for anything else.
    """
    if not isinstance(said, str) or text_fault(said) is not None:
        return None
    name = said.strip()
    return name if len(name) <= LONGEST and len(name.splitlines()) == 1 else None
