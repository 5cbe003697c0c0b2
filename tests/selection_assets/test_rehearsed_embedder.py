"""An embedder that could not be used is found before anything is paid for, whatever its fault."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import selection
from small_project import Project, enter
from smallest_study import NAME

Change = Callable[[Path], None]


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest study, of which nothing has run; its embedder lies in `model`."""
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


def without(*names: str) -> Change:
    def change(model: Path) -> None:
        for name in names:
            (model / name).unlink(missing_ok=True)

    return change


def with_file(name: str, content: object) -> Change:
    def change(model: Path) -> None:
        (model / name).write_text(json.dumps(content))

    return change


def configured(name: str = "config.json", **fields: object) -> Change:
    def change(model: Path) -> None:
        content = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps(content | fields))

    return change


def with_a_pipe(model: Path) -> None:
    (model / "config.json").unlink()
    os.mkfifo(model / "config.json")


def without_pooling(model: Path) -> None:
    shutil.rmtree(model / "1_Pooling")


def with_a_module_that_is_code(model: Path) -> None:
    modules = json.loads((model / "modules.json").read_text())
    modules[1]["type"] = "os.system"
    (model / "modules.json").write_text(json.dumps(modules))


def with_half_a_tokenizer(model: Path) -> None:
    content = (model / "tokenizer.json").read_bytes()
    (model / "tokenizer.json").write_bytes(content[: len(content) // 2])


LOADED = "model cannot be loaded ("
FAULTS: dict[str, tuple[Change, str]] = {
    "no tokenizer": (
        without("tokenizer.json", "vocab.txt"),
        "has no tokenizer, so that every word is unknown",
    ),
    "an adapter": (
        with_file("adapter_config.json", {"base_model_name_or_path": "../elsewhere"}),
        "model is a LoRA adapter, which names another model to load: merge it first",
    ),
    "a module elsewhere": (
        with_file("modules.json", [{"path": "../base", "type": "a.Transformer"}]),
        "modules.json names what does not lie in",
    ),
    "a module that is code": (with_a_module_that_is_code, LOADED),
    "no pooling": (without_pooling, LOADED),
    "a tokenizer of something else": (with_file("tokenizer.json", {"a": 1}), LOADED),
    "half a tokenizer": (with_half_a_tokenizer, LOADED),
    "a list for a tokenizer's configuration": (with_file("tokenizer_config.json", []), LOADED),
    "a list for a configuration": (with_file("config.json", []), LOADED),
    "nothing for a configuration": (with_file("config.json", {}), LOADED),
    "a pipe for a configuration": (with_a_pipe, "config.json is no regular file"),
    "positions that are no number": (
        configured(max_position_embeddings="abc"),
        "max_position_embeddings is 'abc', no number",
    ),
    "an unknown kind of model": (configured(model_type="xyz"), LOADED),
    "another width than its weights": (configured(hidden_size=32), LOADED),
    "heads that do not part its width": (configured(num_attention_heads=3), LOADED),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_named_with_its_folder_and_nothing_is_spent(fault, project, figures):
    change, said = FAULTS[fault]
    change(project.root / "model")
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert f"embedder: {project.root / 'model'}" in result.stderr
    assert said in result.stderr
    assert "trust_remote_code" not in result.stderr
    assert project.ledger.query("SELECT * FROM spend") == []
    figures.record("P14", faults_found_before_anything_ran=1)


def test_one_that_knows_no_word_of_the_target_is_named(project):
    path = project.root / "target.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [row | {"text": "\ua66e" * (number + 1)} for number, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in changed))
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 2
    said = "embedder: its tokenizer knows no part of 32 of the first 32 rows of the target"
    assert said in result.stderr
