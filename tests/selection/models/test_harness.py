"""The harness gives our models the scores that its tasks define, for tokens that were foreseen."""

import json
import random
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.budget.meter import BudgetExhausted
from selection.models import harness_tasks
from selection.models.base import new_model, tiny_config
from selection.models.harness import count_harness_passes, run_harness
from selection.models.harness_tasks import HarnessTasks
from selection.models.tokenizer import train_tokenizer

QUESTIONS = [
    "The colour of grass is",
    "Water that is cold enough turns to",
    "A dog is kept by people as",
    "The sun goes down in the",
    "What one drinks from is",
]
CHOICES = ["green", "a solid that we call ice", "a friend", "evening", "a cup or a glass"]
ROWS = [
    {"question": f"{question} ({number})", "choices": CHOICES, "gold": number % len(CHOICES)}
    for number, question in enumerate(QUESTIONS * 4)
]
TOKENIZER = train_tokenizer([*QUESTIONS, *CHOICES], vocab_size=300)
MODEL = new_model(
    tiny_config(
        "llama",
        width=16,
        layers=2,
        heads=2,
        ffn_width=32,
        vocabulary=len(TOKENIZER),
        sequence_length=64,
    ),
    seed=3,
)
MULTIPLE_CHOICE = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    "metadata": {"version": 2.5},
}
PINNED = {"revision": "0" * 40, "data_dir": "/etc"}
ROLLING = MULTIPLE_CHOICE | {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{question}}",
    "metric_list": [{"metric": "bits_per_byte"}],
}
GENERATION = {key: MULTIPLE_CHOICE[key] for key in MULTIPLE_CHOICE if key != "doc_to_choice"} | {
    "output_type": "generate_until",
    "doc_to_target": "{{choices[gold]}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8},
    "metric_list": [{"metric": "exact_match"}],
}
FEWSHOT = MULTIPLE_CHOICE | {"fewshot_split": "test"}
KINDS = {"choice": MULTIPLE_CHOICE, "rolling": ROLLING, "generation": GENERATION, "shots": FEWSHOT}


def write_tasks(folder: Path, **tasks: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, task in tasks.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **task}))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    both = {"group": "both", "task": ["choice", "rolling"]}
    made = write_tasks(tmp_path_factory.mktemp("harness") / "tasks", **KINDS)
    (made / "both.yaml").write_text(yaml.safe_dump(both))
    return made


def run(tasks: HarnessTasks, *, max_length: int = 64, **options: Any):
    return run_harness(MODEL, TOKENIZER, tasks, max_length=max_length, device="cpu", **options)


class UpTo:
    """A meter with so much room; remembers what it was asked."""

    def __init__(self, room: float) -> None:
        self.room = room
        self.charged = 0.0

    def affords(self, flops: float) -> bool:
        return self.charged + flops <= self.room

    def charge(self, flops: float) -> None:
        if not self.affords(flops):
            raise BudgetExhausted("no room")
        self.charged += flops


def log_likelihood(question: str, choice: str) -> float:
    """Of a choice after a question: one sequence at a time, without the harness."""
    context = TOKENIZER(question, add_special_tokens=False)["input_ids"]
    whole = TOKENIZER(f"{question} {choice}", add_special_tokens=False)["input_ids"]
    assert whole[: len(context)] == context
    with torch.inference_mode():
        log_p = MODEL(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return sum(float(log_p[i - 1, whole[i]]) for i in range(len(context), len(whole)))


def test_accuracies_are_those_of_the_likeliest_choice(folder):
    scores_RC = np.array(
        [[log_likelihood(row["question"], c) for c in row["choices"]] for row in ROWS]
    )
    gold = np.array([row["gold"] for row in ROWS])
    right = {
        "acc": scores_RC.argmax(axis=1) == gold,
        "acc_norm": (scores_RC / [len(c) for c in CHOICES]).argmax(axis=1) == gold,
    }
    assert not (right["acc"] == right["acc_norm"]).all()  # or the test could not tell them apart
    result = run(HarnessTasks(("choice",), folder))
    assert [score.metric for score in result.scores] == ["acc", "acc_norm"]
    for score in result.scores:
        assert score.value == pytest.approx(right[score.metric].mean())
        assert score.stderr == pytest.approx(right[score.metric].std(ddof=1) / np.sqrt(len(ROWS)))
        assert (score.task, score.filter, score.n_samples) == ("choice", "none", len(ROWS))
        assert score.version == "2.5"


def test_a_second_run_gives_the_same_and_the_callers_randomness_is_left_alone(folder):
    tasks = HarnessTasks(("shots",), folder, num_fewshot=2)
    states = random.getstate(), torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = run(tasks)
    assert run(tasks) == first
    assert random.getstate() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])
    assert (np.random.get_state()[1] == states[2]).all()


