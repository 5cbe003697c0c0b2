"""A pool: the sources of candidate rows that several studies share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from selection.config.addresses import BUCKETS, HUB, WEB, remote_address
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
    """Which columns of a file hold what; None where a column is called as its field, or is absent.

    What a row holds is found by looking, in any of the formats of `selection.chats.formats`. Once
    one of their fields is named here, only formats that need a named one are looked for.
    """

    text: Text | None = None
    messages: Text | None = None
    conversations: Text | None = None
    chosen: Text | None = None
    rejected: Text | None = None
    instruction: Text | None = None
    input: Text | None = None
    output: Text | None = None
    history: Text | None = None
    prompt: Text | None = None
    completion: Text | None = None
    response: Text | None = None
    question: Text | None = None
    answer: Text | None = None
    system: Text | None = None
    tools: Text | None = None
    licence: Text | None = None
    label: Text | None = None
    split: Text | None = None

    def column_of(self, field: str) -> str:
        """Return the column of a field."""
        return getattr(self, field) or field

    def columns_named(self) -> dict[str, str]:
        """Return field -> column, of those that are named."""
        return {field: column for field, column in self if column is not None}

    def columns_about(self) -> dict[str, str]:
        """Return the same of the fields that say something about a row, not what it is."""
        return {field: column for field, column in self.columns_named().items() if field in ABOUT}


ABOUT = ("licence", "label", "split")
"""Fields about a row: read only from columns that are named, but for its licence."""

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
    split: Text | None = Field(
        default=None,
        description="Split of a data set that `datasets` saved to disk; `train`, or its only one,"
        " when absent.",
    )
    columns: ColumnNames = DEFAULT_COLUMNS

    @model_validator(mode="after")
    def _one_naming(self) -> FileSources:
        if self.split is not None and self.name is None:
            raise ValueError("`split` goes with `name`: one source for each split")
        if (self.name is None) == (self.split_by is None):
            raise ValueError("give either `name` (one source) or `split_by` (one source a value)")
        return self


OneSourcePer = Literal["file", "folder", "pool"]


class DropFolder(Strict):
    """A watched folder: what is dropped into it becomes sources."""

    kind: Literal["drop_folder"]
    path: ProjectPath = Field(description="Relative paths start at the project's folder.")
    settle_seconds: float = Field(
        default=10.0,
        ge=0,
        le=86_400,
        description="A file is read when nothing of it has changed for so long; 0 reads at once.",
    )
    one_source_per: OneSourcePer = Field(
        default="file",
        description="`file`: each file or sub-folder is a source. `folder`: each sub-folder, and"
        " the files beside them together. `pool`: all of it. Files that are together are named"
        " after the folder; thousands of small ones cost the steps of one source, and are read"
        " again together when one changes.",
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


class RemoteSource(Strict):
    """Files in a bucket, on the hub, or at a web address: one source."""

    kind: Literal["remote"]
    name: PartitionName
    address: Text = Field(
        description="`s3://bucket/folder/*.parquet`, or of another bucket (`gs://`, `az://`), of"
        " the hub (`hf://datasets/...`) or of the web (`https://`): a file, a folder or a pattern."
        " Who may read it is said by the environment alone."
    )
    columns: ColumnNames = DEFAULT_COLUMNS

    @field_validator("address")
    @classmethod
    def _leads_away(cls, address: str) -> str:
        return remote_address(address, (*BUCKETS, HUB, *WEB))


SourceSpec = Annotated[
    DocstringSources | FileSources | DropFolder | HubSource | RemoteSource,
    Field(discriminator="kind"),
]

AWAY = (HubSource, RemoteSource)
"""Of which even to look at a row is to fetch it."""


Part = Literal["all", "prompt", "response"]
"""Of a conversation."""


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
    look_at: Part = Field(
        default="all",
        description="The part of a conversation that selection compares; training sees all of it.",
    )
    memory_mib: int = Field(
        default=256,
        ge=1,
        le=2**30,
        description="What rows of one source take in memory while it is read; more wait on disk.",
    )
    max_shrinkage: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A refresh that loses a larger share of a source's rows is not passed on; "
        "1 lets any pass.",
    )
