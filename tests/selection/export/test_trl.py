"""TRL's trainer takes ten steps on every exported format, by the script that lies beside it."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import datasets
import pytest
from exporting import ORIGINS, rows_of, write_export
from transformers import AutoTokenizer

from selection.export.bundle import make_bundle
from selection.export.formats import CONTAINERS, FORMATS
from selection.models.base import new_model, save_checkpoint, tiny_config
from selection.models.tokenizer import train_tokenizer

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "reads")


def said(number: int, words: int) -> str:
    return " ".join(WORDS[(number + i) % len(WORDS)] for i in range(words))


def as_messages(number: int) -> list[dict]:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": f"{number}: {said(number, 5)}?"},
        {"role": "assistant", "content": said(number + 1, 4)},
        {"role": "user", "content": f"{said(number, 3)}?"},
        {"role": "assistant", "content": said(number + 2, 6)},
    ]
    return turns


def with_calls(number: int) -> dict:
    call = {"type": "function", "function": {"name": "f", "arguments": {f"x{number % 3}": number}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    asked, *_, answered = as_messages(number)[1:]
    calls = {"role": "assistant", "content": "", "tool_calls": [call]}
    told = {"role": "tool", "content": said(number, 3), "name": "f"}
    return {
        "messages": [asked, calls, told, answered] if number % 2 else [asked, answered],
        "tools": tools,
        "id": number,
    }


ORIGINALS = {
    "messages": with_calls,
    "sharegpt": lambda i: {
        "conversations": [
            {"from": "human", "value": f"{i} {said(i, 4)}"},
            {"from": "function_call", "value": json.dumps({"name": "f", "arguments": {"x": i}})},
            {"from": "observation", "value": said(i, 3)},
            {"from": "gpt", "value": said(i, 5)},
        ],
        "system": "Be brief.",
        "id": i,
    },
    "alpaca": lambda i: {"instruction": f"{i} {said(i, 4)}", "input": "x", "output": said(i, 5)},
    "preference": lambda i: {
        "prompt": f"{i} {said(i, 4)}",
        "chosen": said(i, 5),
        "rejected": said(i, 2),
    },
    "prompt-completion": lambda i: {"prompt": f"{i} {said(i, 4)}", "completion": said(i, 5)},
    "question-answer": lambda i: {"question": f"{i} {said(i, 4)}", "answer": said(i, 5)},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder without a chat template, as a base model is."""
    tokenizer = train_tokenizer([" ".join(WORDS)] * 9, vocab_size=300)
    sizes = {"width": 16, "layers": 1, "heads": 2, "ffn_width": 32, "sequence_length": 256}
    decoder = new_model(tiny_config("llama", vocabulary=len(tokenizer), **sizes), seed=0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_checkpoint(decoder, tokenizer, folder)
    return folder


def train(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Run the script; what the trainer noted of its steps."""
    given = ["--model", str(model), "--output", str(folder / "trained"), "--max-steps", "10"]
    given += ["--batch-size", "2", "--max-length", "256", "--learning-rate", "1e-2"]
    monkeypatch.setattr(sys, "argv", ["train_trl.py", *given])
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    runpy.run_path(str(folder / "train_trl.py"), run_name="__main__")
    [state] = folder.glob("trained/checkpoint-*/trainer_state.json")
    return json.loads(state.read_text())


def check(state: dict) -> None:
    assert state["global_step"] == 10
    losses = [step["loss"] for step in state["log_history"] if "loss" in step]
    assert len(losses) == 10 and all(loss > 0 for loss in losses)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("wanted", FORMATS)
def test_ten_steps_on_every_format(wanted, container, model, tmp_path, monkeypatch):
    lines = [json.dumps({"messages": as_messages(i)}) for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path)
    bundle = make_bundle(rows, ORIGINS, wanted=wanted, container=container)
    check(train(write_export(tmp_path / "out", bundle.files), model, monkeypatch))


@pytest.mark.parametrize("name", ORIGINALS)
def test_ten_steps_on_rows_as_they_came(name, model, tmp_path, monkeypatch):
    lines = [json.dumps(ORIGINALS[name](i)) for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path)
    assert {row.format for row in rows} == {name}
    bundle = make_bundle(rows, ORIGINS)
    assert bundle.how == f"as they came: all are {name}"
    check(train(write_export(tmp_path / "out", bundle.files), model, monkeypatch))


TEMPLATES = Path(__file__).parents[1] / "models" / "chat_templates"


def with_template(model: Path, folder: Path, template: str) -> Path:
    """The same decoder with a chat template."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(shutil.copytree(model, folder))
    return folder


def export_messages(folder: Path) -> Path:
    lines = [json.dumps({"messages": as_messages(i)[1:]}) for i in range(24)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    rows = rows_of(folder / "rows.jsonl", folder)
    return write_export(folder / "out", make_bundle(rows, ORIGINS).files)


OF_NOBODY = (
    "{% for m in messages %}[{{ m.role | upper }}] {{ m.content }}{{ eos_token }}{% endfor %}"
)
OF_NOBODY += "{% if add_generation_prompt %}[ASSISTANT] {% endif %}"


@pytest.mark.parametrize("name", ["chatml", "llama3", "mistral", "gemma"])
def test_masks_without_marks_are_those_of_the_same_template_with_them(name, model, tmp_path):
    script = runpy.run_path(str(export_messages(tmp_path) / "train_trl.py"), run_name="script")
    tokenizer = AutoTokenizer.from_pretrained(model)
    messages = as_messages(3)[1:]
    tokenizer.chat_template = (TEMPLATES / f"{name}.jinja").read_text()
    found = script["with_masks"]({"messages": messages}, tokenizer)
    tokenizer.chat_template = (TEMPLATES / f"{name}_marked.jinja").read_text()
    marked = tokenizer.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    n = len(found["input_ids"])
    assert found["input_ids"] == marked["input_ids"][:n]
    pairs = zip(found["assistant_masks"], marked["assistant_masks"][:n], strict=True)
    other = [place for place, (ours, theirs) in enumerate(pairs) if ours != theirs]
    # What a template writes between two turns is of neither.
    assert not tokenizer.decode([found["input_ids"][place] for place in other]).strip()
    assert sum(marked["assistant_masks"][n:]) == 0


def test_ten_steps_on_rows_of_which_some_answers_are_not_trained_on(model, tmp_path, monkeypatch):
    rows = [as_messages(i) for i in range(24)]
    for number, messages in enumerate(rows):  # a table of them has nulls where nothing is said
        messages[2 + 2 * (number % 2)] |= {"weight": 0} if number % 3 else {}
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps({"messages": messages}) for messages in rows)
    )
    kept = rows_of(tmp_path / "rows.jsonl", tmp_path)
    bundle = make_bundle(kept, ORIGINS, container="parquet")
    check(train(write_export(tmp_path / "out", bundle.files), model, monkeypatch))


def test_ten_steps_with_a_template_that_trl_does_not_know(model, tmp_path, monkeypatch):
    own = with_template(model, tmp_path / "own", OF_NOBODY)
    check(train(export_messages(tmp_path), own, monkeypatch))


def test_a_template_that_rewrites_earlier_turns_is_told_what_to_do(model, tmp_path, monkeypatch):
    own = with_template(model, tmp_path / "own", (TEMPLATES / "forgetful.jinja").read_text())
    with pytest.raises(SystemExit, match="--format prompt-completion"):
        train(export_messages(tmp_path), own, monkeypatch)


def test_rows_whose_answers_are_cut_away_are_counted(model, tmp_path, monkeypatch, capsys):
    lines = [json.dumps(ORIGINALS["alpaca"](i)) for i in range(24)]
    lines[5] = json.dumps({"instruction": said(5, 400), "output": "no room"})
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path)
    check(
        train(write_export(tmp_path / "out", make_bundle(rows, ORIGINS).files), model, monkeypatch)
    )
    assert "1 of 24 rows have nothing of an answer within 256 tokens" in capsys.readouterr().out
