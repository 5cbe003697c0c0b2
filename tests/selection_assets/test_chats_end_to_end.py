"""A pool of conversations and texts, and a target of conversations, from files to a report."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chats import messages_of, real_chats
from command_line import selection
from shared_builds import built_once
from small_project import Project, docstring_lines, enter
from smallest_study import NAME, STUDY
from told_fates import told_fates

from selection.arms.target import to_examples
from selection.chats.conversation import Conversation
from selection.models.base import load_model, load_tokenizer
from selection.models.chat_tokens import chat_tokens
from selection.models.evaluation import evaluate
from selection.models.packing import padded_widths

LONGEST = 256
LONG_QUESTION = {"role": "user", "content": "why? " * 400}


def write_chats(root: Path) -> None:
    """Conversations and texts in the pool, one whose answer does not fit, and a target of both."""
    for file in root.glob("drop/*.jsonl"):
        file.unlink()
    chats = [messages_of(chat) for chat in real_chats(48)]
    cut = [LONG_QUESTION, {"role": "assistant", "content": "Because nothing of it fits."}]
    lines = [{"messages": said} for said in [*chats[:32], cut]]
    texts = docstring_lines("email").splitlines(keepends=True)[:24]
    (root / "drop/said.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "drop/written.jsonl").write_text("".join(texts))
    splits = [split for split in ("train", "dev", "test") for _ in range(5)]
    rows = [
        {"messages": said, "split": split} for said, split in zip(chats[32:], splits, strict=False)
    ]
    (root / "target.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = STUDY.replace("{train: 12, dev: 12, test: 16}", "{train: 5, dev: 5, test: 5}")
    study = study.replace("sequence_length: 16", f"sequence_length: {LONGEST}")
    study = study.replace("vocabulary: 300", "vocabulary: 500").replace("{batch_size: 32}", "{}")
    (root / "studies/least.yaml").write_text(study)


@pytest.fixture(scope="module")
def finished_root(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(root: Path) -> None:
        shutil.copytree(fresh, root)
        write_chats(root)
        for _ in enter(Project(root)):
            result = selection("run", NAME)
            assert result.exit_code == 0, result.output

    return built_once(tmp_path_factory, "chats", build)


@pytest.fixture
def project(finished_root: Path) -> Iterator[Project]:
    yield from enter(Project(finished_root))


def one(project, asset, partition=""):
    versions = project.ledger.current_versions(asset)
    return versions[partition] if partition else next(iter(versions.values()))


def test_rows_cost_what_is_computed_and_the_report_says_what_is_learnt_from(project):
    subset = one(project, f"{NAME}/selected_subset", "40pct|random").table("subset.parquet")
    trained = one(project, f"{NAME}/finetuned_checkpoint", "40pct|random")
    tokenizer = load_tokenizer(trained.path("seed_0"))
    assert "<|im_start|>" in str(tokenizer.chat_template)  # saved with the model
    chosen = [row for row in subset.to_pylist() if row["draw"] == 0]
    chats = [row for row in chosen if row["turns"] is not None]
    assert chats and len(chats) < len(chosen)
    computed = learnt = 0
    for row in chats:
        found = chat_tokens(Conversation.from_json(row["turns"]), tokenizer, row=row["row_id"])
        [width] = padded_widths(np.array([min(len(found.ids), LONGEST)]), LONGEST)
        assert row["n_tokens"] == width
        computed += width
        learnt += sum(found.loss_mask("assistant")[:LONGEST])
    texts = sum(row["n_tokens"] for row in chosen if row["turns"] is None)
    seed = trained.json("training.json")["seeds"][0]
    assert seed["warm_up_tokens_computed"] == computed + texts
    blocks = -(-texts // LONGEST)  # nothing predicts the first token of a block
    assert seed["warm_up_tokens_trained"] == learnt + texts - blocks
    arm = one(project, f"{NAME}/selected_subset", "40pct|random").json("arm.json")
    assert computed + texts <= arm["token_budget"]
    assert seed["warm_up_flops"] <= arm["training_flops"]
    report = one(project, f"{NAME}/eval_report", "40pct|random")
    assert report.json("report.json")["training_tokens"]["warm_up_tokens_trained"] >= learnt
    assert "warm_up_tokens_trained" in report.path("report.md").read_text()


def test_a_row_whose_answer_is_cut_away_is_set_aside_and_never_trained_on(project):
    said = one(project, "shelf/raw_corpus", "said").table("rows.parquet").to_pylist()
    [cut] = [row["row_id"] for row in said if "nothing of it fits" in row["text"]]
    counted = one(project, "shelf/tiny/pool_tokens", "said").table("tokens.parquet").to_pylist()
    [of_cut] = [row for row in counted if row["row_id"] == cut]
    assert of_cut["n_answers"] == 0 < of_cut["n_cut"]
    for arm, subset in project.ledger.current_versions(f"{NAME}/selected_subset").items():
        fates = told_fates(project.ledger, subset)
        assert {row["fate"] for row in fates if row["row_id"] == cut} == {"answer_cut"}, arm
    full = one(project, f"{NAME}/reference_report", "full_data").table("rows.parquet")
    fates = told_fates(project.ledger, one(project, f"{NAME}/selected_subset", "40pct|random"))
    fate_of = {row["row_id"]: row["fate"] for row in fates if row["draw"] == 0}
    assert len(fate_of) == 1 + 32 + 24
    left_out = {row for row, fate in fate_of.items() if fate in ("answer_cut", "too_long")}
    assert cut in left_out and len(left_out) > 1
    assert set(full["row_id"].to_pylist()) == fate_of.keys() - left_out


def test_the_target_is_measured_on_the_tokens_of_its_answers(project):
    rows = one(project, f"{NAME}/target_examples").table("rows.parquet")
    examples = to_examples(rows, "test", train_on="assistant")
    folder = one(project, f"{NAME}/finetuned_checkpoint", "40pct|random").path("seed_0")
    tokenizer = load_tokenizer(folder)
    losses = one(project, f"{NAME}/eval_report", "40pct|random").table("examples.parquet")
    of_seed = {row["row_id"]: row for row in losses.to_pylist() if row["seed"] == 0}
    again = evaluate(load_model(folder), tokenizer, examples, max_length=LONGEST, device="cpu")
    for place, example in enumerate(examples):
        assert example.turns is not None
        found = chat_tokens(Conversation.from_json(example.turns), tokenizer, row="r")
        kept = [range(a.start, min(a.said, LONGEST)) for a in found.answers]
        row = of_seed[example.row_id]
        assert row["n_tokens"] == sum(map(len, kept))
        assert row["n_read"] == max(part.stop for part in kept if part) - 1
        assert row["nll"] == pytest.approx(again.nll[place], abs=1e-4)


def test_a_window_too_short_for_any_answer_is_said_before_anything_is_trained(
    finished_root, tmp_path
):
    root = Path(shutil.copytree(finished_root, tmp_path / "short"))
    study = root / f"studies/{NAME}.yaml"
    study.write_text(study.read_text().replace(f"length: {LONGEST}", "length: 16"))
    (root / "drop/written.jsonl").unlink()
    target = docstring_lines("http").splitlines()[:15]
    splits = [split for split in ("train", "dev", "test") for _ in range(5)]
    rows = [json.loads(line) | {"split": split} for line, split in zip(target, splits, strict=True)]
    (root / "target.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for _ in enter(Project(root)):
        result = selection("run", NAME)
        assert result.exit_code == 1
        assert "none of the pool's 33 rows can be trained on: 33 answer_cut" in result.stderr
        assert "raise `base_model.sequence_length`" in result.stderr
