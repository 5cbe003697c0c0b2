"""A run that is killed loses the shard it was at, and no other."""

import numpy as np
import pytest
from small_project import Project

from selection.corpus.docstrings import read_docstrings
from selection.embedding.build import minilm_folder
from selection.embedding.embedder import encode
from selection.embedding.shards import EncodedShards, encode_in_shards
from selection.embedding.transformer import load_transformer

SIZE = 16
TEXTS = 72

RUN = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests/selection/embedding")
from test_shards import SIZE, load, read_texts
from selection.embedding.shards import encode_in_shards

folder = Path(sys.argv[1])

def kill_in_the_third_shard(done):
    if len(list(folder.glob("*.safetensors"))) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

encode_in_shards(
    load(), read_texts(), version="1", folder=folder, take=lambda vectors, has_vector: None,
    size=SIZE, report=kill_in_the_third_shard,
)
"""


def read_texts():
    found = read_docstrings("email", min_words=5, max_words=60)
    return [record.text for record in found][:TEXTS]


def load():
    return load_transformer(minilm_folder(), 256, device="cpu", precision="auto")


class Counting:
    """An embedder that remembers which texts it was given."""

    def __init__(self, model):
        self.model, self.seen = model, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def tokenize(self, texts):
        self.seen += texts
        return self.model.tokenize(texts)


def encoded_in_shards(model, texts, **options) -> tuple[EncodedShards, np.ndarray, np.ndarray]:
    """What embedding took, the vectors, and the places of the texts that have one."""
    vectors, has_vector = [], []

    def take(of_shard, those):
        vectors.append(of_shard)
        has_vector.append(those)

    took = encode_in_shards(model, texts, take=take, **options)
    return took, np.concatenate(vectors), np.flatnonzero(np.concatenate(has_vector))


@pytest.fixture(scope="module")
def model():
    return load()


def test_a_killed_run_is_resumed_at_its_shard(zygote, model, tmp_path):
    texts = read_texts()
    zygote.start(Project(tmp_path), str(tmp_path), script=RUN).die()
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    resumed = Counting(model)
    done = []
    encoded, vectors, kept = encoded_in_shards(
        resumed, texts, version="1", folder=tmp_path, size=SIZE, report=done.append
    )
    assert resumed.seen == texts[2 * SIZE :]
    assert sum(done) == len(texts)

    whole, of_whole, _ = encoded_in_shards(
        model, texts, version="1", folder=fresh(tmp_path), size=SIZE
    )
    np.testing.assert_array_equal(vectors, of_whole)
    np.testing.assert_array_equal(kept, np.arange(len(texts)))
    assert (encoded.n_tokens, encoded.flops) == (whole.n_tokens, whole.flops)
    assert encoded.min_cosine == whole.min_cosine
    assert encoded.seconds > 0


def fresh(folder):
    inner = folder / "fresh"
    inner.mkdir()
    return inner


def test_shards_give_what_one_call_gives(model, tmp_path):
    texts = read_texts()[:40]
    whole = encode(model, texts)
    cut, vectors, _ = encoded_in_shards(model, texts, version="1", folder=tmp_path, size=SIZE)
    np.testing.assert_allclose(vectors, whole.vectors, atol=1e-2)
    assert cut.n_tokens == whole.n_tokens
    assert cut.flops == pytest.approx(whole.flops)


def test_a_shard_of_another_model_or_of_other_texts_is_not_used(model, tmp_path):
    texts = read_texts()[:20]
    encoded_in_shards(model, texts, version="1", folder=tmp_path, size=SIZE)
    for version, changed in [("2", texts), ("1", [texts[0] + " again", *texts[1:]])]:
        again = Counting(model)
        encoded_in_shards(again, changed, version=version, folder=tmp_path, size=SIZE)
        assert again.seen[:SIZE] == changed[:SIZE]


def test_a_shard_that_is_no_shard_is_an_error_with_the_remedy(model, tmp_path):
    texts = read_texts()[:5]
    encoded_in_shards(model, texts, version="1", folder=tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"delete it"):
        encoded_in_shards(model, texts, version="1", folder=tmp_path)


def test_no_text_is_no_vector(model, tmp_path):
    _, vectors, kept = encoded_in_shards(model, [], version="1", folder=tmp_path)
    assert vectors.shape == (0, model.width)
    assert kept.shape == (0,)
