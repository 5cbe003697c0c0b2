"""Targets: what a study trains for, split into train, dev and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from selection.config.names import PartitionName, ProjectPath, Strict
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


class FileTarget(Strict):
    """A file of examples with their own split column (train, dev, test)."""

    kind: Literal["files"]
    path: ProjectPath
    columns: ColumnNames = ColumnNames(label="label", split="split")
    splits: SplitSizes
    max_quarantined: float = Field(
        default=0.05, ge=0, le=1, description="A target with a larger share of bad rows fails."
    )
    allow_unread: bool = Field(
        default=False,
        description="Whether parts of the file may be missing, because it is cut or damaged.",
    )

    @field_validator("columns")
    @classmethod
    def _has_splits(cls, columns: ColumnNames) -> ColumnNames:
        if columns.split is None:
            raise ValueError("a target file needs `split`: the column that says train, dev or test")
        return columns


Target = Annotated[DocstringTarget | FileTarget, Field(discriminator="kind")]
