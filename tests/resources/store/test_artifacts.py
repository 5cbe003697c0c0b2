import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from resources.store.artifacts import (
    MANIFEST,
    Artifact,
    ArtifactStore,
    CorruptArtifact,
    Staged,
)
from resources.store.checked_files import FULLY_VERIFIED_BYTES

TABLE = pa.table({"row_id": ["a", "b"], "text": ["one", "<script>"]})
VECTORS = np.arange(12, dtype=np.float16).reshape(3, 4)
FACTS = {"loss": 1.5, "names": ["x", "y"]}
ARRAYS = {"f": np.array([0.25, 0.5]), "g": np.array([1.0, 2.0, 3.0])}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))

READ = {
    "rows.parquet": lambda artifact: artifact.table("rows.parquet"),
    "vectors.npy": lambda artifact: artifact.array("vectors.npy"),
    "facts.json": lambda artifact: artifact.json("facts.json"),
    "fitted.safetensors": lambda artifact: artifact.arrays("fitted.safetensors"),
    "report.md": lambda artifact: artifact.path("report.md").read_text(),
    "picture.png": lambda artifact: artifact.path("picture.png").read_bytes(),
    "checkpoint/model.safetensors": lambda artifact: artifact.path("checkpoint"),
    "checkpoint/deep/config.json": lambda artifact: artifact.path("checkpoint"),
}
"""Every type of file that a stage publishes, and how its readers open it."""


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def stage_everything(store: ArtifactStore, checkpoint: Path) -> Staged:
    (checkpoint / "deep").mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(bytes(range(256)))
    (checkpoint / "deep/config.json").write_text('{"layers": 2}')
    return store.stage(
        {
            "rows.parquet": TABLE,
            "vectors.npy": VECTORS,
            "facts.json": FACTS,
            "fitted.safetensors": ARRAYS,
            "report.md": "# Report\n",
            "picture.png": PNG,
            "checkpoint": checkpoint,
        }
    )


@pytest.fixture
def artifact(store: ArtifactStore, tmp_path: Path) -> Artifact:
    """A published artifact that holds every type of file."""
    staged = stage_everything(store, tmp_path / "checkpoint")
    folder = store.publish(staged, "study/thing", "all")
    return Artifact("study/thing", "all", staged.version, folder, "m")


def test_what_was_staged_is_read_back(artifact):
    assert artifact.table("rows.parquet") == TABLE
    assert artifact.table("rows.parquet", ["text"]).column_names == ["text"]
    np.testing.assert_array_equal(artifact.array("vectors.npy"), VECTORS)
    assert artifact.json("facts.json") == FACTS
    for name, array in artifact.arrays("fitted.safetensors").items():
        np.testing.assert_array_equal(array, ARRAYS[name])
    assert artifact.path("report.md").read_text() == "# Report\n"
    assert artifact.path("picture.png").read_bytes() == PNG
    assert json.loads((artifact.path("checkpoint") / "deep/config.json").read_text())
    artifact.verify()


def test_nothing_is_visible_before_it_is_published(store):
    staged = store.stage({"report.md": "new"})
    assert not (store.root / "study").exists()
    store.publish(staged, "study/thing", "all")
    assert not staged.folder.exists()


def test_a_version_depends_on_content_and_names_and_on_nothing_else(store):
    def version(files: dict) -> str:
        return store.stage(files).version

    assert version({"a.md": "x", "b.md": "y"}) == version({"b.md": "y", "a.md": "x"})
    assert version({"a.md": "x"}) != version({"a.md": "z"})
    assert version({"a.md": "x"}) != version({"b.md": "x"})
    assert version({"t.parquet": TABLE}) == version({"t.parquet": TABLE})
    assert version({"f.safetensors": ARRAYS}) == version({"f.safetensors": ARRAYS})


def flip_first(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def flip_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


def flip_last(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 0x80])


def lose_last_byte(content: bytes) -> bytes:
    return content[:-1]


def lose_all(content: bytes) -> bytes:
    return b""


def grow(content: bytes) -> bytes:
    return content + b"\0"


DAMAGE = [flip_first, flip_middle, flip_last, lose_last_byte, lose_all, grow]


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_by_its_name(artifact, name, damage):
    path = artifact.folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptArtifact, match=re.escape(name)):
        READ[name](artifact)
    with pytest.raises(CorruptArtifact, match=re.escape(name)):
        artifact.verify()


@pytest.mark.parametrize("name", READ)
def test_a_missing_file_is_refused_by_its_name(artifact, name):
    (artifact.folder / name).unlink()
    with pytest.raises(CorruptArtifact, match=re.escape(name)):
        READ[name](artifact)
    with pytest.raises(CorruptArtifact, match=re.escape(name)):
        artifact.verify()


def test_damage_to_one_file_leaves_the_others_readable(artifact):
    (artifact.folder / "picture.png").write_bytes(b"")
    assert artifact.table("rows.parquet") == TABLE


