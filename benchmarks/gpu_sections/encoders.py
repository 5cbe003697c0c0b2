"""How many rows an hour does a GPU turn into scores, from text on?

The encoders have the shapes of MiniLM and DistilBERT and random weights, which take the same time
as trained ones. Their vectors mean little: what is found is a rate, not a selection. They run on
the pipeline's own path, `PackedEmbedder`, with a stand-in for the library that loads the weights.
Every text fills the encoder's length, so there is no padding to save.
"""

from __future__ import annotations

import os
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from gpu_sections.ceilings import TERA
from gpu_sections.clock import Machine
from gpu_sections.large_problem import TOL, cut, score, scoring_precision
from gpu_sections.sizes import EncoderSize
from gpu_sections.texts import TOPICS, make_texts, make_tokenizer, make_words
from selection.embedding.batches import Batching
from selection.embedding.bert import PackedBert
from selection.embedding.embedder import CHUNK, encode
from selection.embedding.flops import encoder_flops
from selection.embedding.precision import choose_precision
from selection.embedding.tokens import Tokens
from selection.embedding.transformer import PackedEmbedder
from selection.transport.sampled import Certificate, solve_on_sample

SELECTED_SHARE = 0.05
# The pipeline's own defaults.
CERTIFICATE = Certificate(max_residual=0.05, min_overlap=0.95)
_HOUR = 3600.0


class Bare(list):
    """What `PackedEmbedder` reads of a SentenceTransformer: a BERT, its tokenizer, mean pooling."""

    def __init__(self, bert: BertModel, tokenizer: Any) -> None:
        super().__init__(
            [
                SimpleNamespace(
                    auto_model=bert, tokenizer=SimpleNamespace(backend_tokenizer=tokenizer)
                ),
                SimpleNamespace(pooling_mode="mean"),
            ]
        )

    def get_embedding_dimension(self) -> int:
        """Width of the vectors."""
        return self[0].auto_model.config.hidden_size


