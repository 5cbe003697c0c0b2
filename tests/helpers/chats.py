"""Tokenizers with the chat templates of well-known models, and conversations of real text."""

from functools import cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from selection.chats.conversation import Conversation, Turn
from selection.corpus.docstrings import read_docstrings

TEMPLATES = Path(__file__).parents[1] / "selection/models/chat_templates"

SPECIAL = {
    "chatml": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "llama3": [
        *("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"),
        *("<|start_header_id|>", "<|end_header_id|>"),
    ],
    "gemma": ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
    "mistral": ["<s>", "</s>"],
}
"""Special tokens of each: the first begins a text, and `ENDS` has what ends one."""

ENDS = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>", "gemma": "<eos>", "mistral": "</s>"}
NAMES = tuple(SPECIAL)


def template(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def tokenizer_like(name: str, *, written: str | None = None) -> PreTrainedTokenizerFast:
    """A small tokenizer with the special tokens of a model and its template, or another one."""
    made = PreTrainedTokenizerFast(
        tokenizer_object=_trained(name),
        bos_token=SPECIAL[name][0],
        eos_token=ENDS[name],
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = template(written or name)
    return made


@cache
def docstrings(package: str) -> tuple[str, ...]:
    """Real English, the same wherever the tests run."""
    return tuple(record.text for record in read_docstrings(package, min_words=5, max_words=60))


@cache
def _bytes_of(name: str) -> str:
    """Its tokenizer as JSON: byte-level like most, with marked spaces like Llama 2's family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = ["<pad>", *SPECIAL[name]]
    alphabet: list[str] = []
    if name == "mistral":
        made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        made.decoder = decoders.Metaspace(prepend_scheme="first")
        special = ["<unk>", *special]
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer: Any = trainers.BpeTrainer(
        vocab_size=800, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(docstrings("email"), trainer)
    return made.to_str()


def _trained(name: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(_bytes_of(name))


def chat(*said: str, system: str | None = None) -> Conversation:
    """Turns of the user and the assistant, in turn."""
    sides = ("user", "assistant")
    return Conversation(
        tuple(Turn(sides[place % 2], text) for place, text in enumerate(said)), system
    )


def real_chats(n: int) -> list[Conversation]:
    """Conversations of one to three questions, each with an answer, of docstrings."""
    texts = iter(docstrings("asyncio"))
    return [chat(*(next(texts) for _ in range(2 * (1 + place % 3)))) for place in range(n)]


def messages_of(conversation: Conversation) -> list[dict[str, str]]:
    """As other trainers take them."""
    system = [] if conversation.system is None else [("system", conversation.system)]
    said = [(turn.role, turn.content) for turn in conversation.turns]
    return [{"role": role, "content": content} for role, content in [*system, *said]]
