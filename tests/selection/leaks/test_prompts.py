"""A prompt that training shows with an answer is found in the test split, however it is written."""

from selection.leaks.held_out import TEMPLATE_ROWS
from selection.leaks.prompts import SharedPrompt, shared_prompts


def row(row_id: str, split: str, prompt: str | None) -> dict[str, str | None]:
    return {"row_id": row_id, "split": split, "prompt": prompt}


def test_the_same_prompt_with_another_answer_is_found():
    rows = [
        row("a", "train", "What is a copy?"),
        row("b", "test", "what is  a COPY"),
        row("c", "test", "What is a view?"),
        row("d", "dev", "What is a view?"),
        row("e", "test", None),
        row("f", "train", None),
    ]
    assert shared_prompts(rows) == [SharedPrompt("b", "a", "what is  a COPY")]


def test_an_instruction_that_all_rows_share_is_no_prompt_of_one():
    rows = [row(f"{i}", "test", "Summarise.") for i in range(TEMPLATE_ROWS + 1)]
    assert shared_prompts([*rows, row("t", "train", "Summarise!")]) == []
    assert len(shared_prompts([*rows[1:], row("t", "train", "Summarise!")])) == TEMPLATE_ROWS


def test_prompts_without_words_are_none():
    assert shared_prompts([row("a", "train", "?"), row("b", "test", "!")]) == []
