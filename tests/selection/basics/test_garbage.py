"""What lived before is left alone, and looked at again after."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from selection.basics.garbage import only_new_garbage


class Cycle:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    """Tests of a file run with all that lived before it frozen."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_garbage_from_before_is_found_after_and_new_garbage_at_once():
    gc.disable()
    try:
        before = weakref.ref(Cycle())
        with pytest.raises(ValueError, match="midst"), only_new_garbage():
            within = weakref.ref(Cycle())
            gc.collect()
            assert before() is not None and within() is None
            raise ValueError("in the midst")
        gc.collect()
        assert before() is None
    finally:
        gc.enable()


def test_what_is_within_another_ends_nothing():
    with only_new_garbage():
        with only_new_garbage():
            pass
        assert gc.get_freeze_count()
    assert not gc.get_freeze_count()