def measure_encoders(machine: Machine, ceilings: dict[str, float]) -> dict[str, Any]:
    """Measure each encoder alone, its tokenizer alone, and the whole way from text to selection."""
    words = make_words(machine.sizes.words)
    figures: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "tokenizer_uses_all_cores": os.environ["TOKENIZERS_PARALLELISM"] == "true",
    }
    for size in machine.sizes.encoders:
        embedder = make_embedder(size, words, machine)
        texts = make_texts(machine.sizes.distinct_texts, words, size.tokens)
        found: dict[str, Any] = {"tokens_per_text": size.tokens, "precision": embedder.precision}
        found |= model_alone(embedder, size, machine, ceilings)
        found |= tokenizer_alone(embedder, texts)
        targets = make_texts(machine.sizes.target_texts, words, size.tokens, topics=TOPICS // 10)
        found |= end_to_end(embedder, texts, targets, size, machine)
        figures |= {f"{size.name}_{name}": value for name, value in found.items()}
        machine.forget()
    return figures


def make_embedder(size: EncoderSize, words: list[str], machine: Machine) -> PackedEmbedder:
    """Build the encoder with random weights, on the pipeline's path."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(words)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.ffn_width,
        max_position_embeddings=512,
        attn_implementation="sdpa",
    )
    bert = BertModel(config, add_pooling_layer=False).eval()
    device = str(machine.device)
    precision = choose_precision("auto", device)
    return PackedEmbedder(Bare(bert, tokenizer), size.tokens, device, precision)  # pyright: ignore


def model_alone(
    embedder: PackedEmbedder, size: EncoderSize, machine: Machine, ceilings: dict[str, float]
) -> dict[str, float]:
    """Give rates over batches of different sizes, token ids on the host, vectors back on it.

    Beside it `transformers.BertModel`, with its sdpa attention, ids and result on the device.
    """
    bert: Any = embedder.model[0].auto_model
    packed = PackedBert(bert, pooling="mean", device=embedder.device, precision=embedder.precision)
    plain: Any = BertModel(bert.config, add_pooling_layer=False).eval()
    plain.load_state_dict(bert.state_dict())
    plain = plain.to(machine.device, getattr(torch, embedder.precision))

    @torch.inference_mode()
    def reference(ids: torch.Tensor) -> torch.Tensor:
        return plain(ids).last_hidden_state.mean(dim=1, dtype=torch.float32)

    figures: dict[str, float] = {}
    rates: dict[str, float] = {"packed": 0.0, "transformers": 0.0}
    for budget in size.budgets:
        rows = budget // size.tokens
        tokens = random_tokens(rows, size.tokens, bert.config.vocab_size)
        batching = Batching(budget)
        ids = torch.from_numpy(tokens.flat.reshape(rows, -1)).to(machine.device)
        calls = {
            "packed": partial(packed.embed, tokens, batching),
            "transformers": partial(reference, ids),
        }
        for name, call in calls.items():
            seconds = machine.median(call, repeats=5, warm_up=2)
            figures[f"{name}_tokens_per_second_at_{budget}"] = rows * size.tokens / seconds
            rates[name] = max(rates[name], rows * size.tokens / seconds)
    figures["least_cosine_packed_to_transformers"] = least_cosine(
        packed.embed(tokens, batching), reference(ids).cpu().numpy()
    )
    flops = encoder_flops(
        layers=size.layers,
        width=size.width,
        ffn_width=size.ffn_width,
        lengths=np.array([size.tokens]),
    )
    ceiling = ceilings[f"square_{embedder.precision}_tflops"]
    for name, rate in rates.items():
        per_second = rate / size.tokens
        figures[f"{name}_rows_per_gpu_hour"] = per_second * _HOUR
        figures[f"{name}_tflops"] = per_second * flops / TERA
        figures[f"{name}_share_of_square_ceiling"] = per_second * flops / TERA / ceiling
    return figures


def random_tokens(rows: int, length: int, vocabulary: int) -> Tokens:
    """Give so many texts of random ids, all of one length."""
    flat = np.random.default_rng(0).integers(vocabulary, size=rows * length)
    return Tokens([""] * rows, flat, np.full(rows, length, dtype=np.int64))


def least_cosine(ours_ND: np.ndarray, theirs_ND: np.ndarray) -> float:
    """Give the least cosine of two models' vectors of the same text."""
    norms = np.linalg.norm(ours_ND, axis=1) * np.linalg.norm(theirs_ND, axis=1)
    return float(((ours_ND * theirs_ND).sum(axis=1) / norms).min())


def tokenizer_alone(embedder: PackedEmbedder, texts: list[str]) -> dict[str, float]:
    """Give tokens a second on all cores, in the pipeline's chunks and all texts at once."""
    figures: dict[str, float] = {}
    embedder.tokenize(texts[:CHUNK])
    for name, size in (("chunked", CHUNK), ("at_once", len(texts))):
        started = time.perf_counter()
        read = sum(int(embedder.tokenize(part).lengths.sum()) for part in cut(texts, size))
        seconds = time.perf_counter() - started
        figures[f"tokenizer_{name}_tokens_per_second"] = read / seconds
        figures[f"tokenizer_{name}_rows_per_hour"] = len(texts) / seconds * _HOUR
    figures["tokens_read_per_text"] = read / len(texts)
    return figures


def end_to_end(
    embedder: PackedEmbedder,
    distinct: list[str],
    targets: list[str],
    size: EncoderSize,
    machine: Machine,
) -> dict[str, Any]:
    """Tokenize, embed, solve on a certified sample, score all rows, take the best: all measured.

    Texts repeat; each is read and embedded every time. The best rows are taken by `torch.topk`,
    without the pipeline's budget in tokens, its near-duplicates and its receipts. The sample is of
    a fixed size while the certificate holds, so a larger pool has a higher rate.
    """
    texts = [distinct[i % len(distinct)] for i in range(size.texts)]
    encode(embedder, texts[: 2 * CHUNK])
    target = encode(embedder, targets).vectors
    figures: dict[str, Any] = {"rows": len(texts)}
    encoded, figures["embed_seconds"] = machine.timed(lambda: encode(embedder, texts))
    vectors = encoded.vectors
    figures["least_cosine_of_sample_to_float32"] = encoded.min_cosine
    keys = np.random.default_rng(0).random(len(vectors))
    precision, block = scoring_precision(machine), machine.sizes.block
    found, figures["solve_seconds"] = machine.timed(
        lambda: solve_on_sample(
            lambda: zip(cut(keys, block), cut(vectors, block), strict=True),
            target,
            n_rows=machine.sizes.sample,
            certificate=CERTIFICATE,
            options={"tol": TOL, "precision": precision},
            device=embedder.device,
            precision=precision,
        )
    )
    passed, figures["score_seconds"] = machine.timed(
        lambda: score(cut(vectors, block), target, found.potentials, precision, machine)
    )
    best = int(SELECTED_SHARE * len(vectors))
    chosen, figures["select_seconds"] = machine.timed(
        lambda: torch.from_numpy(passed.scores).to(machine.device).topk(best).indices.cpu()
    )
    total = sum(figures[f"{step}_seconds"] for step in ("embed", "solve", "score", "select"))
    return figures | {
        "eps": found.potentials.eps,
        "solved_in": precision,
        "solved_rows": found.n_solved,
        "residual_over_all": passed.residual,
        "certified": found.certified,
        "selected": len(chosen),
        "total_seconds": total,
        "embed_rows_per_gpu_hour": len(texts) / figures["embed_seconds"] * _HOUR,
        "end_to_end_rows_per_gpu_hour": len(texts) / total * _HOUR,
    }
