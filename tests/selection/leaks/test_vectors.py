"""A near-duplicate of a held-out row is found by its vector; what rows have in common is none."""

import numpy as np
import pytest

from selection.basics.text import row_id
from selection.corpus.docstrings import read_docstrings
from selection.leaks.held_out import TEMPLATE_ROWS, Evidence, HeldOut
from selection.leaks.texts import find_leaking_texts
from selection.leaks.vectors import NearEvidence, find_leaking_vectors

COSINE = 0.97
TEXTS = [record.text for record in read_docstrings("logging", min_words=20, max_words=60)][:40]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def at(cosine: float, vector: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A unit vector with this cosine to another."""
    other = rng.normal(size=len(vector))
    other -= other @ vector * vector
    return cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)


def evidence_of(texts: list[str], vectors: np.ndarray) -> tuple[NearEvidence, list[str]]:
    evidence = Evidence([HeldOut(row_id(text), text) for text in texts], words=13)
    vector_of = {row_id(text): vector for text, vector in zip(texts, vectors, strict=True)}
    aligned = np.array([vector_of[row] for row in evidence.row_id])
    numbers = np.arange(len(evidence.row_id))
    return NearEvidence(aligned, numbers, evidence, cosine=COSINE), evidence.row_id


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def held_out(rng) -> np.ndarray:
    return unit(rng.normal(size=(20, 64)))


def found(rows: np.ndarray, texts: list[str], near: NearEvidence, row_ids: list[str]) -> dict:
    leaks = find_leaking_vectors(rows, texts.__getitem__, near)
    assert set(leaks.kind.tolist()) <= {"near"}
    return {
        place: row_ids[n] for place, n in zip(leaks.place.tolist(), leaks.held_out, strict=True)
    }


def with_words_replaced(text: str, every: int) -> str:
    words = text.split()
    return " ".join("indeed" if i % every == every - 1 else word for i, word in enumerate(words))


def reordered(text: str) -> str:
    return " ".join(sorted(text.split()))


def test_a_vector_says_where_to_look_and_the_words_decide(held_out, rng):
    near, row_ids = evidence_of(TEXTS[:20], held_out)
    edited, mixed = with_words_replaced(TEXTS[3], 8), reordered(TEXTS[3])
    cases = {
        # Such as two texts with one beginning, by an embedder that reads no more.
        (1.0, TEXTS[30]): False,
        (0.98, mixed): True,
        (0.93, mixed): False,
        (0.93, edited): True,
        (0.85, edited): False,
    }
    rows = np.array([at(cosine, held_out[3], rng) for cosine, _ in cases])
    texts = [text for _, text in cases]
    assert find_leaking_texts(texts, Evidence([HeldOut("a", TEXTS[3])], words=13)).place.size == 0
    expected = {i: row_id(TEXTS[3]) for i, leaks in enumerate(cases.values()) if leaks}
    assert found(rows, texts, near, row_ids) == expected


def test_vectors_that_held_out_rows_share_tell_of_none_of_them(rng):
    shared = unit(rng.normal(size=(1, 64)))[0]
    alike = np.array([at(0.995, shared, rng) for _ in range(TEMPLATE_ROWS + 2)])
    near, row_ids = evidence_of(TEXTS[: len(alike)], alike)
    rows = np.array([alike[1], alike[1]])
    texts = [reordered(TEXTS[1]), with_words_replaced(TEXTS[1], 8)]
    # Words in their order tell all the same.
    assert found(rows, texts, near, row_ids) == {1: row_id(TEXTS[1])}
    few, row_ids = evidence_of(TEXTS[: TEMPLATE_ROWS + 1], alike[: TEMPLATE_ROWS + 1])
    assert set(found(rows, texts, few, row_ids)) == {0, 1}


def test_the_words_of_a_template_do_not_make_rows_near(rng):
    template = "Say in one word whether the following sentence about a film praises it or not:"
    texts = [f"{template} {word}." for word in ("wonderful", "dreadful", "dull", "great")]
    vectors = unit(rng.normal(size=(4, 64)))
    near, row_ids = evidence_of(texts, vectors)
    rows = np.array([at(0.95, vectors[0], rng)])
    assert found(rows, [f"{template} boring"], near, row_ids) == {}


def test_no_rows_or_nothing_held_out_finds_nothing(held_out):
    near, row_ids = evidence_of(TEXTS[:20], held_out)
    assert found(np.empty((0, 64)), [], near, row_ids) == {}
    nothing = Evidence([], words=13)
    none = NearEvidence(np.empty((0, 64)), np.empty(0, np.int64), nothing, cosine=COSINE)
    assert found(held_out, TEXTS[:20], none, []) == {}
