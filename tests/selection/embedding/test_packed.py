"""The packed encoder and static embedder give what the libraries they replace give."""

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from selection.basics.hardware import BFLOAT16_VARIABLE
from selection.corpus.docstrings import read_docstrings
from selection.embedding import bert, lanes
from selection.embedding.build import minilm_folder
from selection.embedding.embedder import encode, token_lengths
from selection.embedding.lanes import in_order, one_lane, torch_lanes
from selection.embedding.precision import choose_precision
from selection.embedding.static import StaticEmbedder
from selection.embedding.transformer import load_transformer

MAX_TOKENS = 128


@pytest.fixture(scope="module")
def texts():
    """Real texts of 4 to more than 128 tokens, an empty one and one beyond ASCII."""
    found = [record.text for record in read_docstrings("email", min_words=2, max_words=400)]
    assert max(len(text.split()) for text in found) > MAX_TOKENS
    return [*found[:90], "", "Größe — 数量 \t\x00 ﬁn 🙂"]


@pytest.fixture(scope="module")
def short(texts):
    """Few of them, one of them long: where no kernel multiplies in bfloat16, it is slow."""
    by_length = sorted(texts, key=len)
    return [*by_length[:10], by_length[-1]]


@pytest.fixture(scope="module")
def theirs(texts):
    """The reference: sentence-transformers in float32."""
    return reference(minilm_folder(), texts)


def reference(folder, texts):
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return model.encode(texts, normalize_embeddings=True)


def load(folder, precision="float32"):
    return load_transformer(folder, MAX_TOKENS, device="cpu", precision=precision)


def raw_cosines(model, texts, theirs):
    """Cosines before vectors are rounded to float16."""
    tokens = model.tokenize(texts)
    ours = np.zeros((len(texts), model.width))
    with model.lanes():
        for batch in model.batching.plan(tokens.lengths):
            ours[batch] = model.embed(tokens.take(batch))
    return (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1)


@pytest.mark.parametrize("fused", [True, False])
def test_packed_float32_is_sentence_transformers(texts, theirs, fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(bert, "fuses", lambda *_: False)
    model = load(minilm_folder())
    assert model.path == "packed BERT"
    assert raw_cosines(model, texts, theirs).min() > 0.99999


@pytest.mark.usefixtures("shown_bfloat16")
@pytest.mark.parametrize("fused", [True, False])
def test_bfloat16_reports_the_error_that_it_has(short, fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(bert, "fuses", lambda *_: False)
    model = load(minilm_folder(), "bfloat16")
    encoded = encode(model, short)
    cosines = raw_cosines(model, short, reference(minilm_folder(), short))
    assert cosines.min() > 0.999
    # The sample may miss the worst text, and float16 rounding is in what it reports.
    assert cosines.min() - 1e-4 < encoded.min_cosine <= 1


def test_auto_embeds_in_bfloat16_where_the_processor_has_it(texts, bfloat16, tmp_path):
    folder = small_bert(tmp_path, pooling="mean")
    model = load(folder, "auto")
    assert model.precision == ("bfloat16" if bfloat16 else "float32")
    cosines = raw_cosines(model, texts, reference(folder, texts))
    assert cosines.min() > (0.999 if bfloat16 else 0.99999)
    measured = encode(model, texts).min_cosine
    assert measured is not None if bfloat16 else measured is None


def small_bert(folder, *, pooling):
    """A BERT of two layers with random weights, and MiniLM's tokenizer."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96
    )
    return with_modules(folder, BertModel(config), lambda: [Pooling(64, pooling)])


def with_modules(folder, encoder, rest):
    encoder.save_pretrained(folder / "encoder")
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / "encoder" / file).write_bytes((minilm_folder() / file).read_bytes())
    transformer = Transformer(str(folder / "encoder"), max_seq_length=MAX_TOKENS)
    SentenceTransformer(modules=[transformer, *rest()], device="cpu").save_pretrained(
        str(folder / "model"), create_model_card=False
    )
    return folder / "model"


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_model_says_how_it_pools(texts, pooling, tmp_path):
    folder = small_bert(tmp_path, pooling=pooling)
    model = load(folder)
    assert model.path == "packed BERT"
    assert raw_cosines(model, texts, reference(folder, texts)).min() > 0.99999


@pytest.mark.usefixtures("bfloat16")
def test_what_packing_does_not_cover_goes_through_the_library(texts, tmp_path):
    distil = DistilBertModel(DistilBertConfig(dim=64, n_layers=1, n_heads=4, hidden_dim=96))
    cases = {
        "pools by max": small_bert(tmp_path / "max", pooling="max"),
        "no BertModel": with_modules(tmp_path / "distil", distil, lambda: [Pooling(64, "mean")]),
        "follow its pooling": with_modules(
            tmp_path / "dense",
            BertModel(BertConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=4)),
            lambda: [Pooling(64, "mean"), Dense(64, 32)],
        ),
    }
    for reason, folder in cases.items():
        model = load(folder, "auto")
        assert model.path.startswith("sentence-transformers") and reason in model.path
        assert model.precision == "float32"
        assert raw_cosines(model, texts[:20], reference(folder, texts[:20])).min() > 0.99999


def test_bfloat16_is_refused_where_the_processor_lacks_it(monkeypatch):
    monkeypatch.setenv(BFLOAT16_VARIABLE, "no")
    assert choose_precision("auto", "cpu") == "float32"
    with pytest.raises(ValueError, match="set `auto` or `float32`"):
        choose_precision("bfloat16", "cpu")


@pytest.mark.parametrize("variant", ["plain", "weights", "mapping"])
def test_a_static_model_gives_what_model2vec_gives(texts, variant, tmp_path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    random = np.random.default_rng(0)
    size = tokenizer.get_vocab_size()
    rows = 1000 if variant == "mapping" else size
    StaticModel(
        random.normal(size=(rows, 16)).astype(np.float32),
        tokenizer,
        weights=random.uniform(size=size).astype(np.float32) if variant != "plain" else None,
        token_mapping=random.integers(rows, size=size) if variant == "mapping" else None,
    ).save_pretrained(tmp_path)
    model = StaticEmbedder.load(tmp_path, "auto")
    texts = [*texts, "word " * 1000, "word" * 3000]
    theirs = model.model.encode(texts, use_multiprocessing=False)
    encoded = encode(model, texts)
    norms = np.linalg.norm(theirs, axis=1)
    np.testing.assert_array_equal(encoded.kept, np.flatnonzero(norms > 0))
    expected = theirs[encoded.kept] / norms[encoded.kept, None]
    np.testing.assert_allclose(encoded.vectors, expected, atol=1e-3)
    assert token_lengths(model, texts).sum() == encoded.n_tokens
    with pytest.raises(ValueError, match="static"):
        StaticEmbedder.load(tmp_path, "bfloat16")


def test_lanes_leave_the_number_of_threads_as_it_was(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        monkeypatch.setattr(lanes, "MAX_LANES", 2)
        with torch_lanes() as (pool, count):
            assert count == 2
            assert pool.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 4
        with one_lane() as (pool, _):
            assert pool.submit(torch.get_num_threads).result() == 4
    finally:
        torch.set_num_threads(before)


def test_results_come_in_order_and_few_items_are_taken_ahead():
    taken = []

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    with torch_lanes() as (pool, _):
        for i, result in enumerate(in_order(pool, lambda x: x * x, items(), ahead=3)):
            assert result == i * i
            assert len(taken) <= i + 3
