"""A target whose test split asks what its train split answers is used, and it is said."""

import json

import dagster as dg
import yaml
from small_project import Project
from test_missing_rows import fact, materialize

TARGET = {
    "kind": "files",
    "path": "target.jsonl",
    "columns": {"split": "split"},
    "splits": {"train": 2, "dev": 1, "test": 3},
}


def test_prompts_that_stand_in_test_and_train_are_reported_with_the_first(project: Project):
    rows = [
        ("train", "Which package writes logs?", "It is called logging, since it logs."),
        ("train", "Which package reads mail?", "The package email reads it."),
        ("dev", "Which package runs tasks?", "That one is asyncio."),
        ("test", "which package writes logs", "Logging is the one that does."),
        ("test", "Which package serves pages?", "The package http serves them."),
        ("test", "Which package counts?", "The package collections counts."),
    ]
    (project.root / "target.jsonl").write_text(
        "".join(
            json.dumps({"split": split, "prompt": prompt, "response": response}) + "\n"
            for split, prompt, response in rows
        )
    )
    path = project.root / "studies/small.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"target": TARGET}))
    check = materialize(project, dg.AssetKey(["small", "target_examples"]))["prompts_unseen"]
    assert not check.passed and check.severity is dg.AssetCheckSeverity.WARN
    assert fact(check, "rows") == 1
    [shared] = fact(check, "shared")
    assert shared.endswith(": which package writes logs")
    assert project.ledger.current("small/target_examples", "all") is not None
