"""Where a base model comes from: made here, a local safetensors folder, or a pinned hub model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selection.models.library_errors import named_after
from selection.models.quiet import quiet_transformers
from selection.models.safetensors_files import check_model_folder
from selection.models.self_contained import check_self_contained
from selection.models.tokenizer import END_OF_TEXT, PAD, SPECIAL_TOKENS

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", re.ASCII)


def tiny_config(
    architecture: Literal["llama", "gpt_neox"],
    *,
    width: int,
    layers: int,
    heads: int,
    ffn_width: int,
    vocabulary: int,
    sequence_length: int,
) -> PretrainedConfig:
    """Config of a small decoder with tied embeddings, for a tokenizer made by `train_tokenizer`.

    Raises
    ------
    ValueError
        For another architecture or a width that the heads do not divide.
    """
    from transformers import GPTNeoXConfig, LlamaConfig

    classes = {"llama": LlamaConfig, "gpt_neox": GPTNeoXConfig}
    if architecture not in classes:
        raise ValueError(f"unknown architecture {architecture!r}; known: {sorted(classes)}")
    if width % (2 * heads):
        raise ValueError(
            f"width {width} must be an even multiple of heads {heads} (rotary position pairs)"
        )
    return classes[architecture](
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=ffn_width,
        vocab_size=vocabulary,
        max_position_embeddings=sequence_length,
        tie_word_embeddings=True,
        bos_token_id=SPECIAL_TOKENS.index(END_OF_TEXT),
        eos_token_id=SPECIAL_TOKENS.index(END_OF_TEXT),
        pad_token_id=SPECIAL_TOKENS.index(PAD),
    )


def new_model(config: PretrainedConfig, *, seed: int) -> PreTrainedModel:
    """Make a decoder with random float32 weights that depend on the config and the seed only.

    The caller's random state is left as it was.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def with_adapters(model: PreTrainedModel, *, rank: int, seed: int) -> Any:
    """Wrap a decoder with LoRA adapters on all linear layers but the head, alpha twice the rank."""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def load_model(folder_or_id: str | Path, *, revision: str | None = None) -> PreTrainedModel:
    """Load a decoder in float32 from a local folder, or from the hub at a pinned commit.

    Only safetensors are read, checked by content; code shipped with a model is never run.

    Raises
    ------
    ValueError
        For an unpinned hub id, a missing or unsafe folder, or weights that do not fill the model
        exactly (transformers would give missing weights random values with a mere warning).
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = model_folder(folder_or_id, revision=revision)
    check_model_folder(folder)
    with quiet_transformers():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    model, report = loaded
    problems = {name: sorted(map(str, keys)) for name, keys in report.items() if keys}
    if problems:
        raise ValueError(f"the weights in {folder} do not fill {type(model).__name__}: {problems}")
    return model


def load_tokenizer(
    folder_or_id: str | Path, *, revision: str | None = None
) -> PreTrainedTokenizerBase:
    """Load a fast tokenizer (tokenizer.json) from where `load_model` would load the model.

    A tokenizer without a padding token pads with its end-of-text token: padding is never attended
    to or counted here, so any id does.

    Raises
    ------
    ValueError
        As `load_model`, when there is no tokenizer.json or no end-of-text token, or when another
        tokenizer's file is named (`check_self_contained`).
    """
    from transformers import AutoTokenizer

    folder = model_folder(folder_or_id, revision=revision)
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{folder} has no tokenizer.json: only fast tokenizers are supported")
    check_self_contained(folder)
    with named_after(folder):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    if tokenizer.eos_token is None:
        raise ValueError(f"the tokenizer in {folder} defines no end-of-text token (eos_token)")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def save_checkpoint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    """Write safetensors, config and tokenizer into an empty or new folder.

    Raises
    ------
    ValueError
        When the folder already holds something: old shards would mix with new ones.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: give each checkpoint its own folder")
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def kept_folder(folder_or_id: str, *, revision: str | None = None) -> Path | None:
    """Folder of a model that is on this machine; None for a hub's that would be downloaded.

    Raises
    ------
    ValueError
        As `model_folder`, and where a hub's model is neither here nor to be had.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if Path(folder_or_id).is_dir() or constants.HF_HUB_OFFLINE:
        return model_folder(folder_or_id, revision=revision)
    _check_pinned(folder_or_id, revision)
    try:
        return Path(snapshot_download(folder_or_id, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def model_folder(
    folder_or_id: str | Path, *, revision: str | None = None, weights: bool = True
) -> Path:
    """Folder of a model's files; a hub model's root files are downloaded first.

    Parameters
    ----------
    weights : False downloads what describes the model and its tokenizer only.

    Raises
    ------
    ValueError
        For what is neither a folder nor a hub id at a pinned commit, and for a hub's model that is
        not to be had.
    """
    folder = Path(folder_or_id)
    if folder.is_dir():
        if revision is not None:
            raise ValueError(f"{folder} is a local folder: it has no revision, drop {revision!r}")
        return folder
    _check_pinned(folder_or_id, revision)
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = constants.HF_HUB_OFFLINE
    try:
        found = snapshot_download(
            str(folder_or_id),
            revision=revision,
            allow_patterns=[
                "*.json",
                "chat_template.jinja",
                *(["*.safetensors"] if weights else []),
            ],
            ignore_patterns=["*/*"],
            # for a commit hash the hub client lists the remote files even when it is offline
            local_files_only=offline,
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ValueError(
            f"the hub has no model {folder_or_id!r} at revision {revision}, or none that you may"
            f" read: look at its list of commits, or log in with `hf auth login` ({error})"
        ) from error
    except LocalEntryNotFoundError as error:
        why = "HF_HUB_OFFLINE is set" if offline else "the hub could not be reached"
        raise ValueError(
            f"hub model {folder_or_id!r} at revision {revision} is not in the local cache"
            f" {constants.HF_HUB_CACHE}, and {why}: correct the revision, or download it first with"
            f" `hf download {folder_or_id} --revision {revision}`"
        ) from error
    return Path(found)


def _check_pinned(folder_or_id: str | Path, revision: str | None) -> None:
    if isinstance(folder_or_id, Path) or not _HUB_ID.fullmatch(folder_or_id):
        raise ValueError(f"{folder_or_id} is neither an existing folder nor a hub id")
    if revision is None or not _COMMIT.fullmatch(revision):
        raise ValueError(
            f"hub model {folder_or_id!r} needs a pinned revision: the full 40-digit commit hash, "
            f"got {revision!r}"
        )
