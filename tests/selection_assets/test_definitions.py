"""The quickstart's asset graph as text, so that a change of it is seen in review.

After a change that is meant, run this file's test with `SELECTION_WRITE_SNAPSHOTS=1`.
"""

import os

import dagster as dg
import pytest
from places import REPOSITORY

from selection_assets.definitions import build_definitions
from selection_assets.studies import load_study

SNAPSHOT = REPOSITORY / "tests" / "snapshots" / "quickstart_graph.txt"
PREFIXES = {"quickstart", "docstrings"}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


def describe_graph(definitions: dg.Definitions) -> str:
    """One paragraph an asset: group, pool, partitions, what it reads and what checks it."""
    graph = definitions.resolve_asset_graph()
    paragraphs = []
    for key in sorted(graph.materializable_asset_keys, key=lambda key: key.to_user_string()):
        if key.path[0] not in PREFIXES:
            continue
        node = graph.get(key)
        pool = node.assets_def.op.pool
        parts = [key.to_user_string(), f"  group {node.group_name}"]
        parts += [f"  pool {pool}"] if pool else []
        parts += [f"  partitions {describe_partitions(node.partitions_def)}"]
        parts += [
            f"  reads {name}" for name in sorted(p.to_user_string() for p in node.parent_keys)
        ]
        parts += [f"  check {check.name}" for check in sorted(node.check_keys)]
        parts += ["  refreshes itself"] if node.automation_condition else []
        paragraphs.append("\n".join(parts))
    return "\n\n".join(paragraphs) + "\n"


def describe_partitions(definition: dg.PartitionsDefinition | None) -> str:
    if definition is None:
        return "none"
    if isinstance(definition, dg.DynamicPartitionsDefinition):
        return f"dynamic {definition.name}"
    if isinstance(definition, dg.MultiPartitionsDefinition):
        dimensions = definition.partitions_defs
        return " x ".join(
            f"{d.name} ({', '.join(d.partitions_def.get_partition_keys())})" for d in dimensions
        )
    return f"static ({', '.join(definition.get_partition_keys())})"


def test_the_quickstart_s_graph_is_the_one_that_was_reviewed(definitions):
    described = describe_graph(definitions)
    if os.environ.get("SELECTION_WRITE_SNAPSHOTS"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(described, encoding="utf-8")
    assert described == SNAPSHOT.read_text(encoding="utf-8")


def test_the_definitions_pass_dagster_s_own_validation(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_every_study_file_gives_rise_to_its_assets(definitions):
    keys = definitions.resolve_asset_graph().materializable_asset_keys
    studies = REPOSITORY / "studies"
    for path in studies.glob("*.yaml"):
        last = "pareto_frontier" if load_study(path.stem).trains else "training_file"
        assert dg.AssetKey([path.stem, last]) in keys


def test_a_project_without_studies_has_no_study_assets(project):
    (project.root / "studies/small.yaml").unlink()
    keys = project.definitions.resolve_asset_graph().materializable_asset_keys
    assert {key.to_user_string() for key in keys} == {"library/raw_corpus"}
