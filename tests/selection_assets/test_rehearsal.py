"""What could not run is said before anything is paid for: all of it, with the remedy."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import selection
from hub_model import write_tasks
from small_project import Project, enter
from smallest_study import NAME

from selection.models.base import load_tokenizer

Change = Callable[[Project, Path], None]


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest study, of which nothing has run."""
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


def study_with(**changes: Any) -> Change:
    """Change fields of the study; `a__b` is field b of a."""

    def change(project: Project, _: Path) -> None:
        path = project.root / f"studies/{NAME}.yaml"
        content = yaml.safe_load(path.read_text())
        for field, value in changes.items():
            *parents, last = field.split("__")
            part = content
            for parent in parents:
                part = part[parent]
            part[last] = value
        path.write_text(yaml.safe_dump(content))

    return change


def target_with(change_row: Callable[[int, dict], dict], **changes: Any) -> Change:
    """Change every row of the target, and fields of the study."""

    def change(project: Project, model: Path) -> None:
        path = project.root / "target.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        changed = [change_row(number, row) for number, row in enumerate(rows)]
        path.write_text("".join(json.dumps(row) + "\n" for row in changed))
        study_with(**changes)(project, model)

    return change


def labelled(number: int, row: dict) -> dict:
    return row | {"label": None if number == 3 else "ab"[number % 2]}


def answered(number: int, row: dict) -> dict:
    question = "Why? " * (90 if number == 3 else 1)
    return {"prompt": question, "response": f"word {number}", "split": row["split"]}


def pretrained(**changes: Any) -> Change:
    """Start from a model's folder, `model` in the project."""

    def change(project: Project, model: Path) -> None:
        shutil.copytree(model, project.root / "base")
        base = {"kind": "pretrained", "model": "base", "sequence_length": 64} | changes
        study_with(base_model=base)(project, model)

    return change


def with_a_new_pad_token(project: Project, model: Path) -> None:
    pretrained()(project, model)
    tokenizer = load_tokenizer(project.root / "base")
    tokenizer.add_special_tokens({"pad_token": "<new>"})
    tokenizer.save_pretrained(project.root / "base")


def with_pickled_weights(project: Project, model: Path) -> None:
    pretrained()(project, model)
    for path in (project.root / "base").glob("*.safetensors"):
        path.unlink()
    (project.root / "base/pytorch_model.bin").write_bytes(b"\x80\x04}.")


def with_half_its_weights(project: Project, model: Path) -> None:
    pretrained()(project, model)
    path = min((project.root / "base").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_width(project: Project, model: Path) -> None:
    pretrained()(project, model)
    path = project.root / "base/config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"intermediate_size": content["intermediate_size"] * 2}))


def with_a_list_for_its_configuration(project: Project, model: Path) -> None:
    pretrained()(project, model)
    (project.root / "base/config.json").write_text("[]")


def with_half_a_tokenizer(project: Project, model: Path) -> None:
    pretrained()(project, model)
    path = project.root / "base/tokenizer.json"
    path.write_bytes(path.read_bytes()[:1000])


def without_tokenizer(project: Project, model: Path) -> None:
    pretrained()(project, model)
    (project.root / "base/tokenizer.json").unlink()


def harness(**fields: Any) -> Change:
    def change(project: Project, model: Path) -> None:
        write_tasks(project.root / "tasks")
        (project.root / "tasks/away.yaml").write_text("task: away\ndataset_path: some/data\n")
        study_with(evaluation={"harness": fields})(project, model)

    return change


LABEL = {"label": "label", "split": "split"}
ANSWERS = {"label": None, "split": "split", "prompt": "prompt", "response": "response"}
TARGET = "target__columns"
STOPS: dict[str, tuple[Change, list[str]]] = {
    "a label is null": (
        target_with(labelled, **{TARGET: LABEL}),
        [
            "1 x no label: column 'label' is null or blank",
            "target.jsonl:4",
            "`target.columns.label`",
        ],
    ),
    "an answer begins after the window": (
        target_with(answered, **{TARGET: ANSWERS, "base_model__sequence_length": 128}),
        ["rendering: 1 of 40 rows do not fit", "target.jsonl:4", "base_model.sequence_length"],
    ),
    "a row has a label and a response": (
        target_with(lambda n, r: answered(n + 9, r) | {"label": "a"}, **{TARGET: ANSWERS | LABEL}),
        ["target.jsonl:1: give a label or a response, not both", "`target.columns`"],
    ),
    "the target's text is in another column": (
        target_with(lambda _, r: {"body": r["text"], "split": r["split"]}),
        ["40 x no known format: name its columns, such as `columns: {text: body}`; the row has"],
    ),
    "the target has another split": (
        target_with(lambda _, r: r | {"split": r["split"].replace("dev", "validation")}),
        ["12 x unknown split: column 'split' is 'validation'; write 'dev'"],
    ),
    "the window is larger than the model": (
        pretrained(sequence_length=4096),
        ["base_model.sequence_length is 4,096 and the model has 128 positions", "at most"],
    ),
    "padding lies outside the embeddings": (
        with_a_new_pad_token,
        ["its padding token '<new>' has the id", "`resize_token_embeddings`"],
    ),
    "weights are pickled": (with_pickled_weights, ["holds no *.safetensors", "save_pretrained"]),
    "weights are cut off": (with_half_its_weights, ["is not safetensors, or is damaged"]),
    "weights are of another model": (of_another_width, ["of shape [", "they are of two models"]),
    "the configuration is a list": (
        with_a_list_for_its_configuration,
        ["base cannot be loaded (", "fetch or save the model again"],
    ),
    "half of the tokenizer is there": (with_half_a_tokenizer, ["base cannot be loaded ("]),
    "there is no tokenizer": (without_tokenizer, ["has no tokenizer.json"]),
    "the embedder reads more than it can": (
        study_with(embedder__model__max_tokens=64),
        ["embedder.model.max_tokens is 64 and the model has 32 positions"],
    ),
    "a source to be excluded is not there": (
        study_with(base_model__exclude_sources=["news"]),
        ["base_model.exclude_sources: news: no such source; the pool has asyncio, email"],
    ),
    "a task's rows are pinned to nothing": (
        harness(tasks=["away"], include_path="tasks"),
        ["evaluation.harness: task away reads the data set 'some/data' at no pinned commit"],
    ),
    "the folder of tasks is not there": (
        harness(tasks=["fill_in"], include_path="nowhere"),
        ["nowhere is no folder; `include_path` must lead to task files"],
    ),
}


@pytest.mark.parametrize("fault", STOPS)
def test_what_could_not_run_is_said_with_its_remedy_and_nothing_is_spent(
    fault, project, hub_files, figures
):
    change, said = STOPS[fault]
    change(project, hub_files)
    for command in (["run", NAME, "--dry-run"], ["plan", NAME, "--json"]):
        result = selection(*command)
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit)
        for part in said:
            assert part in result.stderr
    assert project.ledger.query("SELECT * FROM spend") == []
    assert project.ledger.current_identities() == {}
    figures.record("P14", faults_found_before_anything_ran=1)


