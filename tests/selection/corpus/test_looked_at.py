"""Which part of a conversation selection looks at, and that a row stays the same row."""

import json
from pathlib import Path

import pytest
from ingesting import Ingested, ingested

from selection.config.pool import Pool
from selection.corpus.sources import find_source

CHATS = [
    {"prompt": "Why is the sky blue?", "response": "Rayleigh."},
    {"prompt": "Why is the sky blue?", "response": "It scatters light."},
    {"prompt": " Why is the  sky blue?", "response": "Rayleigh."},
]


def read(folder: Path, rows: list[dict], **fields: str) -> Ingested:
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"kind": "files", "path": "a.jsonl", "name": "a"}
    pool = Pool.model_validate({"name": "p", "sources": [source], **fields})
    return ingested(find_source(pool, folder.joinpath, "a").read(), source="a")


@pytest.mark.parametrize("part", ["prompt", "response"])
def test_the_text_of_a_row_is_the_part_and_all_else_is_as_before(tmp_path, part):
    whole, looked_at = read(tmp_path, CHATS), read(tmp_path, CHATS, look_at=part)
    assert looked_at.table["text"].equals(whole.table[part].cast("large_string"))
    assert looked_at.table.drop_columns(["text"]).equals(whole.table.drop_columns(["text"]))
    # Two have one prompt and two one response: duplicates are told by all turns.
    assert (looked_at.table.num_rows, looked_at.n_duplicates) == (2, 1)


def test_a_plain_text_has_no_part_and_says_what_to_do(tmp_path):
    corpus = read(tmp_path, [*CHATS, {"text": "a plain text"}], look_at="prompt")
    [reason] = corpus.quarantine["reason"].to_pylist()
    assert reason.startswith(
        "no prompt: the row is a plain text, and the pool looks at each prompt"
    )
    assert "`look_at: all`" in reason
    assert corpus.n_read == 4
