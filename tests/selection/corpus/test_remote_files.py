"""Files in a bucket are read as those of this machine, one after another."""

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_files import split
from buckets import Bucket, bucket
from pydantic import ValidationError

from selection.config.pool import Pool
from selection.corpus.not_read import CannotBeRead
from selection.corpus.remote_files import fingerprint_of, list_files, read_remote
from selection.corpus.row_block import one_by_one
from selection.corpus.sources import find_source, list_sources

pytestmark = pytest.mark.skipif(
    find_spec("obstore") is None or find_spec("moto") is None, reason="needs obstore and moto"
)

PATIENCE = timedelta(seconds=1)


def lines(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with bucket("rows") as made:
        yield made


@pytest.fixture
def there(server: Bucket, tmp_path: Path, monkeypatch) -> str:
    """A prefix of a bucket with files of three formats, and what is none."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    table = tmp_path / "table.parquet"
    pq.write_table(pa.table({"text": ["five", "six"]}), table)
    prefix = tmp_path.name
    server.put(f"{prefix}/a.jsonl", lines("one", "two"))
    server.put(f"{prefix}/deep/b.jsonl.gz", gzip.compress(lines("three", "four")))
    server.put(f"{prefix}/deep/c.parquet", table.read_bytes())
    server.put(f"{prefix}/notes.pdf", b"%PDF")
    return server.address(prefix)


def texts(address: str) -> dict[str, str]:
    good, _ = split(one_by_one(read_remote(address)))
    return {record.origin: record.text for record in good}


def test_a_folder_a_file_and_a_pattern_are_read(there):
    everything = {
        "a.jsonl:1": "one",
        "a.jsonl:2": "two",
        "deep/b.jsonl.gz:1": "three",
        "deep/b.jsonl.gz:2": "four",
        "deep/c.parquet#0": "five",
        "deep/c.parquet#1": "six",
    }
    assert texts(there) == everything
    assert list(texts(f"{there}/a.jsonl").values()) == ["one", "two"]
    assert texts(f"{there}/deep/*.parquet") == {"c.parquet#0": "five", "c.parquet#1": "six"}
    _, [bad] = split(one_by_one(read_remote(there)))
    assert bad.origin == "notes.pdf:0" and "unknown format" in bad.reason


def test_a_fingerprint_changes_with_what_is_there(there, server):
    before = fingerprint_of(there)
    assert fingerprint_of(there) == before
    prefix = there.rpartition("/")[2]
    server.put(f"{prefix}/a.jsonl", lines("one", "tow"))
    changed = fingerprint_of(there)
    server.put(f"{prefix}/d.jsonl", lines("seven"))
    assert len({before, changed, fingerprint_of(there)}) == 3


def test_only_the_file_that_is_read_is_on_this_disk(there, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    held = set()
    for _ in read_remote(there):
        held.add(sum(path.is_file() for path in scratch.rglob("*")))
    assert held <= {0, 1} and not list(scratch.iterdir())


def test_a_pool_has_it_as_a_source(there):
    source = {"kind": "remote", "name": "away", "address": there}
    pool = Pool.model_validate({"name": "pool", "sources": [source]})
    found = list_sources(pool, Path)
    assert list(found.sources) == ["away"]
    assert found.fingerprints["away"] == fingerprint_of(there)
    good, _ = split(find_source(pool, Path, "away").begin(3))
    assert [record.text for record in good] == ["one", "two", "three"]


def test_what_is_not_there_is_said_and_a_server_that_is_silent_is_waited_for(
    there, server, monkeypatch
):
    with pytest.raises(CannotBeRead, match="there is no file") as refused:
        list_files(f"{there}/nowhere/*.jsonl")
    assert refused.value.state == "refused"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("selection.corpus.remote_files.PATIENCE", PATIENCE)
    with pytest.raises(CannotBeRead, match="it cannot be read now") as waiting:
        list_files(there)
    assert waiting.value.state == "waiting"
    assert server.environment["AWS_SECRET_ACCESS_KEY"] not in str(waiting.value)


def test_a_name_that_leads_elsewhere_is_refused(there, server):
    server.put(f"{there.rpartition('/')[2]}/x/../../../etc/evil.jsonl", lines("evil"))
    with pytest.raises(CannotBeRead, match=r"illegal character sequence \"\.\.\""):
        texts(there)


@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc", "/etc/passwd", "memory://x", "s3://", "simplecache::s3://bucket/x"),
        *("s3://key:secret@bucket/x", "https://a/b?token=1"),
    ],
)
def test_an_address_of_another_kind_or_with_keys_is_refused(address):
    source = {"kind": "remote", "name": "away", "address": address}
    with pytest.raises(ValidationError):
        Pool.model_validate({"name": "pool", "sources": [source]})
