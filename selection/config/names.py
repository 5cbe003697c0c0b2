"""Names that become asset keys, partition keys, folder names and SQL values."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationInfo

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
"""Studies, pools and embedders: what Dagster accepts in an asset key, in lower case."""

PARTITION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""Sources and budgets: safe in a path and in Dagster's partition keys (no `|`, `/`, or space)."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
PartitionName = Annotated[str, StringConstraints(pattern=PARTITION_PATTERN)]
HubId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*$")]
"""A repository of the hub, `owner/name`: no file and no folder of this machine."""
Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
"""A pinned commit of a hub repository: branches and tags move, commits do not."""


def _a_path(path: str, info: ValidationInfo) -> str:
    if info.context is not None:
        info.context.path(path)
    return path


def _a_folder(path: str, info: ValidationInfo) -> str:
    if info.context is not None:
        info.context.folder(path)
    return path


ProjectPath = Annotated[str, AfterValidator(_a_path)]
"""A file or folder of data: under the project, or under a root that it names.

`load_yaml` is told who looks at that; what is read otherwise is looked at when it is used.
"""

ProjectFolder = Annotated[str, AfterValidator(_a_folder)]
"""The same of a folder with all that is in it; also an id of the hub, which names no folder."""


class Strict(BaseModel):
    """A part of a configuration file: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
