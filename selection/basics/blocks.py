"""Long work in blocks, each kept when it is finished: how does a killed run lose at most one?

A block is the unit of resumption: what was computed of some rows, in one file that is never changed
and is named by what it was computed of and by. Whoever asks for the same finds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from selection.basics.array_file import ArrayFile
from selection.basics.engine import HERE, Engine
from selection.basics.whole_files import write_bytes_whole

FLOPS = "flops"
"""The array of a block, of length one, that says what was charged for computing it."""

# One entry, since safetensors writes several in any order, and the same block is the same bytes.
_CHECKSUM = "checksum"

Block = Mapping[str, np.ndarray]
"""What was computed of one part of the work: arrays by name, numeric; those of all parts are joined
along their first axis."""

PartT = TypeVar("PartT")


class DamagedBlock(ValueError):
    """A block's file does not hold what was written into it."""


class BlockStore:
    """A folder of finished blocks, each written whole or not at all.

    Parameters
    ----------
    folder : made when the first block is put.
    made_by : what computes the blocks: all that they depend on beside what they are of, such as the
        code, its options, a model's version. What is left out must be the same for all that use
        the folder.
    """

    def __init__(self, folder: Path, made_by: Iterable[str | bytes]) -> None:
        self._folder = folder
        self._made_by = _digest(made_by)

    def key(self, content: Iterable[str | bytes]) -> str:
        """Name the block of this content: rows, or their shard's hash and which of its rows."""
        return _digest([self._made_by, *content]).hex()

    def get(self, key: str) -> Block | None:
        """Read a block; None when it is not finished.

        Raises
        ------
        DamagedBlock
            Naming the file and the remedy.
        """
        file = self._file(key)
        if not file.is_file():
            return None
        with _opened(file) as stored:
            said = (stored.metadata() or {}).get(_CHECKSUM)
            block = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if said != _checksum(block):
            raise _damaged(file, "its content does not hash to what it says")
        return block

    def __contains__(self, key: str) -> bool:
        """Whether a block is finished."""
        return self._file(key).is_file()

    def put(self, key: str, block: Block) -> None:
        """Keep a finished block."""
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in block.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes_whole(self._file(key), save(arrays, {_CHECKSUM: _checksum(arrays)}))

    def join(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """Join finished blocks' arrays in files of the folder, of which they are memory maps.

        Raises
        ------
        DamagedBlock
            As `get`; a block that is not there is one.
        """
        keys, files = list(keys), dict[str, ArrayFile]()
        name_of = f"joined_{_digest(keys).hex()}"
        paths: dict[str, Path] = {}
        with ExitStack() as opened:
            for key in keys:
                block = self.get(key)
                if block is None:
                    raise _damaged(self._file(key), "it is not there")
                for name, array in block.items():
                    if name not in files:
                        paths[name] = self._folder / f"{name_of}_{name}.npy"
                        file = ArrayFile(paths[name], array.shape[1:], array.dtype)
                        files[name] = opened.enter_context(file)
                    files[name].add(array)
        return {name: np.load(path, mmap_mode="r") for name, path in paths.items()}

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"


@dataclass(frozen=True)
class Finished:
    """What was computed of all parts of the work.

    Attributes
    ----------
    arrays : the blocks' arrays but `FLOPS`, joined along the first axis in the order of the parts;
        memory maps of files in the store's folder.
    flops : of all blocks, whoever computed them.
    resumed_flops : of the blocks that were finished before.
    """

    arrays: dict[str, np.ndarray]
    flops: float
    resumed_flops: float


Charge = Callable[[float], object]
"""Receives FLOPs that are about to be spent, or were; may raise, such as `BudgetExhausted`."""


def compute_in_blocks(
    store: BlockStore,
    parts: Iterable[PartT],
    content: Callable[[PartT], Iterable[str | bytes]],
    compute: Callable[[PartT, Charge], Block],
    *,
    charge: Charge = lambda flops: None,
    done: Callable[[PartT, bool], object] = lambda part, resumed: None,
    engine: Engine = HERE,
) -> Finished:
    """Compute a block of each part, and join them; see `each_block`.

    Parameters
    ----------
    parts : at least one.
    """
    keys: list[str] = []
    resumed_flops = 0.0
    for key, block, resumed in each_block(
        store, parts, content, compute, charge=charge, done=done, engine=engine
    ):
        keys.append(key)
        resumed_flops += float(block[FLOPS][0]) if resumed else 0.0
        del block  # only one is held at a time
    arrays = store.join(keys)
    return Finished(arrays, sum(arrays.pop(FLOPS).tolist()), resumed_flops)


def each_block(
    store: BlockStore,
    parts: Iterable[PartT],
    content: Callable[[PartT], Iterable[str | bytes]],
    compute: Callable[[PartT, Charge], Block],
    *,
    charge: Charge = lambda flops: None,
    done: Callable[[PartT, bool], object] = lambda part, resumed: None,
    engine: Engine = HERE,
) -> Iterator[tuple[str, Block, bool]]:
    """Compute a block of each part; what an earlier run had finished is read, not computed.

    Parameters
    ----------
    content : what a part's block is of, see `BlockStore.key`.
    compute : gives a part's block, which does not depend on other parts, and charges its FLOPs:
        before it spends them where they are known by then.
    charge : receives the FLOPs of each block that is computed here, always before it is kept: what
        nobody paid for is not found again. When it raises, the blocks before are kept.
    done : receives each part when its block is finished, and whether it was so before.
    engine : computes what is missing. Where other processes do, FLOPs are charged when a block
        comes back from one, and before it is kept.

    Yields
    ------
    key, block, resumed : of each part, in order; a block has its `FLOPS` too.
    """
    asked: deque[tuple[str, PartT, bool]] = deque()

    def missing() -> Iterator[PartT | None]:
        """Give the parts in order, None for one that is finished, and note which each was."""
        for part in parts:
            key = store.key(content(part))
            finished = key in store
            asked.append((key, part, finished))
            yield None if finished else part

    call = partial(_compute, compute, charge if engine.here else None)
    for found in engine.each(call, missing()):
        key, part, resumed = asked.popleft()
        if found is None:
            block = store.get(key)
            assert block is not None
        else:
            block, flops = found
            if not engine.here:
                charge(flops)
            block = {**block, FLOPS: np.array([flops])}
            store.put(key, block)
        done(part, resumed)
        yield key, block, resumed
        del block, found  # only one is held at a time


def _compute(
    compute: Callable[[PartT, Charge], Block], charge: Charge | None, part: PartT | None
) -> tuple[Block, float] | None:
    """Compute a block and what it took; charge it on the way, if there is who takes it."""
    if part is None:
        return None
    spent: list[float] = []

    def spend(flops: float) -> None:
        if charge is not None:
            charge(flops)
        spent.append(flops)

    block = compute(part, spend)
    if not spent:
        spend(0.0)  # a budget has seconds too, so that what is free also has to ask
    return block, sum(spent)


def stretches(n: int, size: int) -> Iterator[slice]:
    """Cut n things into stretches of a size; without any there is one, empty."""
    return (slice(start, start + size) for start in range(0, max(1, n), size))


def _digest(values: Iterable[str | bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for value in values:
        content = value.encode() if isinstance(value, str) else value
        digest.update(len(content).to_bytes(8, "little"))  # so that no two lists read the same
        digest.update(content)
    return digest.digest()


def _checksum(block: Block) -> str:
    from xxhash import xxh3_128

    checksum = xxh3_128()
    for name in sorted(block):
        array = np.ascontiguousarray(block[name])
        checksum.update(repr((name, array.dtype.str, array.shape)).encode())
        checksum.update(array.reshape(-1).view(np.uint8).data)
    return checksum.hexdigest()


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as stored:
            yield stored
    except (SafetensorError, FileNotFoundError) as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: Path, why: str) -> DamagedBlock:
    return DamagedBlock(f"{file}: damaged ({why}); delete it to compute its rows again")
