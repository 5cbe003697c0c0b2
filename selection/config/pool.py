"""A pool: the sources of candidate rows that several studies share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from selection.config.names import (
    HubId,
    Name,
    PartitionName,
    ProjectPath,
    Revision,
    Strict,
    Text,
    distinct,
)
from selection.config.passages import PassageWords


class ColumnNames(Strict):
    r"""Which columns of a file hold what; None where it has no such column.

    A row without ``text`` but with ``prompt`` and ``response`` gets
    ``prompt + "\n\n" + response`` as its text.
    """

    text: Text = "text"
    prompt: Text | None = None
    response: Text | None = None
    licence: Text | None = None
    label: Text | None = None
    split: Text | None = None

    def optional(self) -> dict[str, str]:
        """Return field of a record -> column, for the named columns other than the text."""
        named = {field: column for field, column in self if field != "text"}
        return {field: column for field, column in named.items() if column is not None}


DEFAULT_COLUMNS = ColumnNames()


class DocstringSources(PassageWords):
    """The prose of installed packages' docstrings, one source a package."""

    kind: Literal["docstrings"]
    packages: Annotated[list[PartitionName], distinct("a package")] = Field(
        min_length=1, max_length=1_000, description="Import names, all installed."
    )


class FileSources(Strict):
    """A file or folder: one source for the whole of it, or one for each value of a column."""

    kind: Literal["files"]
    path: ProjectPath = Field(description="Relative paths start at the project's folder.")
    name: PartitionName | None = Field(default=None, description="The one source's name.")
    split_by: Text | None = Field(default=None, description="Column whose values name the sources.")
    columns: ColumnNames = DEFAULT_COLUMNS

    @model_validator(mode="after")
    def _one_naming(self) -> FileSources:
        if (self.name is None) == (self.split_by is None):
            raise ValueError("give either `name` (one source) or `split_by` (one source a value)")
        return self


class DropFolder(Strict):
    """A watched folder: every file or sub-folder dropped into it is one source."""

    kind: Literal["drop_folder"]
    path: ProjectPath = Field(description="Relative paths start at the project's folder.")
    settle_seconds: float = Field(
        default=10.0,
        ge=0,
        le=86_400,
        description="A file is read when nothing of it has changed for so long; 0 reads at once.",
    )
    columns: ColumnNames = DEFAULT_COLUMNS


class HubSource(Strict):
    """One split of a Hugging Face data set at a pinned commit."""

    kind: Literal["hub"]
    name: PartitionName
    dataset: HubId
    revision: Revision
    config: Text | None = None
    split: Text = "train"
    columns: ColumnNames = DEFAULT_COLUMNS


SourceSpec = Annotated[
    DocstringSources | FileSources | DropFolder | HubSource, Field(discriminator="kind")
]


class Pool(Strict):
    """One YAML file in `studies/pools/`."""

    name: Name
    sources: list[SourceSpec] = Field(min_length=1, max_length=1_000)
    max_quarantined: float = Field(
        default=0.05, ge=0, le=1, description="A source with a larger share of bad rows fails."
    )
    allow_unread: list[PartitionName] = Field(
        default_factory=list,
        max_length=100_000,
        description="Sources of which parts may be missing, because a file is cut or damaged.",
    )
    memory_mib: int = Field(
        default=4096, ge=1, le=2**30, description="What the rows of one source may take in memory."
    )
    max_shrinkage: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A refresh that loses a larger share of a source's rows is not passed on; "
        "1 lets any pass.",
    )
