from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from smallest_study import write_model
from tokenizers import Tokenizer

from selection.config.embedders import EmbedderSpec, Tuning
from selection.corpus.docstrings import read_docstrings
from selection.embedding.build import minilm_folder, write_embedder
from selection.embedding.embedder import DESCRIPTION_FILE, encode, load_embedder
from selection.embedding.tuning import contrastive_loss, tune_embedder, tuning_flops

TEXTS = sorted({r.text for r in read_docstrings("http", min_words=8, max_words=60)})
SEEN, HELD_OUT = TEXTS[::2][:60], TEXTS[1::2][:60]


@pytest.fixture(scope="module", params=["static", "transformer"])
def untuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedder of either family that has learnt nothing, with MiniLM's tokenizer."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "static":
        return write_static(folder / "made")
    model = {"kind": "sentence_transformer", "max_tokens": 32}
    model["model"] = str(write_model(folder / "source"))
    spec = EmbedderSpec.model_validate({"name": "one", "model": model})
    write_embedder(spec, folder / "made", resolve=Path)
    return folder / "made"


def write_static(folder: Path) -> Path:
    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    vectors = np.random.default_rng(0).normal(scale=0.2, size=(tokenizer.get_vocab_size(), 32))
    StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(folder / "model")
    (folder / DESCRIPTION_FILE).write_text('{"family": "static"}')
    return folder


def tuning(folder: Path, **options) -> Tuning:
    rate = 0.01 if "static" in str(folder) else 0.003
    return Tuning.model_validate({"learning_rate": rate, "batch_size": 16, "epochs": 4} | options)


def half(text: str, first: int) -> str:
    """Every other word: halves of a text share no word's place."""
    return " ".join(text.split()[first::2])


def told_apart(folder: Path, texts: list[str]) -> float:
    """Mean cosine of the halves of a text, less that of halves of different texts."""
    model = load_embedder(folder, precision="float32")
    one, other = (
        encode(model, [half(text, first) for text in texts]).vectors.astype(float)
        for first in (0, 1)
    )
    cosines = one @ other.T
    own = np.trace(cosines) / len(texts)
    return own - (cosines.sum() - np.trace(cosines)) / (cosines.size - len(texts))


def test_held_out_texts_of_the_target_are_told_apart_better(untuned: Path, tmp_path: Path):
    done = tune_embedder(untuned, tmp_path / "tuned", SEEN, tuning(untuned))
    assert done.losses[-1] < done.losses[0] and done.n_texts == len(SEEN)
    assert told_apart(tmp_path / "tuned", HELD_OUT) > told_apart(untuned, HELD_OUT) + 0.02


def test_the_same_seed_gives_the_same_files_and_another_other_ones(untuned: Path, tmp_path: Path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        tune_embedder(untuned, tmp_path / name, SEEN, tuning(untuned, epochs=1, seed=seed))
    one, same, other = (contents(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one.keys() == other.keys() == contents(untuned).keys()
    changed = {name for name in one if one[name] != other[name]}
    assert changed == {name for name in one if name.endswith(".safetensors")}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_it_takes_was_foreseen(untuned: Path, tmp_path: Path):
    options = tuning(untuned)
    done = tune_embedder(untuned, tmp_path / "tuned", SEEN, options)
    model = load_embedder(untuned, precision="float32")
    assert done.flops == tuning_flops(model, model.tokenize(SEEN).lengths, options)


def test_the_embedder_that_is_tuned_stays_as_it_was(untuned: Path, tmp_path: Path):
    before = contents(untuned)
    tune_embedder(untuned, tmp_path / "tuned", SEEN, tuning(untuned, epochs=1))
    assert contents(untuned) == before


def test_texts_of_which_fewer_than_two_can_be_read_are_refused(untuned: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="1 of the target's 1 texts hold a token"):
        tune_embedder(untuned, tmp_path / "tuned", SEEN[:1], tuning(untuned))


def test_the_loss_is_infonce_both_ways():
    one, other = torch.randn(
        2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    x, y = (v.numpy() / np.linalg.norm(v.numpy(), axis=1, keepdims=True) for v in (one, other))
    odds = np.exp(x @ y.T / 0.1)
    direct = -np.log(np.diag(odds) / odds.sum(axis=1)).mean() / 2
    direct += -np.log(np.diag(odds) / odds.sum(axis=0)).mean() / 2
    assert float(contrastive_loss(one, other, 0.1)) == pytest.approx(direct)
