"""What a pool's conversations cost and which cannot be trained on is known before training."""

from dataclasses import replace

import numpy as np
import pytest
from chats import chat, real_chats, tokenizer_like

from selection.models.chat_lengths import chat_faults, chat_lengths
from selection.models.chat_tokens import TRAIN_ON
from selection.models.examples import Example, render_all, render_parts
from selection.models.packing import fill_rows
from selection.models.rendered import AnswerCut, render_chat

TOKENIZER = tokenizer_like("chatml")
LONGEST = 200
LONG = chat("Why? " * 300, "So.")
SHORT_THEN_LONG = chat("Why?", "So.", "And? " * 300, "Because.")


def lengths_of(conversations, tokenizer=TOKENIZER):
    said = [each.to_json() for each in conversations]
    return chat_lengths([f"r{i}" for i in range(len(said))], said, tokenizer, LONGEST)


def example(conversation, train_on="assistant"):
    return Example("r", conversation.text, turns=conversation.to_json(), train_on=train_on)


def test_they_are_what_training_computes_on_and_learns_from():
    found = lengths_of(real_chats(12))
    for train_on, fitting in (("assistant", found.answers), ("last_assistant", found.last_answers)):
        usable = np.flatnonzero(chat_faults(found, train_on) == "")
        examples = [example(real_chats(12)[i], train_on) for i in usable]
        rendered, n_cut = render_all(examples, TOKENIZER, LONGEST)
        assert n_cut == (found.cut[usable] > 0).sum()
        rows = fill_rows(None, rendered, longest=LONGEST, pad_id=0)
        assert [len(ids) for ids, _ in rows.rows] == found.computed[usable].tolist()
        assert [sum(mask) for _, mask in rendered] == fitting[usable].tolist()


def test_a_row_whose_answers_are_cut_away_whole_is_set_aside_and_refused_in_training():
    found = lengths_of([LONG, SHORT_THEN_LONG, chat("Why?", "So.")])
    assert chat_faults(found, "assistant").tolist() == ["answer_cut", "", ""]
    assert chat_faults(found, "all").tolist() == ["answer_cut", "", ""]
    assert chat_faults(found, "last_assistant").tolist() == ["answer_cut", "answer_cut", ""]
    for train_on in TRAIN_ON:
        with pytest.raises(AnswerCut, match=r"begins after \d+ tokens, and max_length=200"):
            render_chat(LONG.to_json(), TOKENIZER, LONGEST, row="r", train_on=train_on)
    with pytest.raises(ValueError, match=r"row r: its answer begins after .*raise max_length"):
        render_parts(example(SHORT_THEN_LONG, "last_assistant"), TOKENIZER, LONGEST)


def test_a_row_that_its_template_refuses_has_no_tokens_and_a_reason():
    told = replace(chat("Why?", "So."), system="Be kind.")
    found = lengths_of([told, chat("Why?", "So.")], tokenizer_like("gemma"))
    assert chat_faults(found, "assistant").tolist() == ["template_refuses", ""]
    assert found.computed[0] == 0 < found.computed[1]
    assert found.refused == ["the template refuses it: System role not supported", ""]


def test_what_is_measured_is_all_answers_without_their_ends_even_where_one_is_cut():
    conversation = chat("Why?", "So it is.", "And then?", "Nothing more of it, " * 40)
    parts = render_parts(example(conversation), TOKENIZER, LONGEST)
    assert len(parts.ids) == LONGEST and parts.n_truncated > 0
    first, end = parts.measured
    said = [parts.ids[i] for i in range(first, end) if i not in parts.between]
    assert TOKENIZER.decode(said) == parts.measured_text
    assert parts.measured_text.startswith("So it is.Nothing more of it, Nothing")
    assert parts.n_measured == len(said) and parts.n_read == LONGEST - 1
    assert sum(parts.loss_mask) == len(said) + 2  # the first one's end, and its line break
