"""P7: every published file is measured and hashed; what was changed is refused by its name."""

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_project import Project, enter

from resources.ledger.lineage import current_artifacts
from resources.store.artifacts import MANIFEST, Artifact, CorruptArtifact
from selection_assets.command.cli import main

Damage = Callable[[bytes, random.Random], bytes | None]


def flip(content: bytes, position: int, bit: int) -> bytes:
    flipped = bytes([content[position] ^ 1 << bit])
    return content[:position] + flipped + content[position + 1 :]


DAMAGES: dict[str, Damage] = {
    "first bit": lambda content, chance: flip(content, 0, 0),
    "last bit": lambda content, chance: flip(content, len(content) - 1, 7),
    "middle bit": lambda content, chance: flip(content, len(content) // 2, 4),
    "some bit": lambda content, chance: flip(
        content, chance.randrange(len(content)), chance.randrange(8)
    ),
    "cut by a byte": lambda content, chance: content[:-1],
    "cut in half": lambda content, chance: content[: len(content) // 2],
    "emptied": lambda content, chance: b"",
    "appended to": lambda content, chance: content + b"\0",
    "deleted": lambda content, chance: None,
}
"""What may happen to a file; None: it is gone."""


@pytest.fixture
def linked(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """The finished project by hard links: a file that is replaced leaves the original alone."""
    root = tmp_path / "project"
    shutil.copytree(
        finished_root / "store/artifacts", root / "store/artifacts", copy_function=os.link
    )
    shutil.copy(finished_root / "store/ledger.duckdb", root / "store")
    shutil.copytree(finished_root / "studies", root / "studies")
    yield from enter(Project(root))


def files(artifact: Artifact) -> list[str]:
    """Every published file, the manifest included."""
    paths = [path for path in artifact.folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(artifact.folder).as_posix() for path in paths)


def replace(path: Path, content: bytes | None) -> None:
    """Put another file in its place, so that what it was linked to stays as it is."""
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def refused(artifact: Artifact, name: str) -> None:
    """Readers of the file and of the whole say which file is wrong."""
    with pytest.raises(CorruptArtifact, match=re.escape(str(artifact.folder / name))):
        artifact.verify()
    others = [other for other in files(artifact) if other != MANIFEST]
    read = others[0] if name == MANIFEST else name
    with pytest.raises(CorruptArtifact, match=re.escape(str(artifact.folder / name))):
        artifact.path(read)


def one_of_each(artifacts: list[Artifact]) -> list[tuple[Artifact, str]]:
    """One partition of each asset, and of it one file of each kind."""
    found: dict[tuple[str, str], tuple[Artifact, str]] = {}
    first = {artifact.asset: artifact for artifact in reversed(artifacts)}
    for artifact in first.values():
        for name in files(artifact):
            kind = name if name == MANIFEST else Path(name).suffix
            found.setdefault((artifact.asset, kind), (artifact, name))
    return list(found.values())


@pytest.mark.parametrize("sampled", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_damage_to_every_type_of_artifact_is_refused_by_name(linked, sampled, figures):
    chance = random.Random(0)
    artifacts = current_artifacts(linked.ledger)
    everything = [(artifact, name) for artifact in artifacts for name in files(artifact)]
    chosen = one_of_each(artifacts) if sampled else everything
    for artifact, name in chosen:
        path = artifact.folder / name
        content = path.read_bytes()
        assert content, f"{path} is empty: no bit of it can be flipped"
        for damage in DAMAGES.values():
            replace(path, damage(content, chance))
            refused(artifact, name)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
        artifact.verify()
    if not sampled:
        assets = {artifact.asset for artifact, _ in chosen}
        figures.record("P7", assets_damaged=len(assets), files_damaged=len(chosen))
    figures.record("P7", damages_refused=len(chosen) * len(DAMAGES))


def test_two_files_that_changed_places_are_refused(linked, figures):
    swapped = 0
    for artifact in {a.asset: a for a in current_artifacts(linked.ledger)}.values():
        names = [name for name in files(artifact) if name != MANIFEST]
        for one, two in pairwise(names):
            contents = [(artifact.folder / name).read_bytes() for name in (one, two)]
            if contents[0] == contents[1]:
                continue
            for name, content in zip((one, two), reversed(contents), strict=True):
                replace(artifact.folder / name, content)
            for name in (one, two):
                with pytest.raises(CorruptArtifact, match=re.escape(name)):
                    artifact.path(name)
            with pytest.raises(CorruptArtifact):
                artifact.verify()
            for name, content in zip((one, two), contents, strict=True):
                replace(artifact.folder / name, content)
            swapped += 1
    assert swapped
    figures.record("P7", pairs_of_files_swapped=swapped)


def test_a_manifest_of_another_version_is_refused(linked):
    """It is whole and true, but of other content: the folder's name says so."""
    artifacts = current_artifacts(linked.ledger, "raw_corpus")
    one, two = artifacts[:2]
    replace(one.folder / MANIFEST, (two.folder / MANIFEST).read_bytes())
    refused(one, MANIFEST)


@pytest.mark.parametrize("damage", ["some bit", "cut in half", "deleted"])
def test_selection_verify_reports_every_damaged_artifact_by_its_file(linked, damage, figures):
    chance = random.Random(1)
    damaged = {}
    for artifact in current_artifacts(linked.ledger):
        name = chance.choice(files(artifact))
        path = artifact.folder / name
        replace(path, DAMAGES[damage](path.read_bytes(), chance))
        damaged[artifact.asset, artifact.partition] = path
    result = CliRunner().invoke(main, ["verify"])
    assert result.exit_code == 1
    assert f"{len(damaged)} artifacts, {len(damaged)} corrupt" in result.output
    missed = [str(path) for path in damaged.values() if str(path) not in result.output]
    assert not missed
    figures.record("P7", damaged_files_reported_by_selection_verify=len(damaged))
