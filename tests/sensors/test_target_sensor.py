"""The sensor of a study, over the file or package that its target is."""

import json
from pathlib import Path

import yaml
from small_project import Project
from ticks import CONTRAST, TARGET, launch, tick


def watch_a_file(project: Project) -> Path:
    """Give the small study a target in a file."""
    path = project.root / "studies/small.yaml"
    head, tail = path.read_text().split("target:\n")
    rest = tail[tail.index("embedder:") :]
    target = (
        "target:\n  kind: files\n  path: target.jsonl\n"
        "  columns: {label: null, split: split}\n  splits: {train: 1, dev: 1, test: 2}\n"
    )
    path.write_text(head + target + rest)
    return project.root / "target.jsonl"


def write_target(path: Path, note: str) -> None:
    splits = ("train", "dev", "test", "test")
    rows = [{"text": f"{note} number {i}", "split": split} for i, split in enumerate(splits)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_changed_target_is_read_once(project, instance):
    path = watch_a_file(project)
    write_target(path, "an example")
    first = tick("watch_small_target", instance)
    launch(first, TARGET, instance)
    before = project.ledger.current("small/target_examples", "all").version
    assert tick("watch_small_target", instance).skip_message == "unchanged: target.jsonl"

    write_target(path, "a different example")
    second = tick("watch_small_target", instance, first.cursor)
    assert len(second.run_requests) == 1
    launch(second, TARGET, instance)
    assert project.ledger.current("small/target_examples", "all").version != before
    assert not tick("watch_small_target", instance, second.cursor).run_requests


def test_a_target_that_is_a_package_is_watched_too(project, instance):
    first = tick("watch_small_target", instance)
    assert len(first.run_requests) == 1
    assert tick("watch_small_target", instance, first.cursor).skip_message == "unchanged: http"


def test_a_study_whose_target_is_absent_is_skipped_with_the_path(project, instance):
    path = watch_a_file(project)
    answer = tick("watch_small_target", instance)
    assert not answer.run_requests
    assert f"study small: {path} is not there" in answer.skip_message


def add_a_contrast(project: Project) -> Path:
    """Give the small study a contrast in a file, and a method that weighs it."""
    path = project.root / "studies/small.yaml"
    study = yaml.safe_load(path.read_text())
    study["contrast"] = {
        "kind": "files",
        "path": "contrast.jsonl",
        "columns": {"label": None, "split": "split"},
        "splits": {"train": 1, "dev": 1, "test": 2},
    }
    study["methods"] = {"random": None, "ot": {"contrast_weight": 1.0}}
    path.write_text(yaml.safe_dump(study))
    return project.root / "contrast.jsonl"


def test_a_changed_contrast_is_read_once(project, instance):
    path = add_a_contrast(project)
    write_target(path, "text to be unlike")
    first = tick("watch_small_contrast", instance)
    launch(first, CONTRAST, instance)
    before = project.ledger.current("small/contrast_examples", "all").version
    assert tick("watch_small_contrast", instance).skip_message == "unchanged: contrast.jsonl"

    write_target(path, "other text to be unlike")
    second = tick("watch_small_contrast", instance, first.cursor)
    assert len(second.run_requests) == 1
    launch(second, CONTRAST, instance)
    assert project.ledger.current("small/contrast_examples", "all").version != before
    assert not tick("watch_small_contrast", instance, second.cursor).run_requests


def test_a_study_whose_contrast_is_absent_is_skipped_with_the_path(project, instance):
    path = add_a_contrast(project)
    answer = tick("watch_small_contrast", instance)
    assert not answer.run_requests
    assert f"study small: {path} is not there" in answer.skip_message
