"""A model's folder that names files elsewhere, in each way that the libraries would follow."""

import json
import shutil
from pathlib import Path

import pytest
from smallest_study import write_model

from selection.config.embedders import EmbedderSpec, SentenceTransformerModel
from selection.embedding.build import minilm_folder, write_embedder
from selection.embedding.encoder_folder import (
    check_encoder_folder,
    texts_unknown,
    texts_unknown_to,
)
from selection.models.self_contained import check_self_contained

TRANSFORMER = "sentence_transformers.models.Transformer"
OUTSIDE = {
    "an adapter's base": ("adapter_config.json", {"base_model_name_or_path": "../other"}),
    "an adapter below": ("0_Transformer/adapter_config.json", {}),
    "a module": ("modules.json", [{"path": "../../other", "type": TRANSFORMER}]),
    "a route": ("router_config.json", {"types": {"../other": TRANSFORMER}}),
    "shards": ("model.safetensors.index.json", {"weight_map": {"a": "../other.safetensors"}}),
    "a tokenizer's file": ("tokenizer_config.json", {"tokenizer_file": "/etc/tokenizer.json"}),
    "a tokenizer's words": ("tokenizer_config.json", {"vocab_file": "../vocab.txt"}),
    "another tokenizer": ("sentence_bert_config.json", {"tokenizer_name_or_path": "/some/where"}),
    "its file, deeper": (
        "sentence_bert_config.json",
        {"tokenizer_args": {"tokenizer_file": "/some/tokenizer.json"}},
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("made") / "model")


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def build(folder: Path, to: Path) -> None:
    model = SentenceTransformerModel(kind="sentence_transformer", model=str(folder), max_tokens=16)
    write_embedder(EmbedderSpec(name="e", model=model), to, resolve=Path)


@pytest.mark.parametrize("way", OUTSIDE)
def test_what_leads_out_of_the_folder_is_refused_with_its_file(folder, tmp_path, way):
    check_self_contained(folder)
    name, content = OUTSIDE[way]
    write(folder / name, content)
    with pytest.raises(ValueError, match=name.split("/")[-1].split("_")[0]) as refused:
        build(folder, tmp_path / "built")
    assert "does not lie in" in str(refused.value) or "merge it first" in str(refused.value)
    assert not (tmp_path / "built").exists()


def test_names_that_no_library_follows_are_left_alone(folder):
    config = folder / "tokenizer_config.json"
    old = {"special_tokens_map_file": "/elsewhere/map.json", "name_or_path": "/elsewhere/model"}
    write(config, json.loads(config.read_text()) | old)
    write(folder / "notes.json", {"vocab_file": None})
    check_self_contained(folder)
    check_self_contained(minilm_folder())


def test_what_the_cache_of_a_hub_holds_are_links_and_lies_within(folder, tmp_path):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            blob = tmp_path / "blobs" / str(abs(hash(path)))
            blob.parent.mkdir(exist_ok=True)
            path.rename(blob)
            path.symlink_to(blob)
    write(folder / "special.json", {"vocab_file": "tokenizer.json"})
    assert check_encoder_folder(folder) == folder


def test_an_embedder_whose_first_module_reads_no_text_as_a_transformer_does_is_named(folder):
    write(folder / "modules.json", [{"path": "", "type": "sentence_transformers.models.BoW"}])
    with pytest.raises(ValueError, match="its first module is BoW; only a Transformer"):
        check_encoder_folder(folder)
    write(folder / "modules.json", [{"name": "0"}])
    with pytest.raises(ValueError, match=r"modules\.json is no list of modules with `type`"):
        check_encoder_folder(folder)


def test_an_embedder_without_a_tokenizer_is_not_made(folder, tmp_path):
    """The libraries load it, and read every word as the same unknown one."""
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    (tmp_path / "built").mkdir()
    with pytest.raises(ValueError, match="has no tokenizer, so that every word is unknown"):
        build(folder, tmp_path / "built")
    assert not any((tmp_path / "built").iterdir())


def test_texts_in_letters_that_a_tokenizer_does_not_know_are_counted():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
    file = minilm_folder() / "tokenizer.json"
    for texts, unknown in ((["known words", "ꙮ", "ꙮ and", "ꙮ " * 200 + "and"], 1), ([], 0)):
        assert texts_unknown(tokenizer, texts) == unknown
        assert texts_unknown_to(file, texts) == unknown