def test_every_byte_of_the_manifest_is_guarded(artifact):
    path = artifact.folder / MANIFEST
    content = path.read_bytes()
    for position in range(len(content)):
        flipped = bytes([content[position] ^ 1 << position % 8])
        path.write_bytes(content[:position] + flipped + content[position + 1 :])
        with pytest.raises(CorruptArtifact, match=MANIFEST):
            artifact.path("report.md")


@pytest.mark.parametrize("content", ["", "[]", "null", '{"files": []}', '{"files": {"a": 1}}', "{"])
def test_a_manifest_of_another_shape_is_refused(artifact, content):
    (artifact.folder / MANIFEST).write_text(content)
    with pytest.raises(CorruptArtifact, match=MANIFEST):
        artifact.verify()


def test_a_missing_manifest_says_what_to_do(artifact):
    (artifact.folder / MANIFEST).unlink()
    with pytest.raises(CorruptArtifact, match="materialize study/thing again"):
        artifact.path("report.md")


def test_a_manifest_forged_to_match_a_changed_file_is_refused(artifact, store):
    forged = store.stage({"report.md": "# Another report\n"})
    for name in ("report.md", MANIFEST):
        (artifact.folder / name).write_bytes((forged.folder / name).read_bytes())
    with pytest.raises(CorruptArtifact, match="does not hash to the folder's name"):
        artifact.path("report.md")


@pytest.mark.parametrize("name", ["stray.txt", "checkpoint/stray.txt", "../secret", "check"])
def test_only_what_the_manifest_names_can_be_read(artifact, name):
    (artifact.folder / name).write_text("put here by somebody else")
    with pytest.raises(CorruptArtifact, match="not in the manifest"):
        artifact.path(name)


def test_a_large_file_is_hashed_by_verify_and_measured_by_every_reader(store):
    staged = store.stage({"large.bin": bytes(FULLY_VERIFIED_BYTES + 1)})
    folder = store.publish(staged, "study/large", "all")
    artifact = Artifact("study/large", "all", staged.version, folder, "m")
    with (folder / "large.bin").open("r+b") as file:
        file.write(b"\1")
    assert artifact.path("large.bin")
    with pytest.raises(CorruptArtifact, match=r"large\.bin"):
        artifact.verify()
    with (folder / "large.bin").open("ab") as file:
        file.write(b"\1")
    with pytest.raises(CorruptArtifact, match=r"large\.bin"):
        artifact.path("large.bin")


def test_everything_is_on_the_disk_before_it_has_a_name_and_its_name_before_we_say_so(
    store, monkeypatch
):
    """No power cut can be tried here: so this watches what is asked of the disk, and when."""
    asked: list[tuple[str, Path]] = []
    flush, rename = os.fsync, Path.rename

    def watched_flush(descriptor: int) -> None:
        asked.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
        flush(descriptor)

    def watched_rename(path: Path, target: Path) -> Path:
        asked.append(("rename", target))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watched_flush)
    monkeypatch.setattr(Path, "rename", watched_rename)
    staged = store.stage({"a.md": "x", "deep/b.md": "y"})
    inside = ["", "a.md", "deep", "deep/b.md", MANIFEST]
    assert sorted(asked) == sorted(("flush", staged.folder / name) for name in inside)
    asked.clear()
    final = store.publish(staged, "study/thing", "all")
    above = [final.parent, final.parents[1], final.parents[2], store.root]
    assert asked == [("rename", final), *(("flush", folder) for folder in above)]


def test_a_damaged_version_is_replaced_by_a_whole_one(artifact, store, tmp_path):
    for name in ("picture.png", MANIFEST):
        (artifact.folder / name).unlink()
    with pytest.raises(CorruptArtifact):
        artifact.verify()
    folder = store.publish(stage_everything(store, tmp_path / "again"), "study/thing", "all")
    assert folder == artifact.folder
    artifact.verify()
    assert not list((store.root / ".stage").iterdir())


def test_the_same_content_is_kept_once(store):
    first = store.publish(store.stage({"a.md": "x"}), "study/thing", "all")
    again = store.publish(store.stage({"a.md": "x"}), "study/thing", "all")
    assert first == again
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    assert not list((store.root / ".stage").iterdir())


def test_publishing_never_overwrites_what_is_not_its_own(store):
    staged = store.stage({"a.md": "x"})
    in_the_way = store.folder("study/thing", "all", staged.version)
    in_the_way.mkdir(parents=True)
    (in_the_way / "somebody's notes").write_text("keep")
    with pytest.raises(OSError, match="not empty"):
        store.publish(staged, "study/thing", "all")
    assert (in_the_way / "somebody's notes").read_text() == "keep"


def test_numbers_that_are_not_json_are_refused_when_written(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.stage({"report.json": {"loss": float("nan")}})


def test_an_array_that_would_need_pickle_is_refused_when_written(store):
    with pytest.raises(ValueError, match="allow_pickle"):
        store.stage({"objects.npy": np.array([{"a": 1}], dtype=object)})


def test_work_is_found_again_by_the_same_key_only(store):
    one = store.work_folder("one")
    (one.path / "step").write_text("10")
    one.hold.release()
    assert (store.work_folder("one").path / "step").read_text() == "10"
    assert not list(store.work_folder("two").path.iterdir())
