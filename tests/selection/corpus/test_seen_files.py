"""What each file of a source holds is said: formats, rows, columns, and two of its rows."""

import json
from pathlib import Path

import pytest
from containers import CONTAINERS, write_rows

from selection.config.pool import Pool
from selection.corpus.limits import MAX_COLUMNS_TOLD
from selection.corpus.readers import read_path
from selection.corpus.seen_files import LONGEST_PART, SeenFile, SeenFiles, file_of
from selection.corpus.sources import find_source
from selection.reports.files_seen import FILES_LISTED, files_table, samples_table
from selection.reports.tables import markdown_table, text_table

PAIR = {"id": 1, "prompt": "Why?", "response": "Because."}


def seen(path: Path) -> list[SeenFile]:
    files = SeenFiles("s")
    for _ in files.watch(read_path(path)):
        pass
    return list(files)


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_columns_of_every_container_are_all_that_it_has(tmp_path, container):
    [file] = seen(write_rows(tmp_path, [PAIR, PAIR, PAIR], container))
    assert (dict(file.formats), file.n_rows, file.bad) == ({"prompt-response": 3}, 3, 0)
    assert set(file.columns) == {"id", "prompt", "response"}
    assert [sample.shown for sample in file.samples] == ["Why? -> Because."] * 2


def test_each_file_of_a_folder_is_told_apart_with_its_bad_rows(tmp_path):
    write_rows(tmp_path, [PAIR, {"text": "a text"}], "jsonl", name="b")
    write_rows(tmp_path, [PAIR | {"response": None}, PAIR], "parquet", name="a#1:2")
    (tmp_path / "c.jsonl").write_text('{"text": "cut')
    files = seen(tmp_path)
    assert [file.file for file in files] == ["a#1:2.parquet", "b.jsonl", "c.jsonl"]
    _, rows = files_table(files)
    assert rows == [
        ["s", "a#1:2.parquet", "2, 1 bad", "prompt-response", "id, prompt, response"],
        ["s", "b.jsonl", "2", "prompt-response (1), text (1)", "id, prompt, response, text"],
        ["s", "c.jsonl", "0, a part unread", "none", ""],
    ]
    assert [sample[1] for sample in samples_table(files)[1]] == [
        *("a#1:2.parquet#1", "b.jsonl:1", "b.jsonl:2"),
    ]


def test_only_the_first_rows_of_each_file_are_read_where_that_is_asked(tmp_path):
    for name in "ab":
        write_rows(tmp_path, [PAIR] * 9, "parquet", name=name)
    write_rows(tmp_path, [PAIR] * 3, "jsonl", name="c")
    pool = {"name": "p", "sources": [{"kind": "files", "path": ".", "name": "s"}]}
    source = find_source(Pool.model_validate(pool), tmp_path.joinpath, "s")
    files = source.seen_files()
    for record in source.begin(5):
        files.add(record)
    assert [row[2] for row in files_table(files, first=5)[1]] == ["first 5", "first 5", "all 3"]


def test_nothing_in_a_sample_or_a_column_drives_a_terminal_or_marks_up_a_page(tmp_path):
    evil = "\x1b[2J\u202e<b>|`x`\n" + "long " * 10**6
    row = {evil[:30]: 1, "prompt": evil, "response": evil}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    files = seen(tmp_path)
    [sample] = files[0].samples
    assert sample.shown.isprintable() and len(sample.shown) < 3 * LONGEST_PART
    for table in (files_table(files), samples_table(files)):
        assert all(line.isprintable() for line in text_table(*table).split("\n"))
        page = markdown_table(*table)
        assert "<b>" not in page and "`x`" not in page and "\x1b" not in page


def test_what_is_said_is_bounded_however_many_files_and_columns_there_are(tmp_path):
    for number in range(FILES_LISTED + 5):
        row = {f"{number}_{place}": 1 for place in range(500)} | {"text": "a text"}
        write_rows(tmp_path, [row, row | {"more": 1}], "jsonl", name=f"{number:03}")
    files = seen(tmp_path)
    assert len(files) == FILES_LISTED + 5
    assert all(len(file.columns) <= 2 * MAX_COLUMNS_TOLD for file in files)
    assert len(files_table(files)[1]) == FILES_LISTED
    assert max(len(row[-1]) for row in files_table(files)[1]) < 500


@pytest.mark.parametrize(
    ("origin", "file"),
    [
        ("a.jsonl:7", "a.jsonl"),
        ("a#b.jsonl:7", "a#b.jsonl"),
        ("a:b.parquet#7", "a:b.parquet"),
        ("owner/set@0123456789ab/train#7", "owner/set@0123456789ab/train"),
        ("package.module:Class.method", "package.module"),
    ],
)
def test_an_origin_names_its_file(origin, file):
    assert file_of(origin) == file
