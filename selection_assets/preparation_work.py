"""What a method's preparation is made of, read once: rows, target, and the selector's tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resources.artifacts import Artifact
from selection.arms.target import to_examples
from selection.config.study import Study
from selection.costs import ModelShape
from selection.methods.named import NamedMethod
from selection.methods.preparation import SelectorSize
from selection.methods.protocol import CostInputs, Rows
from selection.models.base import load_tokenizer
from selection.models.examples import Example, plain_lengths, rendered_lengths
from selection_assets.base_tokenizer import read_shape
from selection_assets.pool_rows import iterate_sources, read_rows


@dataclass(frozen=True)
class PreparationWork:
    """What a preparation is made of, read once.

    Attributes
    ----------
    rows : of each source that it reads.
    target : the steering examples; none for one that does not look at the target.
    shape, tokenizer : of the selector, where it is needed.
    """

    rows: list[Rows]
    target: list[Example]
    shape: ModelShape | None
    tokenizer: Any

    @classmethod
    def find(cls, loaded: Mapping[str, Any]) -> "PreparationWork":
        """Read what a preparation's inputs hold."""
        rows, target, shape, tokenizer = [], [], None, None
        corpus = loaded.get("raw_corpus")
        if isinstance(corpus, Artifact):
            rows = [read_rows(corpus)]
        elif corpus is not None:
            rows = [of_source for _, of_source in iterate_sources(corpus)]
        if "target_examples" in loaded:
            target = dev_examples(loaded["target_examples"])
        if "selector_tokenizer" in loaded:
            shape = read_shape(loaded["selector_tokenizer"])
            tokenizer = load_tokenizer(loaded["selector_tokenizer"].path("tokenizer"))
        return cls(rows, target, shape, tokenizer)

    @property
    def n_rows(self) -> int:
        """Rows, or examples, that there are to go through."""
        return sum(len(rows.row_id) for rows in self.rows) or len(self.target)

    def sizes(self, named: NamedMethod, study: Study) -> CostInputs:
        """What the preparation's cost depends on."""
        selector = None
        if self.shape is not None:
            longest = self.shape.sequence_length
            texts = [text for rows in self.rows for text in rows.text]
            selector = SelectorSize(
                self.shape,
                study.accountant,
                plain_lengths(texts, self.tokenizer, longest),
                rendered_lengths(self.target, self.tokenizer, longest),
            )
        n_pool = sum(len(rows.row_id) for rows in self.rows)
        return CostInputs(n_pool, len(self.target), 0.0, 0.0, 0, named.options, selector)


def dev_examples(target_examples: Artifact) -> list[Example]:
    """The examples that steer the selection."""
    return to_examples(target_examples.table("rows.parquet"), "dev")
