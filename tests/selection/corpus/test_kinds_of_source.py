"""A source, target or model of a kind that nobody has written for is an error, never a guess."""

from pathlib import Path
from typing import Literal

import pytest

from selection.arms.base import base_shape
from selection.config.embedders import EmbedderSpec
from selection.config.names import Strict
from selection.config.pool import Pool
from selection.corpus.sources import list_sources
from selection.corpus.target import read_target
from selection.embedding.build import distillation_flops, write_embedder
from selection.embedding.embedder import DESCRIPTION_FILE, load_embedder


class Archive(Strict):
    """A kind that somebody has added to the configuration, and nowhere else."""

    kind: Literal["archive"] = "archive"
    path: str
    name: str = "rows"
    split_by: str | None = None


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """One whose file is there, so that only its kind is in the way."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one row"}\n')
    return Archive(path=str(path))


def test_a_source_of_an_unknown_kind_is_not_read_as_a_file(archive):
    pool = Pool.model_construct(name="p", sources=[archive])
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        list_sources(pool, Path)


def test_a_target_of_an_unknown_kind_is_not_read_as_a_file(archive):
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        read_target(archive, Path(archive.path))


def test_an_embedder_of_an_unknown_kind_is_neither_fetched_nor_free(archive, tmp_path):
    spec = EmbedderSpec.model_construct(name="e", model=archive)
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        write_embedder(spec, tmp_path / "made", resolve=Path)
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        distillation_flops(spec)


def test_an_embedder_of_an_unknown_family_is_not_read_as_a_transformer(tmp_path):
    (tmp_path / DESCRIPTION_FILE).write_text('{"family": "sparse", "max_tokens": 8}')
    with pytest.raises(ValueError, match="no family of embedders 'sparse'; known: static"):
        load_embedder(tmp_path)


def test_a_decoder_of_an_unknown_kind_has_no_shape(archive):
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        base_shape(archive, 1000, Path)
