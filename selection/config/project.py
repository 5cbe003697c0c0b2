"""What a project's own file, `project.yaml`, may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selection.config.names import Strict


class LocalEngine(Strict):
    """Processes of this machine."""

    kind: Literal["local"] = "local"
    workers: int | None = Field(
        default=None, ge=1, le=1_024, description="How many; as many as processors unless said."
    )


class ProjectFile(Strict):
    """The file beside `studies/`; without it, everything that a study reads is in the project."""

    engine: LocalEngine = Field(
        default_factory=LocalEngine,
        description="Where work is done that needs no device, such as counting words.",
    )
    roots: list[str] = Field(
        default_factory=list,
        description="Folders outside the project that its configuration may name paths under;"
        " relative ones start at the project's folder.",
    )
