"""Tune an embedder on a target's texts, without labels, before it embeds the pool.

Two views of a text are each the text without some tokens, drawn anew; the model learns to tell by
one view which of a batch's texts the other is of (SimCSE, Gao et al. 2021, arXiv 2104.08821, with
dropped tokens in place of dropped activations, which a static model lacks; the loss is InfoNCE,
van den Oord et al. 2018, arXiv 1807.03748). GOT-D (arXiv 2405.02774) tunes its encoder on the
target for a few epochs too; that nothing here reads labels is our choice, since not every target
has any and the test of a selection must not depend on them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.config.embedders import Tuning
from selection.embedding.embedder import Embedder, load_embedder
from selection.embedding.static import StaticEmbedder
from selection.embedding.tokens import Tokens
from selection.embedding.transformer import PackedEmbedder, SentenceEmbedder

if TYPE_CHECKING:
    import torch

# A backward pass is counted as two forward passes, as for the trainings of the pipeline.
_PASSES = 3


@dataclass(frozen=True)
class Tuned:
    """What a tuning took.

    Attributes
    ----------
    flops : forward and backward passes over the tokens that the views kept, those that fill up a
        batch of a transformer included, and the products of the loss.
    losses : mean of each epoch.
    n_texts : texts with at least one token, those that were read.
    """

    flops: float
    losses: tuple[float, ...]
    n_texts: int


def tune_embedder(folder: Path, tuned: Path, texts: Sequence[str], tuning: Tuning) -> Tuned:
    """Write to `tuned` the embedder of `folder`, tuned; the same texts give the same weights.

    On the CPU in float32: a target is small, and the sums of a GPU differ between runs.

    Parameters
    ----------
    folder : Path
        As `build.write_embedder` wrote it; it is left as it is.
    tuned : Path
        An empty or missing folder; `load_embedder` loads it.
    texts : sequence of str
        Of the target's train and dev splits.

    Raises
    ------
    ValueError
        Fewer than two texts hold a token that the model knows, or the loss is not finite.
    """
    import torch

    shutil.copytree(folder, tuned, dirs_exist_ok=True)
    embedder = load_embedder(tuned, precision="float32")
    tokens = embedder.tokenize(texts)
    tokens = tokens.take(np.flatnonzero(tokens.lengths > 0))
    n = len(tokens.lengths)
    if n < 2:
        raise ValueError(
            f"{n} of the target's {len(texts)} texts hold a token that the embedder knows, and "
            "tuning tells texts apart: give at least 2, or leave `embedder.tuning` out"
        )
    parameters, forward, save = _trainable(embedder, tuned)
    rng = np.random.default_rng(tuning.seed)
    lead = _lead(embedder)
    optimiser = torch.optim.AdamW(parameters, lr=tuning.learning_rate, weight_decay=0.0)
    flops, losses = 0.0, []
    for epoch in range(tuning.epochs):
        loss_sum = 0.0
        for batch in _batches(rng.permutation(n), tuning.batch_size):
            texts_B = tokens.take(batch)
            one, other = (
                _view(texts_B, _kept(texts_B.lengths, rng, tuning.token_dropout, lead))
                for _ in range(2)
            )
            loss = contrastive_loss(forward(one), forward(other), tuning.temperature)
            if not torch.isfinite(loss):
                raise ValueError(
                    f"the loss is {float(loss)} in epoch {epoch + 1} of tuning the embedder: lower "
                    "`embedder.tuning.learning_rate`, or raise its temperature"
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum += float(loss.detach()) * len(batch)
            flops += _step_flops(embedder, one.lengths, other.lengths)
        losses.append(loss_sum / n)
    save()
    return Tuned(flops, tuple(losses), n)


def tuning_flops(embedder: Embedder, lengths: np.ndarray, tuning: Tuning) -> float:
    """FLOPs of tuning on texts of these lengths: what `tune_embedder` will charge.

    The seed decides which texts share a batch and what each view keeps, and their lengths how much.
    """
    read = lengths[lengths > 0]
    rng, lead, flops = np.random.default_rng(tuning.seed), _lead(embedder), 0.0
    for _ in range(tuning.epochs):
        for batch in _batches(rng.permutation(len(read)), tuning.batch_size):
            one, other = (
                _counts(read[batch], _kept(read[batch], rng, tuning.token_dropout, lead))
                for _ in range(2)
            )
            flops += _step_flops(embedder, one, other)
    return flops


def _step_flops(embedder: Embedder, one: np.ndarray, other: np.ndarray) -> float:
    """Of a step on two views of these lengths; a transformer fills each up to its longest text."""
    read = 0.0
    for lengths in (one, other):
        widest = np.full(len(lengths), lengths.max())
        read += embedder.flops(lengths if isinstance(embedder, StaticEmbedder) else widest)
    return _PASSES * (read + 2.0 * len(one) ** 2 * embedder.width)


def contrastive_loss(
    one_BD: torch.Tensor, other_BD: torch.Tensor, temperature: float
) -> torch.Tensor:
    """InfoNCE both ways: cross-entropy of each text's view among all texts' other views."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    cosine_BB = normalize(one_BD, dim=1) @ normalize(other_BD, dim=1).T / temperature
    own_B = torch.arange(len(cosine_BB))
    return (cross_entropy(cosine_BB, own_B) + cross_entropy(cosine_BB.T, own_B)) / 2


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut into batches of one size; a last one of a single text, which has no other, joins."""
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] = np.concatenate([batches[-1], last])
    return batches


def _lead(embedder: Embedder) -> int:
    """Tokens at the start of every text that stay: of a transformer its mark and the prompt."""
    if isinstance(embedder, StaticEmbedder):
        return 0
    assert isinstance(embedder, PackedEmbedder | SentenceEmbedder)
    return embedder.lead


def _kept(lengths: np.ndarray, rng: np.random.Generator, dropout: float, lead: int) -> np.ndarray:
    """Draw which tokens of texts a view keeps, bool, text after text; of each at least one.

    Parameters
    ----------
    lengths : of each text, at least 1.
    lead : tokens at its start that stay; then the last one, which marks its end, does too.
    """
    starts = np.cumsum(lengths) - lengths
    kept = rng.random(int(lengths.sum())) >= dropout
    if lead:
        kept |= np.arange(len(kept)) - np.repeat(starts, lengths) < lead
        kept[starts + lengths - 1] = True
    kept[starts[np.add.reduceat(kept, starts, dtype=np.int64) == 0]] = True
    return kept


def _counts(lengths: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.add.reduceat(kept, np.cumsum(lengths) - lengths, dtype=np.int64)


def _view(tokens: Tokens, kept: np.ndarray) -> Tokens:
    """Leave out the tokens that are not kept."""
    return Tokens(tokens.texts, tokens.flat[kept], _counts(tokens.lengths, kept))


Trainable = tuple[
    list["torch.nn.Parameter"], Callable[[Tokens], "torch.Tensor"], Callable[[], None]
]
"""Parameters, the vectors (B, D) of texts as a function of them, and how to write them."""


def _trainable(embedder: Embedder, folder: Path) -> Trainable:
    if isinstance(embedder, StaticEmbedder):
        return _static(embedder, folder / "model")
    assert isinstance(embedder, PackedEmbedder | SentenceEmbedder)
    return _transformer(embedder, folder / "model")


def _static(embedder: StaticEmbedder, folder: Path) -> Trainable:
    import torch
    from safetensors.numpy import load_file, save_file
    from torch.nn.functional import embedding_bag

    model = embedder.model
    table_VD = torch.nn.Parameter(torch.tensor(np.asarray(model.embedding, dtype=np.float32)))
    mapping = None if model.token_mapping is None else np.asarray(model.token_mapping)
    weights = None if model.weights is None else np.asarray(model.weights, dtype=np.float32)

    def forward(tokens: Tokens) -> torch.Tensor:
        rows = tokens.flat if mapping is None else mapping[tokens.flat]
        # Of a sum with weights 1 / length, since a mean takes no weights of its tokens.
        share = np.repeat(1.0 / tokens.lengths, tokens.lengths).astype(np.float32)
        if weights is not None:
            share *= weights[tokens.flat]
        return embedding_bag(
            torch.tensor(rows),
            table_VD,
            torch.tensor(tokens.starts),
            mode="sum",
            per_sample_weights=torch.tensor(share),
        )

    def save() -> None:
        file = folder / "model.safetensors"
        stored = load_file(file)
        stored["embeddings"] = table_VD.detach().numpy()
        save_file(stored, file)

    return [table_VD], forward, save


def _transformer(embedder: PackedEmbedder | SentenceEmbedder, folder: Path) -> Trainable:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    # Without dropout: the views differ in their tokens, and nothing else is drawn.
    model = embedder.model.float().eval()

    def forward(tokens: Tokens) -> torch.Tensor:
        texts = torch.tensor(tokens.flat).split(tokens.lengths.tolist())
        ids_BS = pad_sequence(list(texts), batch_first=True)
        places_S = torch.arange(ids_BS.shape[1])
        mask_BS = (places_S < torch.tensor(tokens.lengths)[:, None]).long()
        features: dict[str, Any] = {"input_ids": ids_BS, "attention_mask": mask_BS}
        if embedder.prompt:  # some models do not pool it
            features["prompt_length"] = embedder.lead
        return model(features)["sentence_embedding"]

    def save() -> None:
        shutil.rmtree(folder)
        model.save_pretrained(str(folder), safe_serialization=True, create_model_card=False)

    return [p for p in model.parameters() if p.requires_grad], forward, save
