"""Does a message say whether it is to be trained on?"""

from __future__ import annotations

from collections.abc import Mapping

from selection.chats.conversation import ChatFault

TRAINED_BY = ("weight", "train", "training")
"""Names under which it says so: OpenAI's, and two of axolotl's."""


def is_trained(message: Mapping[str, object], where: str, role: str, *, is_answer: bool) -> bool:
    """Whether a turn is trained on, as far as its message says; only an answer can be.

    Raises
    ------
    ChatFault
        When it says what cannot be done, or two things.
    """
    said = {name: value for name in TRAINED_BY if (value := message.get(name)) is not None}
    for name, value in said.items():
        if value not in (0, 1):
            raise ChatFault(f"wrong type: {name!r} of {where} is {str(value)[:40]!r}, not 0 or 1")
    if len(set(map(bool, said.values()))) > 1:
        raise ChatFault(f"two values: {where} has {' and '.join(map(repr, said))}, which differ")
    if not is_answer and any(said.values()):
        raise ChatFault(f"not an answer: {where} ({role}) says that it is trained on")
    return not is_answer or all(said.values())


def untrained_by(message: Mapping[str, object]) -> str | None:
    """Return the name under which a message says that it is not trained on, if it does."""
    return next((name for name in TRAINED_BY if message.get(name) == 0), None)
