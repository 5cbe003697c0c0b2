"""Embedders: the built-in model, one from a folder, and what both owe their callers."""

import numpy as np
import pytest

from selection.config.study import Embedder
from selection.embedding.build import build_embedder, minilm_folder
from selection.embedding.embedder import encode, load_embedder
from selection.embedding.flops import encoder_flops

TEXTS = [
    "Return the sum of the elements along an axis.",
    "Open a connection to the server and wait for its answer.",
    "Optimal transport moves mass from one distribution to another at the least cost.",
    "A",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minilm")
    spec = Embedder.model_validate({"name": "minilm", "model": {"kind": "minilm"}})
    assert build_embedder(spec, folder, resolve=lambda path: folder / path) == 0
    return folder


def test_the_built_in_model_gives_what_sentence_transformers_gives(minilm):
    from sentence_transformers import SentenceTransformer

    encoded = encode(load_embedder(minilm), TEXTS)
    theirs = SentenceTransformer(str(minilm_folder()), device="cpu").encode(
        TEXTS, normalize_embeddings=True
    )
    cosines = (encoded.vectors.astype(np.float64) * theirs).sum(axis=1)
    assert encoded.vectors.dtype == np.float16
    np.testing.assert_allclose(cosines, 1, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(encoded.vectors.astype(float), axis=1), 1, atol=1e-3)


def test_vectors_do_not_depend_on_the_batch(minilm):
    model = load_embedder(minilm)
    together = encode(model, TEXTS, batch_size=4).vectors.astype(np.float64)
    alone = encode(model, TEXTS, batch_size=1).vectors.astype(np.float64)
    np.testing.assert_allclose(together, alone, atol=2e-3)


def test_a_model_from_a_local_folder_is_the_same_model(minilm, tmp_path):
    model = {"kind": "sentence_transformer", "model": "here", "max_tokens": 256}
    spec = Embedder.model_validate({"name": "local", "model": model})
    build_embedder(spec, tmp_path, resolve=lambda _: minilm_folder())
    np.testing.assert_array_equal(
        encode(load_embedder(tmp_path), TEXTS).vectors, encode(load_embedder(minilm), TEXTS).vectors
    )
    assert list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.rglob("*.bin"))


def test_a_hub_model_without_a_revision_is_refused(tmp_path):
    model = {"kind": "sentence_transformer", "model": "somebody/model"}
    spec = Embedder.model_validate({"name": "hub", "model": model})
    with pytest.raises(ValueError, match="pin `revision`"):
        build_embedder(spec, tmp_path, resolve=lambda path: tmp_path / path)


def test_a_folder_that_holds_no_embedder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no embedder\.json"):
        load_embedder(tmp_path)


class Stub:
    """An embedder of two dimensions: the caller chooses each text's vector."""

    width = 2

    def __init__(self, vectors):
        self.vectors = vectors

    def count_tokens(self, texts):
        return np.array([len(text.split()) for text in texts])

    def encode_batch(self, texts):
        return np.array([self.vectors[text] for text in texts], dtype=np.float32)

    def flops(self, n_tokens):
        return float(n_tokens.sum())


def test_a_zero_vector_is_left_out_and_named_by_its_absence():
    encoded = encode(Stub({"a b": [3.0, 4.0], "c": [0.0, 0.0], "d": [1.0, 0.0]}), ["a b", "c", "d"])
    assert encoded.kept.tolist() == [0, 2]
    np.testing.assert_allclose(encoded.vectors, [[0.6, 0.8], [1, 0]], atol=1e-3)
    assert encoded.n_tokens == encoded.flops == 4


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite_is_an_error_with_its_place(bad):
    with pytest.raises(ValueError, match="for text 1"):
        encode(Stub({"a": [1.0, 0.0], "b": [bad, 0.0]}), ["a", "b"])


def test_encoder_flops_are_those_of_its_matrix_products():
    lengths = np.array([3, 5])
    expected = 0
    for s in lengths:
        projections = 4 * 2 * s * 8 * 8  # query, key, value, output
        attention = 2 * (2 * s * s * 8)  # scores, and their product with the values
        ffn = 2 * (2 * s * 8 * 16)
        expected += 6 * (projections + attention + ffn)
    assert encoder_flops(layers=6, width=8, ffn_width=16, lengths=lengths) == expected
