"""What a method makes before it can fit or score: an index, a tuned selector, a gradient store.

Each preparation is one asset. One that is `shared` does not look at the target, is made once for a
pool and serves every study of it; its cost is split over them (CCDS, arXiv 2410.16208).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

import numpy as np

from selection.basics.engine import HERE, Engine
from selection.budget.meter import UNMETERED, Meter
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.options import OptionsT_co
from selection.methods.contract.values import Fact, Rows

if TYPE_CHECKING:
    from selection.costs import ModelShape
    from selection.models.examples import Example


class Files(Protocol):
    """What a preparation has made, file by file."""

    def array(self, name: str) -> np.ndarray:
        """Read a `.npy` file."""
        ...

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read a `.safetensors` file."""
        ...

    def json(self, name: str) -> Any:
        """Read a `.json` file."""
        ...

    def path(self, name: str) -> Path:
        """Give the place of a file or folder."""
        ...


@dataclass(frozen=True)
class Selector:
    """The small decoder that some methods read the pool with.

    Attributes
    ----------
    folder : of its safetensors and tokenizer.
    shape, accountant : what its passes cost, and who counts.
    """

    folder: Path
    shape: ModelShape
    accountant: str


@dataclass(frozen=True)
class PrepareInputs(Generic[OptionsT_co]):
    """What a preparation may look at.

    Attributes
    ----------
    options : of the method, as it has validated them.
    pool : returns a fresh iterator over the whole pool, source by source and each in pieces, for
        one that is not by source; over rows of the source at hand for one that is: all of them, or
        where it goes row by row those that are new.
    target : the examples that steer the selection; none for one that is shared.
    selector : for one that needs it.
    prepared : what it reads of earlier preparations, by their asset's name.
    device : torch device.
    work : folder that survives a kill and is found again by the next attempt at the same work.
    meter : charged for each part of the work before it is done.
    report : receives one line of progress at a time.
    advance : receives the number of rows of each part that is done.
    engine : computes parts of the work that need no device.
    """

    options: OptionsT_co
    pool: Callable[[], Iterator[Rows]]
    n_pool: int
    work: Path
    target: Sequence[Example] = ()
    selector: Selector | None = None
    prepared: Mapping[str, Files] = field(default_factory=dict)
    device: str = "cpu"
    meter: Meter = UNMETERED
    report: Callable[[str], None] = lambda line: None
    advance: Callable[[int], object] = lambda n: None
    engine: Engine = HERE


@dataclass(frozen=True)
class Prepared:
    """What a preparation has made, and what it took.

    Attributes
    ----------
    files : name to content: an array for `.npy`, a dict of arrays for `.safetensors`, JSON values
        for `.json`, and the path of a folder.
    rows : how many rows or examples it is of.
    flops, accountant : in all, whoever computed them.
    resumed_flops : part of them that an earlier, interrupted attempt had computed.
    """

    files: Mapping[str, Any]
    rows: int
    flops: float = 0.0
    accountant: str = "none"
    resumed_flops: float = 0.0
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def array(self, name: str) -> Any:
        """Give what a file is to hold, so that what was made here serves as `Files`."""
        return self.files[name]

    arrays = json = path = array


class Preparation(ABC):
    """One thing that is made before a method fits; by default no model works on it.

    One by source is given the rows of that source; one that is shared, and not by source, the whole
    pool; one that is neither, the target.

    Attributes
    ----------
    asset : str
        Name of its asset.
    shared : bool
        Whether it is the pool's and the same for every target; else it is a study's own.
    by_source : bool
        Whether there is one for each source of the pool, row by row in the source's order. At most
        one preparation of a method that scoring reads is by source.
    row_by_row : bool
        Whether its files are `.npy` arrays with an entry for each row of its source, which depends
        on no other row: then only new rows of a changed source are gone through.
    needs_selector : bool
    needs_device : bool
        Whether it computes enough to be budgeted and to wait for a GPU.
    needs : tuple of str
        Assets of the method's earlier preparations that it reads, none of them by source.
    reads : tuple of str
        Names of the method's options that its result depends on.
    """

    asset: str
    shared: bool
    by_source: bool = False
    row_by_row: bool = False
    needs_selector: bool = False
    needs_device: bool = False
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...]

    @abstractmethod
    def prepare(self, inputs: PrepareInputs[Any]) -> Prepared:
        """Make it.

        Raises
        ------
        BudgetExhausted
            When the meter stops it; what was finished is kept in `inputs.work`.
        """

    def flops(self, inputs: CostInputs[Any]) -> float:
        """What it will cost; of one by source for the rows of that source in `inputs`.

        By default nothing: CCDS (arXiv 2410.16208) counts lexical selection as free.
        """
        return 0.0

    def features(self, files: Files) -> Any:
        """What `Rows.features` is to hold: n rows, sliceable. Only asked of one by source."""
        raise ValueError(f"{self.asset} is not by source, and so holds no features of rows")
