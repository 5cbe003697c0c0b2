"""P1, P4 and P7 where what is published is shared: in a bucket, or a folder."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import everything
import pytest
from buckets import Bucket, bucket, share
from command_line import selection
from everything import publish_everything
from real_processes import Child, die

from resources.ledger.ledger import open_ledger
from resources.project import ROOT_VARIABLE
from resources.store.artifacts import Artifact, CorruptArtifact
from resources.store.shared_store import SharedStore, SharedStoreFailed, place

pytestmark = pytest.mark.skipif(
    find_spec("obstore") is None or find_spec("moto") is None, reason="needs obstore and moto"
)

PUBLISH = Path(everything.__file__).read_text()
POINTS = ("after_blobs", "after_shared", "after_rename", "before_ledger", "after_ledger")


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture(params=["s3", "folder"])
def shared(request, server: Bucket, tmp_path: Path, monkeypatch) -> SharedStore:
    """Where this process, and those that it starts, share what they publish."""
    project = tmp_path / "project"
    project.mkdir()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    address = server.address(tmp_path.name) if request.param == "s3" else str(tmp_path / "shared")
    monkeypatch.setenv(ROOT_VARIABLE, str(project))
    share(project, address)
    return SharedStore(address)


def current(root: Path) -> Artifact:
    found = open_ledger(root).current("study/thing", "all")
    assert found is not None
    return found


def where(artifact: Artifact) -> str:
    return place(artifact.asset, artifact.partition, artifact.version)


@pytest.mark.parametrize("point", POINTS)
def test_what_is_current_is_shared_whole_wherever_the_writer_dies(shared, tmp_path, point):
    """P1, on another disk: nothing that the ledger names is missing there."""
    root = tmp_path / "store"
    old = publish_everything(root, "o")
    die(PUBLISH, root, "n", SELECTION_CRASH_AT=point)
    assert (current(root).version == old) == (point != "after_ledger")
    assert where(current(root)) in shared
    shutil.rmtree(root / "artifacts/study")
    current(root).verify()
    version = publish_everything(root, "n")
    shutil.rmtree(root / "artifacts/study")
    assert current(root).version == version
    current(root).verify()


def test_blobs_without_a_manifest_are_no_version(shared, tmp_path):
    die(PUBLISH, tmp_path / "crashed", "n", SELECTION_CRASH_AT="after_blobs")
    publish_everything(tmp_path / "other", "o")
    version = publish_everything(tmp_path / "undisturbed", "n")
    assert place("study/thing", "all", version) in shared


def test_who_publishes_the_same_at_once_shares_it_once(shared, tmp_path):
    """P4: the second finds what the first has put, and takes it."""
    children = [Child(PUBLISH, tmp_path / f"store_{i}", "n") for i in range(3)]
    for child in children:
        child.end()
    versions = {current(tmp_path / f"store_{i}").version for i in range(3)}
    assert len(versions) == 1
    shutil.rmtree(tmp_path / "store_0/artifacts/study")
    current(tmp_path / "store_0").verify()


def test_a_missing_file_is_fetched_and_a_damaged_one_is_refused(shared, tmp_path):
    """P7: what is fetched is hashed; what is there is never taken for what it is not."""
    root = tmp_path / "store"
    publish_everything(root, "n")
    artifact = current(root)
    for name in artifact.files():
        (artifact.folder / name).unlink()
        artifact.verify()
    damaged = artifact.folder / artifact.files()[0]
    damaged.write_bytes(b"damaged" + damaged.read_bytes())
    with pytest.raises(CorruptArtifact, match=damaged.name):
        artifact.verify()
    damaged.unlink()
    artifact.verify()


def test_a_blob_that_is_not_what_its_name_says_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, "shared")
    publish_everything(tmp_path / "store", "n")
    for blob in (tmp_path / "shared/blobs").rglob("*"):
        if blob.is_file():
            blob.write_bytes(blob.read_bytes() + b"\0")
    shutil.rmtree(tmp_path / "store/artifacts/study")
    with pytest.raises(CorruptArtifact, match="does not hash to its name"):
        current(tmp_path / "store").verify()
    assert not [path for path in current(tmp_path / "store").folder.rglob("*.part")]


def test_a_large_file_goes_in_parts(shared, tmp_path, monkeypatch):
    monkeypatch.setattr("resources.store.shared_store.IN_ONE_REQUEST", 10)
    root = tmp_path / "store"
    publish_everything(root, "n")
    shutil.rmtree(root / "artifacts/study")
    current(root).verify()


def test_without_an_answer_nothing_becomes_current_and_the_next_attempt_does(
    server, tmp_path, monkeypatch
):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_TIMEOUT", "1s")
    monkeypatch.setattr("resources.store.shared_store.PATIENCE", timedelta(seconds=1))
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    root = tmp_path / "store"
    share(tmp_path, server.address("silent"))
    old = publish_everything(root, "o")
    with server.silent(), pytest.raises(SharedStoreFailed) as failed:
        publish_everything(root, "n")
    assert current(root).version == old
    said = str(failed.value)
    assert "s3://shelf/silent: could not put" in said and "secret" not in said
    assert publish_everything(root, "n") == current(root).version != old


def test_keys_are_written_nowhere(server, tmp_path, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, server.address("keys"))
    publish_everything(tmp_path / "store", "n")
    secret = server.environment["AWS_SECRET_ACCESS_KEY"].encode()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not [path for path in written if secret in path.read_bytes()]


def test_what_was_published_before_is_put_there_by_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    (tmp_path / "project.yaml").write_text("roots: []\n")
    for tag in "on":
        publish_everything(tmp_path / "store", tag)
    nothing = selection("share")
    assert nothing.exit_code == 2 and "shares nothing: set `store:" in nothing.stderr
    share(tmp_path, "shared")
    assert "shared: 2 versions, of which 2 were put there now" in selection("share").stdout
    assert "shared: 2 versions, of which 0 were put there now" in selection("share").stdout
    shutil.rmtree(tmp_path / "store/artifacts/study")
    assert selection("verify").exit_code == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://me:hidden@bucket/prefix", "keys and options are read from the environment"),
        ("s3://bucket/prefix?key=hidden", "keys and options are read from the environment"),
        ("s3://", "give it as `s3://bucket/prefix`"),
        ("ftp://bucket/prefix", "ftp:// is no store that is known"),
    ],
)
def test_an_address_with_more_than_a_place_is_refused(tmp_path, monkeypatch, address, said):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, address)
    refused = selection("share")
    assert refused.exit_code == 2 and said in refused.stderr
    assert "hidden" not in refused.output


def test_what_the_ledger_does_not_name_goes_from_the_shared_store_once_it_is_old(
    shared, tmp_path, monkeypatch
):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "project"))
    root = tmp_path / "project/store"
    publish_everything(root, "o")
    die(PUBLISH, root, "n", SELECTION_CRASH_AT="after_shared")
    assert len(shared.versions()) == 2
    young = selection("gc", "--shared", "--delete").stdout
    assert "shared store" not in young and len(shared.versions()) == 2
    monkeypatch.setattr("resources.shared_debris.IN_FLIGHT", timedelta(0))
    shown = selection("gc", "--shared").stdout
    [unnamed] = shared.versions().keys() - {where(current(root))}
    assert unnamed in shown and len(shared.versions()) == 2
    said = selection("gc", "--shared", "--delete").stdout
    # Of its seven files two have the same content.
    assert "1 versions and 6 blobs of the shared store removed" in said
    assert set(shared.versions()) == {where(current(root))}
    shutil.rmtree(root / "artifacts/study")
    current(root).verify()
