"""How large every section's problem is: on a GPU, and for its twin on a CPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderSize:
    """A BERT-shaped encoder, and what it reads."""

    name: str
    layers: int
    width: int
    heads: int
    ffn_width: int
    tokens: int  # of each text, special tokens included
    budgets: tuple[int, ...]  # tokens in a batch, for the sweep
    texts: int  # embedded from end to end


@dataclass(frozen=True)
class Sizes:
    """What the sections are given."""

    copied_bytes: int  # of one buffer of the bandwidth tests
    square: int  # rows and columns of the square products
    small: tuple[int, int]  # (N, M) of the problem that float64 on a CPU can check
    pool: int  # N, M and D of the large problem
    targets: int
    width: int
    scored_copies: int  # how often the pool is repeated in the host array of the scoring pass
    block: int  # rows of a block handed to the scoring pass
    rivals: int  # rows of the pool on which solvers are compared
    most_steps: int  # of a rival's iteration
    encoders: tuple[EncoderSize, ...]
    distinct_texts: int  # made; longer lists repeat them
    words: int  # known to the tokenizer, and as many again that are not
    target_texts: int  # rows of the target, and of the solve, from end to end
    sample: int
    repeats: int  # of every timing whose median is given


FULL = Sizes(
    copied_bytes=4 * 2**30,
    square=8192,
    small=(20_000, 2000),
    pool=2_000_000,
    targets=5000,
    width=384,
    scored_copies=10,
    block=2**18,
    rivals=500_000,
    most_steps=256,
    encoders=(
        EncoderSize("minilm", 6, 384, 12, 1536, 128, (2**14, 2**16, 2**17, 2**18), 2**18),
        EncoderSize("distilbert", 6, 768, 12, 3072, 256, (2**14, 2**16, 2**17, 2**18), 2**17),
    ),
    distinct_texts=2**14,
    words=20_000,
    target_texts=2048,
    sample=50_000,
    repeats=3,
)
QUICK = Sizes(
    copied_bytes=2**25,
    square=512,
    small=(3000, 200),
    pool=6000,
    targets=200,
    width=64,
    scored_copies=3,
    block=2**11,
    rivals=3000,
    most_steps=256,
    encoders=(
        EncoderSize("minilm", 2, 64, 4, 256, 32, (2**10, 2**11), 1024),
        EncoderSize("distilbert", 2, 96, 4, 384, 48, (2**10, 2**11), 512),
    ),
    distinct_texts=256,
    words=1000,
    target_texts=64,
    sample=384,
    repeats=2,
)
