"""Where is garbage looked for, while much else lives?"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Look for garbage among what is made within alone.

    Beside Dagster and torch some million objects live that never become garbage. Whoever makes many
    more, such as the syntax trees of a package, has all of them looked through again and again,
    which takes as long as the work; and each training of accelerate begins and ends with it.
    """
    if gc.get_freeze_count():  # by somebody around, who ends it
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
