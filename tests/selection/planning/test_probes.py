"""Every probe runs the stages' own code on real text, charges it, and leaves nothing behind."""

import inspect
import math
import statistics

import pytest

from selection.config.decoders import TinyBase
from selection.costs import ModelShape, training_flops
from selection.embedding.build import write_embedder
from selection.embedding.embedder import load_embedder, token_lengths
from selection.models.base import load_model
from selection.models.examples import Example
from selection.models.recipe import Recipe
from selection.models.tokenizer import train_tokenizer
from selection.planning import measuring
from selection.planning.arithmetic import probe_arithmetic, probe_distances
from selection.planning.measuring import Probed
from selection.planning.probes import (
    probe_embedding,
    probe_evaluation,
    probe_fine_tuning,
    probe_training,
    write_untrained,
)

DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
TEXTS = sorted({text for text in DOCUMENTED if text})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
EXAMPLES = [Example(str(n), text[:200], label="ab"[n % 2]) for n, text in enumerate(TEXTS)]
BASE = TinyBase(
    kind="tiny", width=16, layers=1, heads=2, ffn_width=32, vocabulary=400, sequence_length=32
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Two sizes, each measured once: no test looks at how long anything took."""
    monkeypatch.setattr(measuring, "ENOUGH", 0.0)
    monkeypatch.setattr(measuring, "REPEATS", 1)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast") / "base"
    write_untrained(BASE, TOKENIZER, folder)
    return folder


@pytest.fixture
def options(base):
    shape = ModelShape.from_config(load_model(base).config)
    return {"shape": shape, "accountant": "detailed", "device": "cpu"}


def check(probed: Probed) -> None:
    assert probed.rate.fixed_seconds >= 0
    assert 0 < probed.rate.seconds_per_flop < math.inf
    assert probed.flops > 0
    assert probed.seconds > 0


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_training_is_charged_by_the_block_and_leaves_no_file(lora_rank, base, options, tmp_path):
    recipe = Recipe(batch_size=4, epochs=3, lora_rank=lora_rank)
    before = sorted(path.name for path in base.iterdir())
    probed = probe_training(base, TEXTS, recipe, **options, work=tmp_path)
    check(probed)
    block = training_flops(options["shape"], 32, lora=lora_rank is not None)
    assert probed.flops / block == pytest.approx(round(probed.flops / block), abs=1e-6)
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in base.iterdir()) == before


def test_fine_tuning_is_measured_on_the_target_s_examples(base, options, tmp_path):
    check(probe_fine_tuning(base, EXAMPLES, Recipe(batch_size=4), **options, work=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("labels", [[], ["a", "b"]])
def test_evaluation_is_measured_with_and_without_labels(labels, base, options):
    check(probe_evaluation(base, EXAMPLES, labels, **options))


def test_embedding_is_charged_by_the_embedder(tmp_path):
    from selection.config.embedders import EmbedderSpec

    spec = EmbedderSpec.model_validate({"name": "minilm", "model": {"kind": "minilm"}})
    write_embedder(spec, tmp_path, resolve=lambda _: tmp_path)
    embedder = load_embedder(tmp_path, precision="float32")
    probed = probe_embedding(embedder, TEXTS[:4])
    check(probed)
    one = embedder.flops(token_lengths(embedder, TEXTS[:1]))
    assert probed.flops >= 2 * one + embedder.flops(token_lengths(embedder, TEXTS[:4]))


def test_distances_take_time_and_no_charged_flops():
    probed = probe_distances(n_rows=30, n_target=20, width=16)
    assert probed.rate.fixed_seconds > 0
    assert (probed.rate.seconds_per_flop, probed.flops) == (0, 0)


def test_one_text_is_too_little_to_measure_training(base, options, tmp_path):
    with pytest.raises(ValueError, match="two sizes"):
        probe_training(base, ["short"], Recipe(), **options, work=tmp_path)


def test_products_of_arrays_are_measured():
    check(probe_arithmetic())
