"""A configuration that trains on an exported file with axolotl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from selection.export.files import LOADERS, DataFile

NO_MODEL = "path-or-id-of-the-model"

TEMPLATE = "tokenizer_default_fallback_chatml"
"""The tokenizer's own, and another only where it has none."""

ROLES: Mapping[str, list[str]] = {
    "system": ["system", "developer"],
    "user": ["user", "human"],
    "assistant": ["assistant", "gpt", "model", "chatgpt", "function_call"],
    "tool": ["tool", "function", "observation"],
}


def axolotl_config(file: DataFile, *, model: str | None) -> str | None:
    """Return a configuration for a file; None for what axolotl would not read, or not all of.

    Parameters
    ----------
    model : that it trains; None: a placeholder.
    """
    rows = _data_set(file)
    if rows is None:
        return None
    loader = LOADERS[Path(file.name).suffix]
    config: dict[str, object] = {
        "base_model": model or NO_MODEL,
        "datasets": [{"path": file.name, "ds_type": loader, **rows}],
        "train_on_inputs": False,
        "val_set_size": 0,
        "sequence_len": 2048,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "num_epochs": 1,
        "optimizer": "adamw_torch",
        "learning_rate": 2e-5,
        "lr_scheduler": "cosine",
        "warmup_ratio": 0.1,
        "bf16": "auto",
        "gradient_checkpointing": True,
        "output_dir": "trained",
    }
    if rows["type"] == "chat_template":
        config["chat_template"] = TEMPLATE
    first = "# In this folder: axolotl train axolotl.yaml --base-model ID_OR_FOLDER\n"
    return first + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _data_set(file: DataFile) -> dict[str, object] | None:
    """Axolotl's words for a format."""
    match file.format:
        case "text":
            return {"type": "completion", "field": file.column("text")}
        case _ if len(file.untrained) > 1:  # it reads one name only
            return None
        case "messages" if not file.has("system"):
            return _chat(file, "messages", {})
        case "sharegpt" if not file.has("system"):
            return _chat(file, "conversations", {"role": "from", "content": "value"})
        case "alpaca" if not (file.has("history") or file.has("tools")):
            if file.renamed or file.has("system"):
                return _asked(file, "instruction", "output")
            return {"type": "alpaca"}
        case "prompt-completion" | "prompt-response" | "question-answer" if not file.has("tools"):
            asked, answered = file.format.split("-")
            if file.is_listed(asked) or file.is_listed(answered):
                return None
            return _asked(file, asked, answered)
        case _:
            return None


def _chat(file: DataFile, field: str, names: Mapping[str, str]) -> dict[str, object]:
    chat: dict[str, object] = {
        "type": "chat_template",
        "chat_template": TEMPLATE,
        "field_messages": file.column(field),
        "roles": {role: list(said) for role, said in ROLES.items()},
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }
    if file.has("tools"):
        chat["field_tools"] = file.column("tools")
    for name in file.untrained:
        chat["message_field_training"] = name
    if names:
        chat["message_property_mappings"] = dict(names)
    return chat


def _asked(file: DataFile, asked: str, answered: str) -> dict[str, object]:
    """A question with its answer, as axolotl's user-defined type."""
    shape: dict[str, object] = {
        "field_instruction": file.column(asked),
        "field_output": file.column(answered),
        "field_system": file.column("system"),
        # Axolotl would look for a column `input` by itself.
        "field_input": file.column("input") if asked == "instruction" else "",
        "system_format": "{system}\n\n",
        "format": "{instruction}\n\n{input}\n\n",
        "no_input_format": "{instruction}\n\n",
    }
    return {"type": shape}
