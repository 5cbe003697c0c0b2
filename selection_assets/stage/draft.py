"""What an asset function returns."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from resources.store.artifacts import Content
from selection_assets.stage.metadata import metadata


@dataclass(frozen=True)
class Check:
    """Outcome of one check of a stage; a failure blocks what comes after unless it only warns."""

    name: str
    passed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    only_warns: bool = False

    def result(self) -> dg.AssetCheckResult:
        """Return it as Dagster takes it."""
        severity = dg.AssetCheckSeverity.WARN if self.only_warns else dg.AssetCheckSeverity.ERROR
        return dg.AssetCheckResult(
            passed=bool(self.passed),
            check_name=self.name,
            metadata=metadata(self.facts),
            severity=severity,
        )


@dataclass(frozen=True)
class Draft:
    """What an asset function returns.

    Attributes
    ----------
    files : name to content, for `ArtifactStore.stage`.
    rows : how many rows or examples it holds.
    flops, accountant : what was computed, and who counted.
    resumed_flops : part of it that an earlier, interrupted attempt had computed.
    facts : shown in the UI; never part of the content.
    checks : one outcome for each check that the stage declares.
    """

    files: Mapping[str, Content]
    rows: int
    flops: float = 0.0
    accountant: str = "none"
    resumed_flops: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = ()


def emptied(folder: Path) -> Path:
    """Return an empty folder: what a killed attempt left half-written there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
