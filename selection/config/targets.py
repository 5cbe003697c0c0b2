"""Targets: what a study trains for, split into train, dev and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from selection.basics.bounds import Seed
from selection.config.names import PartitionName, ProjectPath, Strict, Text
from selection.config.passages import PassageWords
from selection.config.pool import ColumnNames


class SplitSizes(Strict):
    """How many target rows go to each split. `dev` steers selection; `test` only evaluates."""

    train: int = Field(ge=1, le=10_000_000)
    dev: int = Field(ge=1, le=10_000_000)
    test: int = Field(ge=2, le=10_000_000)


class DocstringTarget(PassageWords):
    """One installed package's documentation, which must not be a source of the pool."""

    kind: Literal["docstrings"]
    package: PartitionName
    splits: SplitSizes


IF_THERE = {"label": "label?", "split": "split?"}
"""How a target says that a column is read where the file has it."""


class TargetColumns(ColumnNames):
    """Which columns of a target hold what.

    One called `label` and one called `split` are read where the file has them, unless another is
    named, which must be there, or null, for none.
    """

    label: Text | None = IF_THERE["label"]
    split: Text | None = IF_THERE["split"]

    def looked_for(self) -> tuple[ColumnNames, frozenset[str]]:
        """Return the columns to read, and the fields whose column may be absent."""
        absent = frozenset(f for f, said in IF_THERE.items() if getattr(self, f) == said)
        named = self.model_dump() | {field: field for field in absent}
        return ColumnNames.model_validate(named), absent


class SplitShares(Strict):
    """Which share of the target's distinct rows goes to each split."""

    train: float = Field(default=0.6, ge=0, le=1)
    dev: float = Field(default=0.2, gt=0, le=1)
    test: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_all(self) -> SplitShares:
        if self.train + self.dev + self.test > 1 + 1e-9:
            raise ValueError(f"the shares {self.train}, {self.dev} and {self.test} are more than 1")
        return self

    def require_all(self) -> None:
        """Refuse shares that leave nothing to train on or to evaluate with.

        Raises
        ------
        ValueError
            Naming the split.
        """
        for split in ("train", "test"):
            if not getattr(self, split):
                raise ValueError(
                    f"target.shares.{split} is 0, and a study that trains needs such rows: give it"
                    " a share, or set `trains: false`"
                )


class FileTarget(Strict):
    """A file of examples.

    Rows are parted by a column where the file has one that says train, dev or test, and otherwise
    by a hash of each, near-duplicates on one side.
    """

    kind: Literal["files"]
    path: ProjectPath
    columns: TargetColumns = TargetColumns()
    splits: SplitSizes | None = Field(
        default=None, description="Rows of each split; null: all of a column's, else by `shares`."
    )
    shares: SplitShares | None = Field(
        default=None, description="Where no column parts the rows; null: its defaults."
    )
    split_seed: Seed = Field(default=0, description="Of the hash that parts and draws rows.")
    max_quarantined: float = Field(
        default=0.05, ge=0, le=1, description="A target with a larger share of bad rows fails."
    )
    allow_unread: bool = Field(
        default=False,
        description="Whether parts of the file may be missing, because it is cut or damaged.",
    )

    @model_validator(mode="after")
    def _one_measure(self) -> FileTarget:
        if self.splits is not None and self.shares is not None:
            raise ValueError("give either `splits` (numbers of rows) or `shares` of all rows")
        return self


Target = Annotated[DocstringTarget | FileTarget, Field(discriminator="kind")]
