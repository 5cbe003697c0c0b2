"""Which rows of the test split have a prompt that training shows with an answer?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from selection.leaks.held_out import TEMPLATE_ROWS
from selection.leaks.words import words_of


@dataclass(frozen=True)
class SharedPrompt:
    """Rows of the test and of the train split with one prompt: their ids."""

    test: str
    train: str
    prompt: str


def shared_prompts(rows: Iterable[Mapping[str, str | None]]) -> list[SharedPrompt]:
    """Find the rows of the test split whose prompt a row of the train split has too.

    Case, punctuation and spaces make no other prompt. One that more than `TEMPLATE_ROWS` rows of
    the test split have is an instruction that all of a task share, and is none of them.

    Parameters
    ----------
    rows : with `row_id`, `split` and `prompt`, which is None of a row without one.
    """
    by_split: dict[str, list[tuple[str, str, str]]] = {"train": [], "test": []}
    for row in rows:
        prompt, split, row_id = row["prompt"], row["split"], row["row_id"]
        joined = "".join(words_of(prompt or ""))
        if joined and prompt and row_id and split in by_split:
            by_split[split].append((joined, row_id, prompt))
    seen: dict[str, str] = {}
    for joined, row_id, _ in by_split["train"]:
        seen.setdefault(joined, row_id)
    counts = Counter(joined for joined, *_ in by_split["test"])
    return [
        SharedPrompt(row_id, seen[joined], prompt)
        for joined, row_id, prompt in by_split["test"]
        if joined in seen and counts[joined] <= TEMPLATE_ROWS
    ]
