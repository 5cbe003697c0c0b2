"""Data sets as `save_to_disk` leaves them: rows of one split, and a word about the others."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from bad_files import split
from containers import save_to_disk
from pyarrow import ipc

from selection.config.pool import Pool
from selection.corpus.limits import MAX_NOTE_BYTES
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.sources import find_source, list_sources


def rows(count: int, begins: str = "row") -> list[dict[str, str]]:
    return [{"text": f"{begins} {number}"} for number in range(count)]


def texts(path: Path, **options: str) -> list[str]:
    good, bad = split(read_path(path, **options))
    assert not bad
    return [record.text for record in good]


def only_bad(path: Path, **options: str) -> BadRecord:
    good, [bad] = split(read_path(path, **options))
    assert not good
    return bad


def test_a_saved_data_set_gives_its_rows_and_not_those_of_a_cache_beside_them(tmp_path):
    import datasets

    folder = save_to_disk(tmp_path / "a", rows(5))
    datasets.load_from_disk(folder).map(lambda row: {"text": f"{row['text']}, mapped"})
    assert list(folder.glob("cache-*.arrow"))
    assert texts(folder) == [row["text"] for row in rows(5)]


def test_several_files_of_a_data_set_are_all_read(tmp_path):
    import datasets

    datasets.Dataset.from_list(rows(10)).save_to_disk(tmp_path / "a", num_shards=3)
    assert sorted(texts(tmp_path / "a")) == sorted(row["text"] for row in rows(10))
    next((tmp_path / "a").glob("data-00001*")).unlink()
    good, [missing] = split(read_path(tmp_path / "a"))
    assert 0 < len(good) < 10
    assert isinstance(missing, UnreadPart) and missing.kind == "missing file"
    assert missing.origin == "data-00001-of-00003.arrow:0"


def test_of_several_splits_that_for_training_is_read_unless_another_is_named(tmp_path):
    folder = save_to_disk(tmp_path / "a", [], train=rows(3), test=rows(2, "held out"))
    assert texts(folder) == texts(folder, split="train") == ["row 0", "row 1", "row 2"]
    assert texts(folder, split="test") == ["held out 0", "held out 1"]
    assert only_bad(folder, split="dev").reason == "no split: there is no 'dev'; it has train, test"
    (folder / "train/state.json").unlink()
    assert "the folder of 'train' has no data set" in only_bad(folder).reason


def test_without_a_split_for_training_none_is_chosen_in_its_place(tmp_path):
    folder = save_to_disk(tmp_path / "a", [], one=rows(3), two=rows(2))
    assert only_bad(folder).reason == (
        "no split: none is called 'train'; name one with `split`: it has one, two"
    )
    assert texts(save_to_disk(tmp_path / "b", [], test=rows(1))) == ["row 0"]


def test_a_split_of_what_has_none_is_refused(tmp_path):
    folder = save_to_disk(tmp_path / "a", rows(1))
    assert only_bad(folder, split="train").kind == "no split"
    (tmp_path / "b.jsonl").write_text('{"text": "a row"}\n')
    with pytest.raises(ValueError, match="no folder that `datasets` saved, so it has no split 'x'"):
        read_path(tmp_path / "b.jsonl", split="x")


def test_splits_that_no_source_reads_are_listed_with_what_to_write(tmp_path):
    save_to_disk(tmp_path / "drop/a", [], train=rows(3), dev=rows(1), test=rows(2))
    drop = {"kind": "drop_folder", "path": "drop", "settle_seconds": 0}
    named = {"kind": "files", "path": "drop/a", "name": "of_dev", "split": "dev"}
    pool = Pool.model_validate({"name": "p", "sources": [drop, named]})
    found = list_sources(pool, tmp_path.joinpath)
    assert sorted(found.sources) == ["a", "of_dev"]
    [left] = found.not_read
    assert left.what.endswith("drop/a, split test") and left.state == "ignored"
    assert "a `name` and this `split`" in left.remedy
    good, bad = split(find_source(pool, tmp_path.joinpath, "of_dev").read())
    assert ([record.text for record in good], bad) == (["row 0"], [])


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no object"),
        ("[" * 100, "too large or too deep"),
        (" " * (MAX_NOTE_BYTES + 1), "too large or too deep"),
        ("{}", "names no files beside it"),
        ('{"_data_files": [{"filename": "../secret.arrow"}]}', "names no files beside it"),
        ('{"_data_files": [], "_indices_data_files": [{"filename": "i"}]}', "save it again"),
    ],
)
def test_a_note_that_cannot_be_followed_is_named_and_no_file_outside_is_read(tmp_path, state, said):
    save_to_disk(tmp_path / "secret", rows(1)).joinpath("data-00000-of-00001.arrow").rename(
        tmp_path / "secret.arrow"
    )
    folder = save_to_disk(tmp_path / "a", rows(3))
    (folder / "state.json").write_text(state)
    bad = only_bad(folder)
    assert isinstance(bad, UnreadPart) and said in bad.reason
    assert bad.origin == "state.json:0"


def batches_of(path: Path, *batches: list[str | bytes]) -> bytes:
    kind = pa.string()
    with ipc.new_stream(path, pa.schema([("text", kind)])) as stream:
        for batch in batches:
            raw = pa.array([t if isinstance(t, bytes) else t.encode() for t in batch], pa.binary())
            stream.write_batch(pa.record_batch([raw.view(kind)], ["text"]))
    return path.read_bytes()


def test_a_text_that_is_no_utf8_loses_its_row_only(tmp_path):
    batches_of(tmp_path / "a.arrow", ["one", b"caf\xe9", "three"])
    good, [bad] = split(read_path(tmp_path / "a.arrow"))
    assert [record.text for record in good] == ["one", "three"]
    assert (bad.kind, bad.origin) == ("invalid UTF-8", "a.arrow#1")


def test_an_offset_out_of_its_buffer_is_an_unread_part_and_the_batch_behind_it_is_read(tmp_path):
    raw = batches_of(tmp_path / "a.arrow", ["abc", "defg", "hi"], ["whole"])
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 3, 7, 9))
    assert raw.count(offsets) == 1
    wrong = offsets[:8] + (2**30).to_bytes(4, "little") + offsets[12:]
    (tmp_path / "a.arrow").write_bytes(raw.replace(offsets, wrong))
    good, [unread] = split(read_path(tmp_path / "a.arrow"))
    assert [(record.text, record.origin) for record in good] == [("whole", "a.arrow#3")]
    assert isinstance(unread, UnreadPart) and unread.missing == 3


def test_a_file_cut_anywhere_is_an_unread_part_behind_the_batches_that_are_whole(tmp_path):
    whole = batches_of(tmp_path / "a.arrow", ["one"], ["two"], ["three"])
    seen = set()
    for size in (*range(1, len(whole), 97), len(whole) - 1):
        (tmp_path / "a.arrow").write_bytes(whole[:size])
        good, [*_, unread] = split(read_path(tmp_path / "a.arrow"))
        assert isinstance(unread, UnreadPart) and unread.kind == "unreadable Arrow"
        seen.add(tuple(record.text for record in good))
    assert seen == {(), ("one",), ("one", "two"), ("one", "two", "three")}


def test_feather_is_read_too_and_a_claim_of_billions_of_rows_is_not_believed(tmp_path):
    table = pa.table({"text": ["one", "two"]})
    with ipc.new_file(tmp_path / "a.arrow", table.schema) as file:
        file.write_table(table)
    assert texts(tmp_path / "a.arrow") == ["one", "two"]
    nulls = pa.record_batch([pa.nulls(2**31 - 1)], ["text"])
    with ipc.new_stream(tmp_path / "b.arrow", nulls.schema) as stream:
        stream.write_batch(nulls)
    assert only_bad(tmp_path / "b.arrow").kind == "too many rows"


def test_mixed_values_that_datasets_write_as_json_are_read_as_what_they_are(tmp_path):
    import datasets

    def calling(arguments: dict) -> dict:
        call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
        return {
            "messages": [
                {"role": "user", "content": "Do it."},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "done"},
                {"role": "assistant", "content": "It is done."},
            ],
            "tools": [{"name": "f", "parameters": arguments}],
        }

    chats = [calling({"a": 1}), calling({"b": "two"})]
    message = {name: datasets.Value("string") for name in ("role", "content")}
    features = {"messages": [message | {"tool_calls": datasets.Json()}], "tools": datasets.Json()}
    made = datasets.Dataset.from_list(chats, features=datasets.Features(features))
    made.save_to_disk(tmp_path / "a")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    saved, lines = (list(read_path(tmp_path / name)) for name in ("a", "b.jsonl"))
    assert all(isinstance(record, Record) for record in saved)
    assert [record.turns for record in saved] == [record.turns for record in lines]
