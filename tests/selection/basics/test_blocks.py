"""The store of finished blocks: whatever interrupts the work, its result is the same."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from real_processes import die, run

from selection.basics.blocks import (
    FLOPS,
    Block,
    BlockStore,
    Charge,
    DamagedBlock,
    compute_in_blocks,
    stretches,
)
from selection.budget.meter import BudgetExhausted

MADE_BY = ("squares", "1")


class Work:
    """Squares of numbers, and words of uneven length; dies at the call that it is told to."""

    def __init__(self, folder: Path, dies_at: int = -1, *, known: bool = True) -> None:
        self.store, self.dies_at, self.known = BlockStore(folder, MADE_BY), dies_at, known
        self.computed: list[int] = []
        self.charged = self.calls = 0.0
        self.seen: list[tuple[int, bool]] = []

    def run(self, numbers: list[int], size: int):
        return compute_in_blocks(
            self.store,
            [numbers[some] for some in stretches(len(numbers), size)],
            lambda part: [str(number) for number in part],
            self.compute,
            charge=self.charge,
            done=lambda part, resumed: self.seen.append((len(part), resumed)),
        )

    def compute(self, part: list[int], charge: Charge) -> Block:
        if self.known:
            charge(float(len(part)))
        self.may_die()
        self.computed += part
        found: Block = {
            "square": np.array([[number, number**2] for number in part]).reshape(-1, 2),
            "spelled": np.frombuffer("".join(map(str, part)).encode(), dtype=np.uint8),
        }
        if not self.known:
            charge(float(len(part)))
        return found

    def charge(self, flops: float) -> None:
        self.may_die()
        self.charged += flops

    def may_die(self) -> None:
        if self.calls == self.dies_at:
            raise BudgetExhausted("here")
        self.calls += 1


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 10**6), unique=True, max_size=25),
    size=st.integers(1, 9),
    deaths=st.lists(st.integers(0, 12), max_size=4),
    known=st.booleans(),
)
def test_any_interruption_and_any_size_of_block_give_what_one_run_gives(
    numbers, size, deaths, known
):
    with tempfile.TemporaryDirectory() as folder:
        kept: list[int] = []
        for dies_at in deaths:
            attempt = Work(Path(folder), dies_at, known=known)
            try:
                attempt.run(numbers, size)
            except BudgetExhausted:
                finished = sum(n for n, _ in attempt.seen)
                assert set(kept) <= set(numbers[:finished])
                kept = numbers[:finished]
            else:
                kept = numbers
        last = Work(Path(folder), known=known)
        found = last.run(numbers, size)
    assert last.computed == numbers[len(kept) :]
    np.testing.assert_array_equal(
        found.arrays["square"], np.array([[n, n**2] for n in numbers]).reshape(-1, 2)
    )
    assert found.arrays["spelled"].tobytes().decode() == "".join(map(str, numbers))
    assert found.flops == len(numbers)
    assert found.resumed_flops == len(kept)
    assert last.charged == found.flops - found.resumed_flops
    assert sum(n for n, _ in last.seen) == len(numbers)
    assert sum(n for n, resumed in last.seen if resumed) == len(kept)


@pytest.mark.parametrize("known", [True, False])
def test_a_block_that_could_not_be_paid_is_not_kept(tmp_path, known):
    class Refused(Work):
        def charge(self, flops: float) -> None:
            raise BudgetExhausted("no room")

    with pytest.raises(BudgetExhausted):
        Refused(tmp_path, known=known).run([1, 2, 3], 2)
    assert not list(tmp_path.iterdir())


texts = st.lists(st.text(max_size=3), max_size=4)


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_a_key_is_of_all_that_made_a_block_and_of_all_its_content(one, other):
    folder = Path("nowhere")
    keys = [BlockStore(folder, made_by).key(content) for made_by, content in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_block_of_other_rows_or_made_by_something_else_is_not_found(tmp_path):
    store = BlockStore(tmp_path, MADE_BY)
    key = store.key(["a", "b"])
    store.put(key, {"x": np.arange(2), FLOPS: np.array([1.0])})
    assert store.get(store.key(["a", "b"])) is not None
    assert store.get(store.key(["ab"])) is None
    assert BlockStore(tmp_path, ("squares", "2")).get(store.key(["b", "a"])) is None
    other = BlockStore(tmp_path, ("squares", "2"))
    assert other.get(other.key(["a", "b"])) is None


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u1", "?"]).flatmap(
            lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=3, min_side=0))
        ),
        max_size=3,
    ),
)
def test_a_block_is_read_back_to_the_bit(content):
    with tempfile.TemporaryDirectory() as folder:
        store = BlockStore(Path(folder), MADE_BY)
        store.put("key", content)
        found = store.get("key")
    assert found is not None
    assert set(found) == set(content)
    for name, array in content.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_a_block_with_any_byte_changed_or_cut_off_is_refused_with_the_remedy(tmp_path):
    Work(tmp_path).run([1, 2, 3], 3)
    (file,) = tmp_path.glob("*.safetensors")
    whole = file.read_bytes()
    flipped = [
        whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        for place in range(len(whole))
    ]
    cut = [whole[:length] for length in range(0, len(whole), 7)]
    for damaged in [*flipped, *cut, whole + b"0"]:
        file.write_bytes(damaged)
        with pytest.raises(DamagedBlock, match=rf"{file.name}.*delete it"):
            Work(tmp_path).run([1, 2, 3], 3)
    file.unlink()
    again = Work(tmp_path)
    again.run([1, 2, 3], 3)
    assert again.computed == [1, 2, 3]
    assert file.read_bytes() == whole


def test_joining_holds_one_block(tmp_path):
    store = BlockStore(tmp_path, MADE_BY)
    keys = [store.key([str(i)]) for i in range(20)]
    for i, key in enumerate(keys):
        store.put(key, {"x": np.full((1000, 25), i, dtype=np.float64)})
    tracemalloc.start()
    joined = store.join(keys)["x"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert joined[:, 0].tolist() == [i for i in range(20) for _ in range(1000)]
    assert peak < joined.nbytes * 3 / 20


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from selection.basics.blocks import BlockStore, compute_in_blocks

folder, dies_at = Path(sys.argv[1]), int(sys.argv[2])

def compute(part, charge):
    charge(2.0)
    if part == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)
    print(part)
    return {"x": np.full(3, part / 7)}

found = compute_in_blocks(
    BlockStore(folder, ["sevenths"]), range(5), lambda part: [str(part)], compute
)
print(found.flops, found.resumed_flops, found.arrays["x"].tobytes().hex())
"""


def test_a_killed_process_leaves_its_finished_blocks_to_the_next(tmp_path):
    die(KILLED, tmp_path / "killed", 2)
    assert len(list((tmp_path / "killed").iterdir())) == 2
    die(KILLED, tmp_path / "killed", 4)
    resumed = run(KILLED, tmp_path / "killed", -1).split()
    whole = run(KILLED, tmp_path / "whole", -1).split()
    assert resumed[0] == "4"  # only the last block was still to do
    assert (resumed[1], resumed[2]) == ("10.0", "8.0")
    assert resumed[-1] == whole[-1]
    written = [sorted((tmp_path / name).iterdir()) for name in ("killed", "whole")]
    assert [f.read_bytes() for f in written[0]] == [f.read_bytes() for f in written[1]]
