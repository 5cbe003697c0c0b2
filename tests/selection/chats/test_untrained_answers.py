"""An answer that its row says is not to be trained on: read, kept, counted, masked and exported."""

import json
import runpy
from dataclasses import replace

import pytest
import yaml
from chats import NAMES, real_chats, tokenizer_like
from exporting import ORIGINS, rows_of, write_export
from test_formats import ANSWERED, ASKED, GPT, USER, only, read, write

from selection.chats.conversation import Conversation, Turn
from selection.export.bundle import make_bundle
from selection.export.rows import CannotExport
from selection.models.chat_lengths import chat_faults, chat_lengths
from selection.models.chat_tokens import TRAIN_ON, chat_tokens
from selection.models.rendered import AnswerCut, cut_chat

SHOWN = "A slip."
SAID = Conversation(
    (
        Turn("user", ASKED),
        Turn("assistant", SHOWN, trained=False),
        Turn("user", "And again?"),
        Turn("assistant", ANSWERED),
    )
)
SYSTEM = {"role": "system", "content": "Be brief."}


def row(no: dict, yes: dict, beside: dict) -> dict:
    """The conversation, with what says that its answers are not trained on, or are."""
    slip, again = GPT | {"content": SHOWN} | no, USER | {"content": "And again?"}
    return {"messages": [USER | beside, slip, again | beside, GPT | yes]}


WAYS = {
    "OpenAI's weight": row({"weight": 0}, {"weight": 1}, {}),
    "a weight of every turn": row({"weight": 0}, {"weight": 1}, {"weight": 0}),
    "a number with a point": row({"weight": 0.0}, {}, {}),
    "axolotl's train": row({"train": False}, {"train": True}, {}),
    "axolotl's training": row({"training": False}, {}, {"training": False}),
    "two names": row({"training": False, "weight": 0}, {}, {"weight": None}),
    "ShareGPT's turns": {
        "conversations": [
            {"from": "human", "value": ASKED, "weight": 0},
            {"from": "gpt", "value": SHOWN, "weight": 0},
            {"from": "human", "value": "And again?", "weight": 0},
            {"from": "gpt", "value": ANSWERED, "weight": 1},
        ]
    },
}


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "csv"])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_known_by_every_name_in_every_container(tmp_path, way, ending):
    record = only(read(write(tmp_path / f"a.{ending}", WAYS[way])))
    assert record.turns == SAID.to_json()
    assert Conversation.from_json(record.turns) == SAID
    learnt = only(read(write(tmp_path / "b.jsonl", row({}, {}, {}))))
    assert (learnt.text, learnt.row_id != record.row_id) == (record.text, True)


def test_a_system_prompt_of_weight_0_is_one_and_none_is_trained_on(tmp_path):
    chat = [USER, GPT]
    weighted = {"messages": [SYSTEM | {"weight": 0}, *chat]}
    plain = only(read(write(tmp_path / "a.jsonl", {"messages": [SYSTEM, *chat]})))
    assert only(read(write(tmp_path / "b.jsonl", weighted))).row_id == plain.row_id
    [bad] = read(write(tmp_path / "c.jsonl", {"messages": [SYSTEM | {"train": True}, *chat]}))
    assert bad.reason.startswith("not an answer: turn 1 of 'messages' (system)")


@pytest.mark.parametrize("marked", ["", "_marked"])
@pytest.mark.parametrize("name", NAMES)
def test_no_token_of_it_is_trained_on_and_all_others_are_as_before(name, marked):
    tokenizer = tokenizer_like(name, written=f"{name}{marked}")
    for chat in real_chats(6):
        answers = [place for place, turn in enumerate(chat.turns) if turn.role == "assistant"]
        for place in answers:
            turns = list(chat.turns)
            turns[place] = replace(turns[place], trained=False)
            before = chat_tokens(chat, tokenizer, row="r")
            after = chat_tokens(replace(chat, turns=tuple(turns)), tokenizer, row="r")
            assert before.ids == after.ids
            shown = before.answers[answers.index(place)]
            for train_on in TRAIN_ON:
                mask = before.loss_mask(train_on)
                mask[shown.start : shown.end] = [0] * (shown.end - shown.start)
                assert after.loss_mask(train_on) == mask


def test_a_last_answer_that_is_not_trained_on_leaves_nothing_to_the_last_alone():
    tokenizer = tokenizer_like("chatml")
    turns = (*SAID.turns[2:], Turn("user", "And?"), Turn("assistant", SHOWN, trained=False))
    said = Conversation(turns)
    lengths = chat_lengths(["r"], [said.to_json()], tokenizer, 512)
    assert chat_faults(lengths, "assistant").tolist() == [""]
    assert chat_faults(lengths, "last_assistant").tolist() == ["answer_cut"]
    tokens = chat_tokens(said, tokenizer, row="r")
    assert cut_chat(tokens, 512, "assistant").measured_text == ANSWERED
    with pytest.raises(AnswerCut, match="set `train_on: assistant`"):
        cut_chat(tokens, 512, "last_assistant")


@pytest.mark.parametrize("wanted", ["original", "messages", "sharegpt"])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_exported_and_both_trainers_leave_it_out(tmp_path, way, wanted):
    rows = rows_of(write(tmp_path / "rows.jsonl", WAYS[way]), tmp_path)
    out = write_export(tmp_path / "out", make_bundle(rows, ORIGINS, wanted=wanted).files)
    [line] = (out / "train.jsonl").read_text().splitlines()
    assert only(read(out / "train.jsonl")).turns == SAID.to_json()
    [of_rows] = yaml.safe_load((out / "axolotl.yaml").read_text())["datasets"]
    turns = next(cell for cell in json.loads(line).values() if isinstance(cell, list))
    assert turns[1][of_rows["message_field_training"]] in (0, False)
    script = runpy.run_path(str(out / "train_trl.py"), run_name="script")
    example = script["example"](json.loads(line))
    assert not script["all_trained"](example), "TRL's own mask would have it"
    tokenizer = tokenizer_like("chatml")
    found = script["with_masks"](example, tokenizer)
    assert found["input_ids"] == chat_tokens(SAID, tokenizer, row="r").ids
    pairs = zip(found["input_ids"], found["assistant_masks"], strict=True)
    learnt = tokenizer.decode([token for token, mask in pairs if mask])
    assert ANSWERED in learnt and SHOWN not in learnt


def test_names_that_differ_from_row_to_row_are_beyond_axolotl(tmp_path):
    ways = (WAYS["OpenAI's weight"], WAYS["axolotl's train"] | {"id": 1})
    rows = rows_of(write(tmp_path / "rows.jsonl", *map(other, ways, "ab")), tmp_path)
    bundle = make_bundle(rows, ORIGINS, wanted="original")
    assert "train_trl.py" in bundle.files and "axolotl.yaml" not in bundle.files
    assert "axolotl.yaml" in make_bundle(rows, ORIGINS, wanted="messages").files


def other(way: dict, word: str) -> dict:
    """The same with another question."""
    first, *rest = way["messages"]
    return way | {"messages": [first | {"content": f"{ASKED} {word}"}, *rest]}


def test_a_format_without_a_place_for_it_is_refused(tmp_path):
    rows = rows_of(write(tmp_path / "rows.jsonl", WAYS["OpenAI's weight"]), tmp_path)
    able = "original, messages, sharegpt, prompt-completion, text"
    with pytest.raises(CannotExport, match=f"answer is not to be trained on.*{able}"):
        make_bundle(rows, ORIGINS, wanted="alpaca")
