"""Models of sentence-transformers: packed where their shape allows it, else as the library does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.embedding.batches import Batching
from selection.embedding.bert import PackedBert
from selection.embedding.flops import encoder_flops
from selection.embedding.lanes import one_lane, torch_lanes
from selection.embedding.precision import EmbeddingPrecision, Wanted, choose_precision
from selection.embedding.tokens import Tokens

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CPU_BUDGET = 4096
GPU_BUDGET = 65_536

AS_THE_LIBRARY = Batching(budget=16_384, shortest_share=0.95)
"""It pads a batch to its longest text."""


def load_transformer(
    folder: Path, max_tokens: int, *, device: str, precision: Wanted
) -> PackedEmbedder | SentenceEmbedder:
    """Load a folder of sentence-transformers, on the fastest path that its model has.

    Raises
    ------
    ValueError
        When bfloat16 is asked for and the device does not have it.
    """
    from sentence_transformers import SentenceTransformer

    chosen = choose_precision(precision, device)
    model = SentenceTransformer(
        str(folder),
        device=device,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True, "dtype": "float32"},
    )
    model.max_seq_length = max_tokens
    reason = why_not_packed(model, max_tokens)
    if reason is None:
        return PackedEmbedder(model, max_tokens, device, chosen)
    # The library also pools in bfloat16, which alone can cost more than the error allowed.
    chosen = chosen if precision == "bfloat16" else "float32"
    return SentenceEmbedder(model, max_tokens, chosen, f"sentence-transformers, since {reason}")


def why_not_packed(model: SentenceTransformer, max_tokens: int) -> str | None:
    """Say what about the model `PackedBert` does not do; None when it does everything."""
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertModel

    modules: list[Any] = list(model)
    if type(modules[0]) is not Transformer or type(modules[0].auto_model) is not BertModel:
        return "its encoder is no BertModel"
    if len(modules) < 2 or type(modules[1]) is not Pooling:
        return "its second module is no pooling"
    if modules[1].pooling_mode not in ("mean", "cls"):
        return f"it pools by {modules[1].pooling_mode}"
    if any(type(module) is not Normalize for module in modules[2:]):
        return "modules other than a normalisation follow its pooling"
    bert = modules[0].auto_model.config
    if bert.hidden_act != "gelu" or bert.is_decoder or bert.add_cross_attention:
        return "its layers are not those of BERT"
    if getattr(bert, "position_embedding_type", "absolute") != "absolute":
        return "its positions are not absolute"
    if max_tokens > bert.max_position_embeddings:
        return f"it has {bert.max_position_embeddings} positions"
    tokenizer = modules[0].tokenizer
    if tokenizer is None or not tokenizer.is_fast or tokenizer.truncation_side != "right":
        return "its tokenizer is of another kind"
    if _Sized(model, max_tokens).prompt or model.truncate_dim is not None:
        return "it has a prompt or cuts its vectors"
    return None


@dataclass(frozen=True)
class _Sized:
    """What can be said of any model of sentence-transformers before it runs."""

    model: SentenceTransformer
    max_tokens: int

    @property
    def width(self) -> int:
        """Width of the vectors."""
        width = self.model.get_embedding_dimension()
        assert width is not None
        return int(width)

    @property
    def prompt(self) -> str:
        """What the model puts before every text unless it is told otherwise."""
        return self.model.prompts.get(self.model.default_prompt_name or "") or ""

    @property
    def lead(self) -> int:
        """Tokens before a text's own: the one that marks its start, and its prompt's."""
        if not self.prompt:
            return 1
        return len(self.model.tokenizer(self.prompt)["input_ids"]) - 1

    def flops(self, n_tokens: np.ndarray) -> float:
        """Detailed count of an encoder's forward pass, padding left out."""
        transformer: Any = self.model[0]
        config = transformer.auto_model.config
        return encoder_flops(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            ffn_width=config.intermediate_size,
            lengths=n_tokens,
        )


@dataclass(frozen=True)
class PackedEmbedder(_Sized):
    """A BERT-shaped model whose batches hold next to no padding, run on one device."""

    device: str
    precision: EmbeddingPrecision
    path: str = "packed BERT"

    @property
    def batching(self) -> Batching:
        """Padded to round lengths in bfloat16, where attention then takes half the time."""
        budget = CPU_BUDGET if self.device == "cpu" else GPU_BUDGET
        if self.precision == "bfloat16":
            return Batching(budget, multiple=16, from_tokens=48)
        return Batching(budget)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Read the texts once, special tokens included, cut at the model's length."""
        # `fast` leaves out the offsets of tokens, which nothing here asks for.
        read = self._tokenizer.encode_batch_fast(list(texts))
        return Tokens.of(texts, [found.ids for found in read])

    def embed(self, tokens: Tokens) -> np.ndarray:
        """Pooled vectors of a batch, float32 of shape (n, width)."""
        return self._encoder.embed(tokens, self.batching)

    def lanes(self) -> AbstractContextManager[tuple[Executor, int]]:
        """One for each core of a CPU; a GPU has one queue."""
        self._encoder  # noqa: B018 (built before the threads that use it)
        return torch_lanes() if self.device == "cpu" else one_lane()

    def exact(self) -> PackedEmbedder:
        """Return the same model in float32."""
        return self if self.precision == "float32" else self._exact

    @cached_property
    def _encoder(self) -> PackedBert:
        transformer, pooling = self._modules
        return PackedBert(
            transformer.auto_model,
            pooling=pooling.pooling_mode,
            device=self.device,
            precision=self.precision,
        )

    @cached_property
    def _exact(self) -> PackedEmbedder:
        return PackedEmbedder(self.model, self.max_tokens, self.device, "float32")

    @cached_property
    def _tokenizer(self) -> Any:
        # A copy, since transformers changes truncation and padding of its own at each call.
        tokenizer = copy.deepcopy(self._modules[0].tokenizer.backend_tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    @property
    def _modules(self) -> tuple[Any, Any]:
        return self.model[0], self.model[1]


@dataclass(frozen=True)
class SentenceEmbedder(_Sized):
    """Any other model of sentence-transformers, run by that library on one device."""

    precision: EmbeddingPrecision
    path: str
    batching: Batching = AS_THE_LIBRARY

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Read the texts, with the prompt that the library puts before each, for their lengths.

        It reads them again.
        """
        read = self.model.tokenizer(
            [self.prompt + text for text in texts],
            truncation=True,
            max_length=self.max_tokens,
            padding=False,
        )
        return Tokens.of(texts, read["input_ids"])

    def embed(self, tokens: Tokens) -> np.ndarray:
        """Pooled vectors of a batch, float32 of shape (n, width)."""
        vectors = self._run.encode(
            list(tokens.texts),
            batch_size=len(tokens.texts),
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return vectors.float().cpu().numpy()

    def lanes(self) -> AbstractContextManager[tuple[Executor, int]]:
        """One: the library uses all cores for a batch."""
        self._run  # noqa: B018 (built before the thread that uses it)
        return one_lane()

    def exact(self) -> SentenceEmbedder:
        """Return the same model in float32."""
        if self.precision == "float32":
            return self
        return SentenceEmbedder(self.model, self.max_tokens, "float32", self.path)

    @cached_property
    def _run(self) -> SentenceTransformer:
        if self.precision == "float32":
            return self.model
        return copy.deepcopy(self.model).bfloat16()
