"""Names that become asset keys, partition keys, folder names and SQL values; and what any value is.

Every number of a configuration has a least and a most and every text and list an end: what lies
beyond could only be a slip, and would take the machine.
"""

from __future__ import annotations

from typing import Annotated, Any

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
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
"""A path, a column's name, or what something is called elsewhere."""


def distinct(what: str) -> AfterValidator:
    """Refuse a list that has something twice; `what` names one of its members."""

    def check(values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError(f"{what} is given twice")
        return values

    return AfterValidator(check)


def _a_path(path: str, info: ValidationInfo) -> str:
    if info.context is not None:
        info.context.path(path)
    return path


def _a_folder(path: str, info: ValidationInfo) -> str:
    if info.context is not None:
        info.context.folder(path)
    return path


ProjectPath = Annotated[Text, AfterValidator(_a_path)]
"""A file or folder of data: under the project, or under a root that it names.

`load_yaml` is told who looks at that; what is read otherwise is looked at when it is used.
"""

ProjectFolder = Annotated[Text, AfterValidator(_a_folder)]
"""The same of a folder with all that is in it; also an id of the hub, which names no folder."""


class Strict(BaseModel):
    """A part of a configuration file.

    Unknown fields are errors, values never change, and none is taken for another kind of value: a
    `true` is no 1, and a number is finite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
