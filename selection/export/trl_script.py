"""A script that trains on an exported file with TRL's `SFTTrainer`."""

from __future__ import annotations

from pathlib import Path

from selection.chats.trained import TRAINED_BY
from selection.export.files import LOADERS, DataFile
from selection.export.trl_examples import example_code, pair_of

_HEAD = '''\
"""Train a model on the rows that lie beside this script: `python train_trl.py --help`.

It needs TRL: `pip install trl`.
"""

import argparse
from pathlib import Path

import torch
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer
from trl.chat_template_utils import get_training_chat_template

'''

_LENGTHS = '''

def is_trained(message):
    """Whether a message is to be trained on, as far as it says."""
    return all(message.get(name) != 0 for name in TRAINED_BY)


def answers(messages, *, trained):
    """Places of what the assistant says, all of it or what is trained on."""
    said = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
    return [place for place in said if is_trained(messages[place])] if trained else said

def rendered(messages, tokenizer, tools, *, asks=False):
    """Messages by the model's template, with what begins an answer where one is asked for."""
    return tokenizer.apply_chat_template(
        messages, tools=tools, add_generation_prompt=asks, tokenize=False
    )


def keeps_an_answer(row, tokenizer, max_length):
    """Whether some of an answer is left when a row is cut."""
    prompt, tools = row.get("prompt"), row.get("tools")
    if isinstance(prompt, str):
        return len(tokenizer(prompt)["input_ids"]) < max_length
    if prompt is None:
        messages = row["messages"]
        prompt = messages[: answers(messages, trained=True)[0]]
    asked = rendered(prompt, tokenizer, tools, asks=True)
    return len(tokenizer(asked, add_special_tokens=False)["input_ids"]) < max_length
'''

_MASKS = '''

def told_by_template(tokenizer):
    """Whether TRL knows from the model's template what of a conversation the assistant says."""
    try:
        get_training_chat_template(tokenizer)
    except ValueError:
        return False
    return True


def all_trained(row):
    """Whether all that the assistant says is to be trained on: TRL knows of nothing else."""
    return all(is_trained(one) for one in row["messages"] if one["role"] == "assistant")


def with_masks(row, tokenizer):
    """Tokens of a conversation, and which are trained on: those that the assistant's turns add."""
    messages, tools = row["messages"], row.get("tools")
    turns = answers(messages, trained=True)
    text, said = rendered(messages, tokenizer, tools), []
    for place in turns:
        before = rendered(messages[:place], tokenizer, tools, asks=True)
        after = rendered(messages[: place + 1], tokenizer, tools)
        if not after.startswith(before) or not text.startswith(after):
            raise SystemExit(
                "the model's chat template writes earlier turns in another way once more are"
                " said: `selection export ... --format prompt-completion` writes rows that it"
                " can be trained on"
            )
        said.append((len(before), len(after)))
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [
        int(any(start < end and first < stop for start, stop in said))
        for first, end in found["offset_mapping"]
    ]
    return {"input_ids": found["input_ids"], "assistant_masks": mask}
'''

_MAIN = """

def main() -> None:
    parser = argparse.ArgumentParser(description="Train a model on the rows beside this script.")
    parser.add_argument("--model", default=MODEL, required=MODEL is None, help="folder or hub id")
    parser.add_argument("--output", default="trained", help="folder for the trained model")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--max-steps", type=int, default=-1, help="-1: as many as the epochs take")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--max-length", type=int, default=2048, help="tokens; longer rows are cut")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    file = Path(__file__).with_name(FILE)
    rows = load_dataset(LOADER, data_files=str(file), split="train")
    rows = rows.map(example, remove_columns=rows.column_names)
    tokenizer = AutoTokenizer.from_pretrained(asked.model)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = TEMPLATE
    if "text" not in rows.column_names:
        known = {"tokenizer": tokenizer, "max_length": asked.max_length}
        kept = rows.filter(keeps_an_answer, fn_kwargs=known)
        if len(kept) < len(rows):
            print(
                f"{len(rows) - len(kept):,} of {len(rows):,} rows have nothing of an answer within"
                f" {asked.max_length:,} tokens and are left out: see --max-length"
            )
        if not len(kept):
            raise SystemExit("no row is left to train on")
        rows = kept
    of_turns = "messages" in rows.column_names
    if of_turns and not (told_by_template(tokenizer) and all(map(all_trained, rows))):
        of_turns, columns = False, rows.column_names
        rows = rows.map(with_masks, fn_kwargs={"tokenizer": tokenizer}, remove_columns=columns)
    config = SFTConfig(
        output_dir=asked.output,
        num_train_epochs=asked.epochs,
        max_steps=asked.max_steps,
        per_device_train_batch_size=asked.batch_size,
        learning_rate=asked.learning_rate,
        max_length=asked.max_length,
        seed=asked.seed,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        # In conversations only what the assistant says is learnt; of a prompt with its completion
        # TRL learns the completion by itself, of a text all. Masks that are there it
        # takes as they are.
        assistant_only_loss=of_turns,
        logging_steps=1,
        report_to="none",
    )
    trainer = SFTTrainer(
        asked.model, args=config, train_dataset=rows, processing_class=tokenizer
    )
    trainer.train()
    trainer.save_model()
    tokenizer.save_pretrained(asked.output)


if __name__ == "__main__":
    main()
"""

_TEMPLATE = '''\
# For a model whose tokenizer has no chat template.
TEMPLATE = """\\
{%- if tools %}{{ "tools:\\\\n" + (tools | tojson) + "\\\\n\\\\n" }}{% endif %}
{%- for message in messages %}
{{- message["role"] + ":\\\\n" }}
{%- if message["role"] == "assistant" %}
{%- generation %}
{{- message["content"] or "" }}
{%- if message["tool_calls"] %}{{ message["tool_calls"] | tojson }}{% endif %}
{{- eos_token }}
{%- endgeneration %}
{%- else %}
{{- message["content"] }}
{%- endif %}
{{- "\\\\n\\\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "assistant:\\\\n" }}{% endif %}"""
'''


def trl_script(file: DataFile, *, model: str | None) -> str:
    """Return the script for a file.

    Parameters
    ----------
    model : that it trains unless told another; None: it must be told.
    """
    facts: dict[str, object] = {
        "FILE": file.name,
        "LOADER": LOADERS[Path(file.name).suffix],
        "COLUMNS": dict(file.renamed),
        "MODEL": model,
        "TRAINED_BY": TRAINED_BY,
    }
    facts |= pair_of(file)
    constants = "".join(f"{name} = {value!r}\n" for name, value in facts.items())
    note = "# Field of the format -> column, where the column is called otherwise: COLUMNS.\n"
    return _HEAD + note + constants + _TEMPLATE + example_code(file) + _LENGTHS + _MASKS + _MAIN
