"""Models come from a seed, a safetensors folder or a pinned commit, and from nowhere else."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from selection.models.base import (
    load_model,
    load_tokenizer,
    new_model,
    save_checkpoint,
    tiny_config,
)
from selection.models.checkpoints import weights_digest
from selection.models.safetensors_files import check_safetensors
from selection.models.tokenizer import train_tokenizer

TOKENIZER = train_tokenizer(["a few words of text"], vocab_size=260)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tiny(architecture: Any = "llama", *, layers=1):
    return tiny_config(
        architecture,
        width=16,
        layers=layers,
        heads=2,
        ffn_width=32,
        vocabulary=260,
        sequence_length=32,
    )


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(new_model(tiny(), seed=0), TOKENIZER, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_a_model_depends_on_its_seed_and_not_on_the_random_state(architecture):
    config = tiny(architecture)
    before = torch.random.get_rng_state()
    first = weights_digest(new_model(config, seed=3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(5)
    assert weights_digest(new_model(config, seed=3)) == first
    assert weights_digest(new_model(config, seed=4)) != first


def test_a_saved_model_loads_with_the_same_weights(folder):
    assert weights_digest(load_model(folder)) == weights_digest(new_model(tiny(), seed=0))
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer("few words")["input_ids"] == TOKENIZER("few words")["input_ids"]
    assert tokenizer.eos_token_id == TOKENIZER.eos_token_id
    assert not list(folder.glob("*.bin"))


def test_saving_over_an_old_checkpoint_is_refused(folder):
    with pytest.raises(ValueError, match="not empty"):
        save_checkpoint(new_model(tiny(), seed=1), TOKENIZER, folder)


def test_a_pickle_named_safetensors_is_refused(folder):
    torch.save({"weight": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors is not safetensors"):
        load_model(folder)


def test_a_folder_with_only_bin_weights_is_refused(folder):
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no \*\.safetensors"):
        load_model(folder)


def test_a_truncated_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"model\.safetensors is .*damaged: .*not fully covered"):
        load_model(folder)


@given(st.binary(max_size=40))
def test_bytes_that_are_not_safetensors_are_refused(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("raw") / "weights.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="safetensors"):
        check_safetensors(path)


def test_a_header_that_is_not_a_tensor_table_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    for header in (b"[1]", b'{"a": 3}', b'{"a": {"data_offsets": []}}', b"[" * 50_000):
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(ValueError, match=r"weights\.safetensors is not safetensors.*header"):
            check_safetensors(path)


def test_weights_that_leave_a_layer_unfilled_are_refused(folder):
    config = tiny(layers=2)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    config.save_pretrained(folder)
    with pytest.raises(ValueError, match=r"do not fill LlamaForCausalLM.*layers\.1"):
        load_model(folder)


def test_weights_that_the_model_has_no_place_for_are_refused(folder):
    save_file({"another.weight": torch.zeros(2)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="do not fill"):
        load_model(folder)


def test_a_shard_index_that_names_an_unchecked_file_is_refused(folder):
    index = {"weight_map": {"lm_head.weight": "../elsewhere.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"elsewhere\.bin"):
        load_model(folder)


def test_an_adapter_folder_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="merge it first"):
        load_model(folder)


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12], COMMIT.upper()])
def test_a_hub_model_without_a_full_commit_is_refused(revision):
    with pytest.raises(ValueError, match="40-digit commit"):
        load_model("some-user/some-model", revision=revision)


def test_a_missing_folder_is_not_taken_for_a_hub_id(tmp_path):
    with pytest.raises(ValueError, match="neither an existing folder"):
        load_model(str(tmp_path / "nothing"), revision=COMMIT)


def test_a_local_folder_with_a_revision_is_refused(folder):
    with pytest.raises(ValueError, match="no revision"):
        load_model(folder, revision=COMMIT)


def test_a_folder_without_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        load_tokenizer(folder)


@pytest.mark.slow
def test_a_pinned_hub_model_loads_from_the_local_cache_without_a_network(folder, tmp_path):
    snapshot = tmp_path / "home" / "hub" / "models--some--model" / "snapshots" / COMMIT
    shutil.copytree(folder, snapshot)
    script = (
        "from selection.models.base import load_model, load_tokenizer\n"
        "from selection.models.checkpoints import weights_digest\n"
        f"load_tokenizer('some/model', revision='{COMMIT}')\n"
        f"print(weights_digest(load_model('some/model', revision='{COMMIT}')))\n"
    )
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [weights_digest(load_model(folder))], done.stderr


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match=r"'mamba'.*gpt_neox"):
        tiny("mamba")
