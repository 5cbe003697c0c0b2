"""What a project's own file, `project.yaml`, may say."""

from __future__ import annotations

from pydantic import Field

from selection.config.names import Strict


class ProjectFile(Strict):
    """The file beside `studies/`; without it, everything that a study reads is in the project."""

    roots: list[str] = Field(
        default_factory=list,
        description="Folders outside the project that its configuration may name paths under;"
        " relative ones start at the project's folder.",
    )
