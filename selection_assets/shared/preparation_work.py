"""What a method's preparation is made of, read once: rows, target, and the selector's tokenizer."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.costs import ModelShape
from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.values import Rows
from selection.models.base import load_tokenizer
from selection.models.examples import Example
from selection.models.tokenizer import count_tokens
from selection.models.windows import read_lengths
from selection_assets.shared.decoders import read_shape
from selection_assets.shared.made_before import MadeBefore, not_made, rows_made
from selection_assets.shared.pool_rows import iterate_sources, part_looked_at
from selection_assets.shared.stored_rows import StoredRows
from selection_assets.shared.target_rows import dev_examples
from selection_assets.stage.step import Step

MADE_BY = "made_by.json"
"""File that says what the entries of one that goes row by row depend on."""


@dataclass(frozen=True)
class PreparationWork:
    """What a preparation is made of, read once.

    Attributes
    ----------
    rows : of each source that it reads; those of them that it is to go through.
    row_id : of all n rows.
    new : int64, places of the rows to go through; all of them unless it goes row by row.
    before : what earlier versions have of the others.
    made_by : what an entry depends on beside its row; None unless it goes row by row.
    target : the steering examples; none for one that does not look at the target.
    shape, tokenizer : of the selector, where it is needed.
    """

    rows: list[StoredRows]
    row_id: pa.ChunkedArray
    new: np.ndarray
    before: list[MadeBefore]
    made_by: Mapping[str, str] | None
    target: list[Example]
    shape: ModelShape | None
    tokenizer: Any

    @classmethod
    def find(
        cls,
        step: Step,
        earlier: Iterable[Artifact] = (),
        made_by: Mapping[str, str] | None = None,
    ) -> "PreparationWork":
        """Read what a preparation's inputs hold.

        Parameters
        ----------
        earlier : current versions of one that goes row by row.
        made_by : as the attribute.
        """
        rows, target, shape, tokenizer = [], [], None, None
        if "raw_corpus" in step.inputs:
            corpus = step.inputs["raw_corpus"]
            rows = [of_source for _, of_source in iterate_sources(corpus)]
            parts = {part_looked_at(of_source) for of_source in corpus.values()}
            if made_by is not None and parts - {"all"}:  # a row keeps its id whatever its part
                made_by = {**made_by, "looked_at": ", ".join(sorted(parts))}
        if "target_examples" in step.inputs:
            target = dev_examples(step.one("target_examples"))
        if "selector_tokenizer" in step.inputs:
            selector = step.one("selector_tokenizer")
            shape = read_shape(selector)
            tokenizer = step.once("tokenizer", lambda: load_tokenizer(selector.path("tokenizer")))
        chunks = [chunk for one in rows for chunk in one.row_id.chunks]
        row_id = pa.chunked_array(chunks, pa.string())
        before = []
        if made_by is not None:
            before = rows_made(step, made_by, MADE_BY).made_before(row_id, earlier)
        new = not_made(len(row_id), before)
        if len(new) < len(row_id):
            [of_source] = rows
            rows = [of_source.only(new)]
        return cls(rows, row_id, new, before, made_by, target, shape, tokenizer)

    def joined(self, files: Mapping[str, Any]) -> dict[str, Any]:
        """Arrays of all rows, from those of the rows gone through and from earlier versions."""
        if len(self.new) == len(self.row_id):
            return dict(files)
        joined = {}
        for name, of_new in files.items():
            joined[name] = np.empty((len(self.row_id), *of_new.shape[1:]), of_new.dtype)
            for one in self.before:
                one.copy(name, into=joined[name])
            joined[name][self.new] = of_new
        return joined

    @property
    def n_rows(self) -> int:
        """Rows, or examples, that there are to go through."""
        return sum(map(len, self.rows)) or len(self.target)

    def pieces(self) -> Iterator[Rows]:
        """Give the rows to go through, piece by piece."""
        return chain.from_iterable(rows.pieces() for rows in self.rows)

    def sizes(self, named: NamedMethod, study: Study) -> CostInputs:
        """What the preparation's cost depends on."""
        selector = None
        if self.shape is not None:
            lengths = [count_tokens(self.tokenizer, list(rows.text)) for rows in self.pieces()]
            selector = SelectorSize(
                self.shape,
                study.accountant,
                np.concatenate([np.empty(0, dtype=np.int64), *lengths]),
                read_lengths(self.target, self.tokenizer, self.shape.sequence_length),
            )
        return CostInputs(
            sum(map(len, self.rows)), len(self.target), 0.0, 0.0, 0, named.options, selector
        )