def test_a_run_stops_at_everything_that_is_wrong_at_once(project, hub_files):
    STOPS["a label is null"][0](project, hub_files)
    study_with(embedder__model__max_tokens=64, base_model__exclude_sources=["news"])(
        project, hub_files
    )
    result = selection("run", NAME)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 5
    for part in ("nothing is spent", "1 x no label", "max_tokens is 64", "no such source"):
        assert part in result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines() if "embedder" in line] == [
        "wrong",
        "most",
    ]
    assert project.ledger.query("SELECT * FROM spend") == []


def test_what_is_as_it_should_be_is_shown_and_nothing_is_made(project, hub_files):
    write_tasks(project.root / "tasks")
    tasks = {"harness": {"tasks": ["fill_in"], "include_path": "tasks"}}
    base = {"kind": "pretrained", "model": "base", "sequence_length": 64}
    pretrained()(project, hub_files)
    study_with(evaluation=tasks, base_model=base)(project, hub_files)
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.endswith(" ok")]
    assert [row[0] for row in rows] == [
        *("sources", "target", "base_model", "base_model:", "base_model:", "embedder"),
        "evaluation.harness",
    ]
    assert "would materialize first" in result.stdout
    assert project.ledger.current_identities() == {}


def test_a_hub_model_that_is_not_here_is_said_to_be_fetched_and_is_not(project, hub_files):
    hub = {"model": "some-lab/never-seen", "revision": "a" * 40}
    base = {"kind": "pretrained", "sequence_length": 64} | hub
    study_with(base_model=base)(project, hub_files)
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "some-lab/never-seen@aaaaaaaaaaaa: not here, would be fetched from the hub" in (
        result.stdout
    )


def test_a_source_that_cannot_be_used_is_named_with_its_reasons_and_the_rest_is_taken(project):
    rows = [{"body": "Hello."}] * 9
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (project.root / "drop/chats.jsonl").write_text(text)
    (project.root / "drop/empty.jsonl").write_text("")
    (project.root / "drop/broken.parquet").write_bytes(b"PAR1 and no more")
    whole = "".join(json.dumps({"text": f"Row {number}."}) + "\n" for number in range(25))
    (project.root / "drop/cut.jsonl").write_text(whole[:-3])
    (project.root / "drop/cut_and_allowed.jsonl").write_text(whole[:-3])
    pool = project.root / "studies/pools/shelf.yaml"
    pool.write_text(f"{pool.read_text()}\nallow_unread: [cut_and_allowed]\n")
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 2
    assert "it would do without 3 of its sources" in result.stderr
    for said in (
        "source chats: no row can be used: 9 x no known format: name its columns, such as"
        " `columns: {text: body}`; the row has 'body', and known are messages; ",
        "empty.jsonl: ",
        "source broken: no row can be used: 1 x unreadable Parquet",
        "bring the file whole and readable, or add 'broken' to `allow_unread` of the pool",
        "source cut: rows are missing: 1 x file ends within a row: ",
        "first at cut.jsonl:25; bring the file whole and readable, or add 'cut' to `allow_unread`",
        "the first 32 rows of each of 3: text",
        "would materialize first",
    ):
        assert said in result.stdout
