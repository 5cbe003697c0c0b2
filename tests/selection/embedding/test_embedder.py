"""Embedders: the built-in model, one from a folder, and what both owe their callers."""

import numpy as np
import pytest

from selection.config.embedders import EmbedderSpec
from selection.embedding.batches import Batching
from selection.embedding.build import minilm_folder, write_embedder
from selection.embedding.embedder import encode, load_embedder, token_lengths
from selection.embedding.flops import encoder_flops
from selection.embedding.lanes import one_lane
from selection.embedding.tokens import Tokens

TEXTS = [
    "Return the sum of the elements along an axis.",
    "Open a connection to the server and wait for its answer.",
    "Optimal transport moves mass from one distribution to another at the least cost.",
    "A",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minilm")
    spec = EmbedderSpec.model_validate({"name": "minilm", "model": {"kind": "minilm"}})
    assert write_embedder(spec, folder, resolve=lambda path: folder / path) == 0
    return folder


@pytest.mark.usefixtures("bfloat16")
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


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_vectors_do_not_depend_on_the_batch(minilm, precision):
    model = load_embedder(minilm, precision=precision)
    together = encode(model, TEXTS).vectors.astype(np.float64)
    alone = [encode(model, [text]).vectors[0].astype(np.float64) for text in TEXTS]
    # Kernels add in another order for another number of rows, in bfloat16 with larger rounding.
    atol = 2e-3 if model.precision == "float32" else 1e-2
    np.testing.assert_allclose(together, alone, atol=atol)


def test_a_model_from_a_local_folder_is_the_same_model(minilm, tmp_path):
    model = {"kind": "sentence_transformer", "model": "here", "max_tokens": 256}
    spec = EmbedderSpec.model_validate({"name": "local", "model": model})
    write_embedder(spec, tmp_path, resolve=lambda _: minilm_folder())
    np.testing.assert_array_equal(
        encode(load_embedder(tmp_path), TEXTS).vectors, encode(load_embedder(minilm), TEXTS).vectors
    )
    assert list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.rglob("*.bin"))


def test_a_hub_model_without_a_revision_is_refused(tmp_path):
    model = {"kind": "sentence_transformer", "model": "somebody/model"}
    spec = EmbedderSpec.model_validate({"name": "hub", "model": model})
    with pytest.raises(ValueError, match="pin `revision`"):
        write_embedder(spec, tmp_path, resolve=lambda path: tmp_path / path)


def test_a_folder_that_holds_no_embedder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no embedder\.json"):
        load_embedder(tmp_path)


class Stub:
    """An embedder of two dimensions: the caller chooses each text's vector."""

    width = 2
    path = "stub"
    batching = Batching(budget=100)

    def __init__(self, vectors, precision="float32", exact=None):
        self.vectors, self.precision, self._exact = vectors, precision, exact

    def tokenize(self, texts):
        return Tokens.of(texts, [range(len(text.split())) for text in texts])

    def embed(self, tokens):
        return np.array([self.vectors[text] for text in tokens.texts], dtype=np.float32)

    def lanes(self):
        return one_lane()

    def exact(self):
        return self._exact or self

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


def test_no_text_is_no_vector():
    encoded = encode(Stub({}), [])
    assert encoded.vectors.shape == (0, 2)
    assert encoded.n_tokens == encoded.flops == 0
    assert token_lengths(Stub({}), []).shape == (0,)


def test_more_texts_than_are_read_at_once_keep_their_order():
    texts = [("word " * (i % 7 + 1)) + str(i) for i in range(1100)]
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, len(texts))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = []
    stub = Stub(dict(zip(texts, vectors, strict=True)))
    encoded = encode(stub, texts, report=done.append)
    np.testing.assert_allclose(encoded.vectors, vectors, atol=1e-3)
    assert sum(done) == len(texts)
    assert token_lengths(stub, texts).sum() == encoded.n_tokens


def test_the_error_of_bfloat16_is_measured_and_reported():
    exact = Stub({"a": [1.0, 0.0], "b": [0.0, 1.0]})
    rounded = Stub({"a": [1.0, 0.02], "b": [0.0, 1.0]}, "bfloat16", exact)
    assert encode(rounded, ["a", "b"]).min_cosine == pytest.approx(1 - 0.02**2 / 2, abs=1e-4)
    assert encode(exact, ["a", "b"]).min_cosine is None


def test_an_error_of_bfloat16_that_is_too_large_is_refused():
    exact = Stub({"a": [1.0, 0.0]})
    with pytest.raises(ValueError, match=r"cosine of 0\.9950.*`float32`"):
        encode(Stub({"a": [1.0, 0.1]}, "bfloat16", exact), ["a"])


def test_encoder_flops_are_those_of_its_matrix_products():
    lengths = np.array([3, 5])
    expected = 0
    for s in lengths:
        projections = 4 * 2 * s * 8 * 8  # query, key, value, output
        attention = 2 * (2 * s * s * 8)  # scores, and their product with the values
        ffn = 2 * (2 * s * 8 * 16)
        expected += 6 * (projections + attention + ffn)
    assert encoder_flops(layers=6, width=8, ffn_width=16, lengths=lengths) == expected
