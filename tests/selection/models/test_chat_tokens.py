"""A conversation is tokenized as its template says, and its answers are found in any template."""

from dataclasses import replace

import pytest
from chats import (
    NAMES,
    SPECIAL,
    chat,
    messages_of,
    real_chats,
    tokenizer_like,
)
from hypothesis import given
from hypothesis import strategies as st

from selection.chats.conversation import Turn, canonical
from selection.models.chat_template import TemplateRefusal, own_template, write_chat
from selection.models.chat_tokens import chat_tokens
from selection.models.tokenizer import train_tokenizer

ASKED = chat("What is a\nloop?", "A loop repeats.", "And a task?", "  A task waits. ")
CLOSES = {"chatml": "<|im_end|>\n", "llama3": "<|eot_id|>", "gemma": "<end_of_turn>\n"}
CLOSES |= {"mistral": "</s>"}


def answers_of(conversation, tokenizer):
    """What each answer is, as text, with what ends it."""
    found = chat_tokens(conversation, tokenizer, row="r")
    return [tokenizer.decode(found.ids[one.start : one.end]) for one in found.answers]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_transformers_and_answers_those_of_its_marks(name):
    """The same template with marks of generation says independently where the answers are."""
    stock, marked = tokenizer_like(name), tokenizer_like(name, written=f"{name}_marked")
    for conversation in [*real_chats(12), ASKED]:
        theirs = marked.apply_chat_template(
            messages_of(conversation), return_dict=True, return_assistant_tokens_mask=True
        )
        for tokenizer in (stock, marked):
            found = chat_tokens(conversation, tokenizer, row="r")
            assert found.ids == theirs["input_ids"]
            assert found.loss_mask("assistant") == theirs["assistant_masks"]
            last = found.loss_mask("last_assistant")
            assert last == [
                mask * (place >= found.answers[-1].start)
                for place, mask in enumerate(theirs["assistant_masks"])
            ]
            assert found.loss_mask("all") == [0] + [1] * (len(found.ids) - 1)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_trained_on_with_its_end_and_measured_without(name):
    tokenizer = tokenizer_like(name)
    found = chat_tokens(ASKED, tokenizer, row="r")
    said = [tokenizer.decode(found.ids[a.start : a.said]).strip() for a in found.answers]
    assert said == ["A loop repeats.", "A task waits."]
    assert all(answer.endswith(CLOSES[name]) for answer in answers_of(ASKED, tokenizer))
    assert ["".join(answer.texts) for answer in found.answers] in (
        ["A loop repeats.", "A task waits."],  # this template trims
        ["A loop repeats.", "  A task waits. "],
        [" A loop repeats.", "   A task waits. "],  # this one writes a space before them
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_somebody_says_never_becomes_a_special_token(name):
    special = [*SPECIAL[name], "<pad>"]
    hostile = "".join(special)
    tokenizer = tokenizer_like(name)
    honest, injected = chat("Why?", "So."), chat(f"Why?{hostile}", f"{hostile}So.{special[-2]}")
    numbers = set(tokenizer.convert_tokens_to_ids(special))
    found = chat_tokens(injected, tokenizer, row="r")
    assert [i for i in found.ids if i in numbers] == [
        i for i in chat_tokens(honest, tokenizer, row="r").ids if i in numbers
    ]
    # It is all there, as text.
    assert tokenizer.decode(found.ids).count(special[0]) == 2 + (name != "chatml")


PIECES = st.sampled_from([*SPECIAL["chatml"], "hello", " ", "\n", "é", "<|im_", "end|>", "?"])
SAYINGS = st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(str.strip)
CHATS = st.lists(st.tuples(SAYINGS, SAYINGS), min_size=1, max_size=3)


@given(CHATS, st.none() | SAYINGS)
def test_whatever_is_said_the_answers_are_found_and_are_all_that_is_trained_on(pairs, system):
    tokenizer = tokenizer_like("chatml")
    said = replace(chat(*(text for pair in pairs for text in pair)), system=system)
    found = chat_tokens(said, tokenizer, row="r")
    texts = [tokenizer.decode(found.ids[a.start : a.end]) for a in found.answers]
    assert texts == [f"{answer}<|im_end|>\n" for _, answer in pairs]
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert found.ids.count(end) == 2 * len(pairs) + (system is not None)
    assert sum(found.loss_mask("assistant")) == sum(a.end - a.start for a in found.answers)


def test_a_template_that_changes_earlier_answers_keeps_them_found():
    """Qwen 3 leaves out earlier thoughts, and thinks nothing where the last answer does not."""
    thinking = chat("One?", "<think>\nhm\n</think>\n\n1", "Two?", "2")
    tokenizer = tokenizer_like("chatml", written="forgetful")
    assert answers_of(thinking, tokenizer) == [
        "1<|im_end|>\n",
        "<think>\n\n</think>\n\n2<|im_end|>\n",
    ]


def test_a_template_that_moves_the_system_prompt_keeps_earlier_answers_found():
    """Mistral writes it before the last question."""
    told = chat("One?", "1", "Two?", "2", system="Count.")
    tokenizer = tokenizer_like("mistral", written="mistral_system_last")
    written = write_chat(told, tokenizer)
    assert written.text == "<s>[INST] One?[/INST] 1</s>[INST] Count.\n\nTwo?[/INST] 2</s>"
    first, last = (written.text[start:end] for start, end in written.answers)
    assert (first, last) == ("1</s>", " 2</s>")


def test_a_tokenizer_without_a_template_writes_plain_chatml_that_no_text_can_end():
    tokenizer = train_tokenizer(["some text to begin with"] * 3, vocab_size=300)
    assert not own_template(tokenizer)
    calls = canonical([{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}])
    told = replace(chat("Hi<|im_end|>", "Yes<|endoftext|>"), system="Be.", tools='[{"name":"f"}]')
    told = replace(told, turns=(*told.turns, Turn("user", "so"), Turn("assistant", "", calls)))
    assert write_chat(told, tokenizer).text == (
        '<|im_start|>tools\n[{"name": "f"}]<|endoftext|>\n'
        "<|im_start|>system\nBe.<|endoftext|>\n"
        "<|im_start|>user\nHi<|im_end|><|endoftext|>\n"
        "<|im_start|>assistant\nYes<|endoftext|><|endoftext|>\n"
        "<|im_start|>user\nso<|endoftext|>\n"
        "<|im_start|>assistant\n"
        '[{"function": {"arguments": {"a": 1}, "name": "f"}, "type": "function"}]<|endoftext|>\n'
    )
    found = chat_tokens(told, tokenizer, row="r")
    assert found.ids.count(tokenizer.eos_token_id) == 6  # one for each turn and the tools
    assert own_template(tokenizer)  # what is saved with a model says how it was trained


def test_a_template_that_refuses_a_row_or_leaves_out_its_system_prompt_is_a_reason():
    told = chat("Hi.", "Yes.", system="Be kind.")
    with pytest.raises(TemplateRefusal, match="refuses it: System role not supported"):
        chat_tokens(told, tokenizer_like("gemma"), row="r")
    silent = tokenizer_like("mistral", written="mistral_system_last")
    silent.chat_template = silent.chat_template.replace("system_message + '\\n\\n' + ", "")
    with pytest.raises(TemplateRefusal, match="leaves out the system prompt"):
        chat_tokens(told, silent, row="r")


def test_a_template_that_leaves_an_answer_out_is_a_reason_and_one_that_hides_it_an_error():
    called = chat("Hi.", "Yes.", "Do it.", "x")
    call = Turn("assistant", "", canonical([{"function": {"name": "f", "arguments": {}}}]))
    called = replace(called, turns=(*called.turns[:-1], call))
    with pytest.raises(TemplateRefusal, match="leaves out what answer 2 says"):
        chat_tokens(called, tokenizer_like("chatml"), row="r")
    odd = tokenizer_like("chatml")
    odd.chat_template = (
        "{% for m in messages %}{{ m['content'] | upper }}{{ loop.length }}{% endfor %}"
    )
    with pytest.raises(ValueError, match=r"row r7: turn 2, an answer, is nowhere .*upper"):
        chat_tokens(chat("Hi.", "Yes.", "No.", "Why."), odd, row="r7")
