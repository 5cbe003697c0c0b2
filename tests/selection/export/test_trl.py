"""TRL's trainer takes ten steps on every exported format, by the script that lies beside it."""

import json
import runpy
import sys
from pathlib import Path

import datasets
import pytest
from exporting import ORIGINS, rows_of, write_export

from selection.export.bundle import make_bundle
from selection.export.files import CONTAINERS
from selection.export.rows import FORMATS
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
