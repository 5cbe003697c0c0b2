"""Does optimal transport find the rows of the target's domain among noise, in real text?"""

import numpy as np
import pytest

from selection.basics.draws import keyed_uniform
from selection.basics.text import row_id
from selection.corpus.docstrings import read_docstrings
from selection.embedding.embedder import encode, load_embedder
from selection.methods import REGISTRY
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.values import Rows
from selection.subset.choose import choose_rows

DOMAIN, NOISE, EACH = "logging", "tkinter", 120
PICKS = 60


def texts_of(package: str) -> list[str]:
    texts = {record.text for record in read_docstrings(package, min_words=5, max_words=60)}
    return sorted(texts, key=row_id)


@pytest.fixture
def planted(finished):
    """Half of the pool from the target's package, half from another; embeddings as in a study."""
    domain, noise = texts_of(DOMAIN), texts_of(NOISE)
    model = load_embedder(
        finished.ledger.current("library/static/embedder", "all").path("embedder")
    )

    def rows(texts: list[str]) -> Rows:
        encoded = encode(model, texts)
        assert len(encoded.kept) == len(texts)
        ids = np.array([row_id(text) for text in texts])
        return Rows(ids, texts, np.ones(len(texts), dtype=np.int64), encoded.vectors)

    pool = rows(domain[:EACH] + noise[:EACH])
    return pool, rows(domain[EACH : EACH + 60]), set(pool.row_id[:EACH].tolist())


def share_in_domain(pool: Rows, score: np.ndarray, in_domain: set[str]) -> float:
    chosen = choose_rows(
        row_id=pool.row_id,
        score=score,
        n_tokens=pool.n_words,
        token_budget=PICKS,
        embeddings=pool.embeddings,
        near_duplicate_cosine=None,
    )
    picked = pool.row_id[chosen.selected]
    assert len(picked) == PICKS
    return float(np.mean([row in in_domain for row in picked]))


def test_ot_picks_the_target_s_domain_and_random_about_half_of_it(planted):
    pool, target, in_domain = planted
    ot = REGISTRY["ot"]
    inputs = FitInputs(target, lambda: iter([pool]), len(pool.row_id), ot.options(), seed=0)
    scores = ot.score(
        ot.fit(inputs), ScoreInputs(pool, target=target, options=ot.options(), seeds=[0])
    )
    assert share_in_domain(pool, scores.score[0], in_domain) >= 0.9

    draws = [keyed_uniform(pool.row_id, seed=seed, purpose="random") for seed in range(20)]
    shares = [share_in_domain(pool, draw, in_domain) for draw in draws]
    assert 0.4 <= np.mean(shares) <= 0.6
