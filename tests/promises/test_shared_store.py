"""P1, P4 and P7 where what is published is shared: in a bucket, or a folder."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import everything
import numpy as np
import pytest
from buckets import Bucket, bucket, share
from command_line import selection
from everything import publish_everything
from real_processes import Child, die

from resources.ledger.ledger import open_ledger
from resources.project import ROOT_VARIABLE
from resources.store.artifacts import Artifact, ArtifactStore, CorruptArtifact
from resources.store.shared_store import SharedStore, SharedStoreFailed
from resources.store.version_folders import version_place

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
    return version_place(artifact.asset, artifact.partition, artifact.version)


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
    assert shared.versions() == {}
    version = publish_everything(tmp_path / "undisturbed", "n")
    assert set(shared.versions()) == {version_place("study/thing", "all", version)}


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


def test_what_is_fetched_leaves_nothing_beside_it(shared, tmp_path):
    root = tmp_path / "store"
    publish_everything(root, "n")
    artifact = current(root)
    before = sorted(path.name for path in artifact.folder.rglob("*"))
    shutil.rmtree(root / "artifacts/study")
    artifact.verify()
    assert sorted(path.name for path in artifact.folder.rglob("*")) == before
    assert not list((root / "artifacts/.stage").iterdir())


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch) -> Path:
    """What a version is shared as, in a folder whose files a test may touch; its cache is empty."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, "shared")
    publish_everything(tmp_path / "store", "n")
    shutil.rmtree(tmp_path / "store/artifacts/study")
    return tmp_path / "shared"


def blobs(shared: Path) -> list[Path]:
    return [path for path in (shared / "blobs").rglob("*") if path.is_file()]


def test_a_blob_that_is_not_what_its_name_says_is_refused(in_folder):
    for blob in blobs(in_folder):
        blob.write_bytes(blob.read_bytes() + b"\0")
    with pytest.raises(CorruptArtifact, match="does not hash to its name"):
        current(in_folder.parent / "store").verify()


def test_a_blob_that_is_gone_is_named(in_folder):
    for blob in blobs(in_folder):
        blob.unlink()
    with pytest.raises(CorruptArtifact, match="has no blob of"):
        current(in_folder.parent / "store").verify()


def test_a_blob_that_is_shorter_than_it_was_is_put_again(in_folder):
    for blob in blobs(in_folder):
        blob.write_bytes(b"")
    publish_everything(in_folder.parent / "store", "n")
    shutil.rmtree(in_folder.parent / "store/artifacts/study")
    current(in_folder.parent / "store").verify()


@pytest.mark.parametrize("name", ["../../../../evil", "/tmp/evil", "tag.md"])
def test_a_manifest_that_is_not_its_version_s_is_refused_before_anything_is_written(
    in_folder, name
):
    [manifest] = (in_folder / "versions").rglob("manifest.json")
    said = json.loads(manifest.read_text())
    said["files"] = {name: said["files"]["tag.md"]}
    manifest.write_text(json.dumps(said))
    with pytest.raises(CorruptArtifact, match="is not that version's"):
        current(in_folder.parent / "store").verify()
    assert not list(in_folder.parent.rglob("evil"))
    assert not list((in_folder.parent / "store/artifacts").glob("study/**/tag.md"))


def test_a_large_file_goes_in_parts(shared, tmp_path):
    content = np.random.default_rng(0).bytes(12 * 2**20)
    store = ArtifactStore(tmp_path / "artifacts")
    staged = store.stage({"large.bin": content})
    spot = version_place("study/large", "all", staged.version)
    shared.keep(staged.folder, spot)
    (tmp_path / "back").mkdir()
    assert shared.fetch(spot, tmp_path / "back", wanted=lambda _: True) == ["large.bin"]
    assert (tmp_path / "back/large.bin").read_bytes() == content


def test_a_bucket_that_is_not_there_is_said(server, tmp_path, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, "s3://nowhere/prefix")
    with pytest.raises(SharedStoreFailed, match=r"s3://nowhere/prefix: could not put"):
        publish_everything(tmp_path / "store", "n")
    assert selection("share").exit_code == 0  # nothing is to be put


def test_without_an_answer_nothing_becomes_current_and_the_next_attempt_does(
    server, tmp_path, monkeypatch
):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("PATIENCE", "SILENCE"):
        monkeypatch.setattr(f"resources.store.shared_store.{name}", timedelta(seconds=1))
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
    "address",
    [
        "s3://me:hidden@bucket/prefix",
        "s3://me:hid/hidden@bucket/prefix",
        "s3:/me:hidden@bucket/prefix",
        "s3://bucket/prefix?key=hidden",
        "s3://",
        "ftp://hidden/prefix",
        "~/hidden",
    ],
)
def test_an_address_with_more_than_a_place_is_refused_and_not_repeated(
    tmp_path, monkeypatch, address
):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    share(tmp_path, address)
    refused = selection("share")
    assert refused.exit_code == 2 and "field store (line 1)" in refused.stderr
    if "@" in address or "?" in address:
        assert "hidden" not in refused.output


def test_what_the_ledger_does_not_name_goes_from_the_shared_store_once_it_is_old(
    shared, tmp_path, monkeypatch
):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "project"))
    root = tmp_path / "project/store"
    publish_everything(root, "o")
    die(PUBLISH, root, "n", SELECTION_CRASH_AT="after_shared")
    assert len(shared.versions()) == 2
    assert "0 versions that this ledger does not name" in selection("gc", "--shared").stdout
    monkeypatch.setattr("resources.shared_debris.IN_FLIGHT", timedelta(0))
    shown = selection("gc", "--shared").stdout
    [unnamed] = shared.versions().keys() - {where(current(root))}
    assert unnamed in shown and "--shared-versions 1" in shown
    for wrong in ((), ("--shared-versions", "2")):
        assert selection("gc", "--shared", "--delete", *wrong).exit_code == 2
    assert len(shared.versions()) == 2
    said = selection("gc", "--shared", "--delete", "--shared-versions", "1").stdout
    # Of its seven files two have the same content.
    assert "1 versions and 6 blobs removed" in said
    assert set(shared.versions()) == {where(current(root))}
    shutil.rmtree(root / "artifacts/study")
    current(root).verify()


def test_an_empty_ledger_removes_nothing(shared, tmp_path, monkeypatch):
    publish_everything(tmp_path / "store", "o")
    monkeypatch.setattr("resources.shared_debris.IN_FLIGHT", timedelta(0))
    refused = selection("gc", "--shared", "--delete", "--shared-versions", "1")
    assert refused.exit_code == 2 and "this ledger names nothing" in refused.stderr
    assert len(shared.versions()) == 1