@settings(max_examples=8, deadline=None)
@given(
    names=st.lists(
        st.sampled_from(["choice", "rolling", "shots"]), min_size=1, max_size=3, unique=True
    ),
    limit=st.none() | st.integers(1, len(ROWS)),
    num_fewshot=st.none() | st.integers(0, 3),
    max_length=st.integers(20, 64),
)
def test_the_tokens_of_likelihoods_are_foreseen_exactly(
    folder, names, limit, num_fewshot, max_length
):
    shots = num_fewshot if names == ["shots"] else None
    tasks = HarnessTasks(tuple(names), folder, limit=limit, num_fewshot=shots)
    foreseen = count_harness_passes(TOKENIZER, tasks, max_length=max_length)
    assert foreseen == run(tasks, max_length=max_length).passes
    assert foreseen.tokens > 0


def test_generated_text_takes_no_more_tokens_than_foreseen(folder):
    tasks = HarnessTasks(("generation",), folder)
    foreseen = count_harness_passes(TOKENIZER, tasks, max_length=64)
    # what the model generated went through it token by token
    passes = run(tasks).passes
    for name in ("tokens", "attended", "logits"):
        assert 0 < getattr(passes, name) <= getattr(foreseen, name)


def test_requests_that_were_cut_are_counted(folder):
    tasks = HarnessTasks(("choice",), folder)
    assert run(tasks).n_truncated == 0
    longest = max(
        len(TOKENIZER(f"{r['question']} {c}")["input_ids"]) for r in ROWS for c in CHOICES
    )
    assert 0 < run(tasks, max_length=longest - 2).n_truncated < len(ROWS) * len(CHOICES)


def test_an_answer_longer_than_the_model_reads_is_refused_before_anything_runs(folder):
    with pytest.raises(ValueError, match=r"tokens and does not fit"):
        count_harness_passes(TOKENIZER, HarnessTasks(("choice",), folder), max_length=4)


def test_the_meter_is_asked_before_each_pass_and_stops_the_next_one(folder):
    tasks = HarnessTasks(("choice",), folder)
    free = UpTo(np.inf)
    whole = run(tasks, meter=free, price=lambda passes: 7.0 * passes.tokens)
    assert free.charged == 7.0 * whole.passes.tokens
    half = UpTo(free.charged / 2)
    with pytest.raises(BudgetExhausted):
        run(tasks, meter=half, price=lambda passes: 7.0 * passes.tokens)
    assert 0 < half.charged <= half.room
    # and nothing of the stopped run is left on the model
    assert run(tasks) == whole


def test_a_limit_and_a_group_do_what_they_say(folder):
    result = run(HarnessTasks(("both",), folder, limit=3))
    assert {(s.task, s.metric): s.n_samples for s in result.scores} == {
        ("choice", "acc"): 3,
        ("choice", "acc_norm"): 3,
        ("rolling", "bits_per_byte"): 3,
    }


def test_changed_rows_are_read_again(tmp_path):
    folder = write_tasks(tmp_path / "tasks", choice=MULTIPLE_CHOICE)
    tasks = HarnessTasks(("choice",), folder)
    assert run(tasks).scores[0].n_samples == len(ROWS)
    rows = folder / "rows.jsonl"
    rows.write_text("".join(line + "\n" for line in rows.read_text().splitlines()[:7]))
    assert run(tasks).scores[0].n_samples == 7


