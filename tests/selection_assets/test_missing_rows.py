"""A source or target with missing rows is not passed on, and says where and what to do."""

import gzip
import json
import os
from pathlib import Path

import dagster as dg
import pytest
from bad_files import incompressible_rows
from small_project import Project

CORPUS, TARGET = dg.AssetKey(["library", "raw_corpus"]), dg.AssetKey(["small", "target_examples"])


def materialize(project: Project, key: dg.AssetKey, partition: str | None = None):
    """Make one asset as Dagster does; return what its checks found by name."""
    with project.instance() as instance:
        if partition is not None:
            instance.add_dynamic_partitions("library_source", [partition])
        job = project.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            asset_selection=[key],
            partition_key=partition,
            instance=instance,
            raise_on_error=False,
        )
        return {check.check_name: check for check in result.get_asset_check_evaluations()}


def fact(check, name: str):
    """What a check says of itself."""
    return check.metadata[name].value


def failed(checks) -> list[str]:
    """Those that say something of the rows; how few there are is another matter."""
    return [name for name, one in checks.items() if not one.passed and name != "verdicts_narrow"]


def test_a_cut_file_is_not_passed_on_until_the_pool_names_its_source(project: Project) -> None:
    packed = gzip.compress(incompressible_rows(4000))
    (project.root / "drop/cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    checks = materialize(project, CORPUS, "cut")
    assert checks["quarantine_share"].passed and not checks["complete"].passed
    [part] = fact(checks["complete"], "first_unread")
    assert part.startswith("cut.jsonl.gz:")
    assert part.endswith("truncated gz stream (nobody knows how many rows)")
    assert "add 'cut' to `allow_unread` of the pool" in fact(checks["complete"], "remedy")
    assert project.ledger.current("library/raw_corpus", "cut") is None

    pool = project.root / "studies/pools/library.yaml"
    pool.write_text(pool.read_text() + "allow_unread: [cut]\n")
    assert materialize(project, CORPUS, "cut")["complete"].passed
    kept = project.ledger.current("library/raw_corpus", "cut")
    assert 1000 < kept.table("rows.parquet").num_rows < 3000


def test_a_folder_of_which_shards_are_refused_or_empty_is_not_passed_on(project: Project) -> None:
    parts = project.root / "drop/parts"
    parts.mkdir()
    (parts / "1.jsonl").write_bytes(incompressible_rows(2000))
    (parts / "2.jsonl").touch()
    (parts / "3.jsonl.crdownload").write_bytes(incompressible_rows(2000))
    os.mkfifo(parts / "4.jsonl")
    (parts / "_SUCCESS").touch()
    checks = materialize(project, CORPUS, "parts")
    assert checks["quarantine_share"].passed and not checks["complete"].passed
    first = fact(checks["complete"], "first_unread")
    assert [part.partition(": ")[0] for part in first] == [
        "2.jsonl:0",
        "3.jsonl.crdownload:0",
        "4.jsonl:0",
    ]
    assert project.ledger.current("library/raw_corpus", "parts") is None


def file_target(project: Project, rows: list[dict[str, object]]) -> Path:
    """Give the small study a target in a file."""
    path = project.root / "studies/small.yaml"
    head, tail = path.read_text().split("target:\n")
    target = {
        "kind": "files",
        "path": "target.jsonl",
        "splits": {"train": 8, "dev": 1, "test": 2},
    }
    path.write_text(f"{head}target: {json.dumps(target)}\n{tail[tail.index('embedder:') :]}")
    file = project.root / "target.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def good(count: int = 40) -> list[dict[str, object]]:
    splits = ("train", "dev", "test")
    return [
        {"text": f"example {i}", "label": "ab"[i % 2], "split": splits[i % 3]} for i in range(count)
    ]


def test_a_target_names_the_rows_that_are_no_examples(project: Project) -> None:
    odd = {"text": "of no split", "label": "a", "split": "validation"}
    file_target(project, [*good(), odd])
    checks = materialize(project, TARGET)
    assert failed(checks) == []
    kept = project.ledger.current("small/target_examples", "all")
    [bad] = kept.table("quarantine.parquet").to_pylist()
    assert (bad["origin"], bad["reason"].split(":")[0]) == ("target.jsonl:41", "unknown split")


@pytest.mark.parametrize(
    ("rows", "failing", "said"),
    [
        (
            [{"text": f"odd {i}", "label": "a", "split": "val"} for i in range(8)],
            "quarantine_share",
            "share",
        ),
        (
            [{"text": "odd", "label": "A ", "split": "dev"}],
            "labels_written_one_way",
            "labels",
        ),
    ],
)
def test_a_target_with_too_many_of_them_is_not_passed_on(project: Project, rows, failing, said):
    file_target(project, [*good(), *rows])
    checks = materialize(project, TARGET)
    assert failed(checks) == [failing]
    assert fact(checks[failing], said)
    assert project.ledger.current("small/target_examples", "all") is None


def test_a_cut_target_is_not_passed_on_unless_that_is_allowed(project: Project) -> None:
    with file_target(project, good()).open("a") as file:
        file.write('{"text": "ends wi')
    checks = materialize(project, TARGET)
    assert failed(checks) == ["complete"]
    [part] = fact(checks["complete"], "first_unread")
    assert part.startswith("target.jsonl:41: file ends within a row")
    study = project.root / "studies/small.yaml"
    study.write_text(
        study.read_text().replace('"kind": "files"', '"kind": "files", "allow_unread": true')
    )
    assert materialize(project, TARGET)["complete"].passed
