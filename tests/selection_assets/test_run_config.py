"""Whoever may launch a run sets nothing of the project: no store, no step and no device."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._config import ConfigType
from small_project import Project, enter
from tiny_project import QUIET, write_tiny_project

LOGGERS = {("loggers", "console", "config", name) for name in ("log_level", "name")}
"""What may be set: how much a run's log says."""


@pytest.fixture
def tiny(tmp_path) -> Iterator[Project]:
    yield from enter(write_tiny_project(tmp_path / "project"))


def settable(schema: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Places of a run's configuration that take a value."""
    if not hasattr(schema, "fields"):
        yield place
        return
    for name, field in schema.fields.items():
        yield from settable(field.config_type, (*place, name))


def schema_of(job: dg.JobDefinition) -> ConfigType:
    return job.run_config_schema.run_config_schema_type


def test_a_run_s_configuration_sets_how_much_its_log_says_and_nothing_else(figures, tiny):
    jobs = tiny.definitions.resolve_all_job_defs()
    assert jobs
    for job in jobs:
        schema: Any = schema_of(job)
        assert set(settable(schema)) == LOGGERS
        figures.record(
            "P12",
            parts_of_run_configs_without_a_setting=len(schema.fields["ops"].config_type.fields),
        )


@pytest.mark.parametrize(
    "config",
    [
        {"resources": {"workspace": {"config": {"root": "elsewhere"}}}},
        {"resources": {"workspace": {"config": {"cap": 1e30}}}},
        {"resources": {"artifacts": {"config": {"workspace": {"root": "elsewhere"}}}}},
        {"resources": {"io_manager": {"config": {"base_dir": "elsewhere"}}}},
        {"resources": {"device": {"config": {"precision": "bfloat16"}}}},
        {"ops": {"small__target_examples": {"config": {"path": "elsewhere"}}}},
        {"execution": {"config": {"start_method": {"forkserver": {"preload_modules": ["x"]}}}}},
    ],
    ids=lambda config: "-".join(config),
)
def test_a_run_that_would_set_more_is_refused_and_nothing_runs(figures, tiny, config):
    job = tiny.definitions.resolve_implicit_global_asset_job_def()
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, config)
    figures.record("P12", run_configs_refused=1)


def test_a_run_that_names_another_store_is_refused_and_makes_none(tiny, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    config = {"resources": {"workspace": {"config": {"root": str(elsewhere)}}}}
    job = tiny.definitions.resolve_implicit_global_asset_job_def()
    with tiny.instance() as instance, pytest.raises(dg.DagsterInvalidConfigError, match="root"):
        job.execute_in_process(
            asset_selection=[dg.AssetKey(["small", "target_examples"])],
            instance=instance,
            run_config=QUIET | config,
        )
    assert tiny.ledger.current_identities() == {}
    assert not elsewhere.exists()