def test_functions_of_a_task_leave_nothing_beside_it(tmp_path):
    """Or its folder would look changed after its first run."""
    folder = write_tasks(tmp_path / "tasks", choice=MULTIPLE_CHOICE)
    (folder / "shout.py").write_text("def ask(row):\n    return row['question'].upper()\n")
    text = (folder / "choice.yaml").read_text()
    (folder / "choice.yaml").write_text(text.replace("'{{question}}'", "!function shout.ask"))
    before = sorted(folder.rglob("*"))
    run(HarnessTasks(("choice",), folder))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_path": "some/questions", "dataset_kwargs": None}, "no pinned commit"),
        ({"dataset_kwargs": {"data_files": "../rows.jsonl"}}, "must lie in `include_path`"),
        ({"dataset_path": "/etc", "dataset_kwargs": PINNED}, "no data set of the hub"),
        ({"dataset_path": "json", "dataset_kwargs": PINNED}, "without naming its rows"),
        ({"dataset_kwargs": {"data_files": ["/etc/hostname"]}}, "must lie in `include_path`"),
        ({"metric_list": [{"metric": "some_user/metric"}]}, "code from the hub"),
        ({"metric_list": [{"metric": "acc", "hf_evaluate": True}]}, "code from the hub"),
        ({"unsafe_code": True}, "code that a model writes"),
        ({"class": "Whatever"}, "Python class"),
    ],
)
def test_a_task_that_could_change_unnoticed_or_runs_foreign_code_is_refused(
    tmp_path, changes, message
):
    folder = write_tasks(tmp_path / "tasks", mine=MULTIPLE_CHOICE | changes)
    with pytest.raises(ValueError, match=message):
        count_harness_passes(TOKENIZER, HarnessTasks(("mine",), folder), max_length=64)


def test_a_group_cannot_hide_such_a_task(tmp_path):
    inline = MULTIPLE_CHOICE | {"task": "hidden", "dataset_kwargs": {"data_files": "../rows.jsonl"}}
    folder = write_tasks(tmp_path / "tasks")
    (folder / "g.yaml").write_text(yaml.safe_dump({"group": "g", "task": [inline]}))
    with pytest.raises(ValueError, match="must lie in `include_path`"):
        count_harness_passes(TOKENIZER, HarnessTasks(("g",), folder), max_length=64)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = write_tasks(tmp_path / "tasks", choice=MULTIPLE_CHOICE)
    (folder / "rows.jsonl").rename(tmp_path / "rows.jsonl")
    (folder / "rows.jsonl").symlink_to(tmp_path / "rows.jsonl")
    with pytest.raises(ValueError, match="must lie in `include_path`"):
        count_harness_passes(TOKENIZER, HarnessTasks(("choice",), folder), max_length=64)


def test_a_number_of_shots_that_the_task_forbids_is_refused(tmp_path):
    folder = write_tasks(tmp_path / "tasks", mine=FEWSHOT | {"num_fewshot": 0})
    tasks = HarnessTasks(("mine",), folder, num_fewshot=2)
    with pytest.raises(ValueError, match="keeps to that"):
        count_harness_passes(TOKENIZER, tasks, max_length=64)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder"):
        count_harness_passes(TOKENIZER, HarnessTasks(("a",), tmp_path / "nowhere"), max_length=64)


@pytest.mark.slow
def test_an_unknown_task_is_named_and_the_harness_own_need_pinned_data(folder):
    """One test, because reading the harness's own tasks takes long."""
    with pytest.raises(ValueError, match=r"no task nothing_like_it in lm_eval .*include_path"):
        run(HarnessTasks(("choice", "nothing_like_it"), folder))
    with pytest.raises(ValueError, match=r"'Rowan/hellaswag' at no pinned.*Rowan/hellaswag: <full"):
        run(HarnessTasks(("hellaswag",)))


def test_without_the_extra_the_remedy_is_named(folder, monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(harness_tasks, "version", missing)
    with pytest.raises(ValueError, match=r"pip install 'selection-assets\[lm-eval\]'"):
        run(HarnessTasks(("choice",), folder))
