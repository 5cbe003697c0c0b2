"""A project whose sources are a line each, for tests in which the text does not matter."""

import json
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster_homes import write_dagster_home
from small_project import POOL, STUDY, Project

SOURCES = ("asyncio", "email")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def write_tiny_project(root: Path) -> Project:
    """Write studies, Dagster home and two sources of one row."""
    for folder in ("studies/pools", "drop", "dagster_home"):
        (root / folder).mkdir(parents=True)
    write_dagster_home(root)
    (root / "studies/pools/library.yaml").write_text(POOL)
    (root / "studies/small.yaml").write_text(STUDY)
    project = Project(root)
    for name in SOURCES:
        drop(project, f"{name}.jsonl", f"What there is to say about {name}.")
    return project


def drop(project: Project, name: str, *texts: str) -> Path:
    """Put a file of rows into the watched folder."""
    path = project.root / "drop" / name
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    partition: str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run one asset in this process."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[key],
        partition_key=partition,
        instance=instance,
        tags=dict(tags or {}),
        run_config=QUIET,
        raise_on_error=False,
    )
