"""A row that has what a held-out row says is found, and one that has a template is not."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.text import row_id
from selection.corpus.docstrings import read_docstrings
from selection.leaks.held_out import FEWEST_WORDS, TEMPLATE_ROWS, Evidence, HeldOut
from selection.leaks.texts import COMMON_ROWS, COVERED, find_leaking_texts
from selection.leaks.words import words_of

N = 13
HELD_OUT = (
    "A shallow copy constructs a new compound object and then, to the extent possible, inserts"
    " references into it to the objects found in the original."
)


def held_out(*texts: str, prompt: str | None = None) -> Evidence:
    return Evidence([HeldOut(row_id(text), text, prompt) for text in texts], words=N)


def found(texts: list[str], evidence: Evidence) -> dict[int, tuple[str, str]]:
    """Kind and held-out row of each leak, by place."""
    leaks = find_leaking_texts(texts, evidence)
    rows = [evidence.row_id[number] for number in leaks.held_out]
    return dict(zip(leaks.place.tolist(), zip(leaks.kind.tolist(), rows, strict=True), strict=True))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (HELD_OUT, "equal"),
        (HELD_OUT.upper(), "equal"),
        (HELD_OUT.rstrip("."), "equal"),
        (HELD_OUT[:30] + "\u200b" + HELD_OUT[30:], "equal"),
        ("Note: " + HELD_OUT, "ngram"),
        ("Of copying there are two kinds. " + HELD_OUT + " A deep copy goes further.", "ngram"),
        ("Then, to the extent possible, inserts references into it to the objects found", "ngram"),
        ("A deep copy constructs a new compound object and then copies the objects", None),
    ],
)
def test_a_changed_held_out_row_is_found_and_how(text, kind):
    expected = {} if kind is None else {1: (kind, row_id(HELD_OUT))}
    assert found(["Return the value.", text], held_out(HELD_OUT, "Another row of the target.")) == (
        expected
    )


def test_a_row_without_words_leaks_where_it_is_the_same_row_only():
    evidence = held_out("?!", HELD_OUT)
    assert found(["!!", "?"], evidence) == {}


@pytest.mark.parametrize(
    ("short", "leaks"),
    [
        ("Yes.", False),
        ("Return the number of rows.", False),
        ("What was the name of Napoleon's horse?", True),
        ("拿破仑最喜欢的那匹战马叫什么名字来着", True),
        ("是的", False),
    ],
)
def test_a_short_row_within_another_counts_from_some_words_on(short, leaks):
    texts = [f"Before it, {short} And after it.", short]
    expected = {1: ("equal", row_id(short))}
    if leaks:
        expected[0] = ("ngram", row_id(short))
    assert found(texts, held_out(short)) == expected


def test_text_without_spaces_is_found_by_two_characters_a_word():
    row = "浅拷贝构造一个新的复合对象然后尽可能地将对原始对象中找到的对象的引用插入其中"
    cut = row[3 : 3 + 2 * N]
    assert found([f"另外{cut}等等", f"另外{cut[:-1]}等等"], held_out(row)) == {
        0: ("ngram", row_id(row))
    }


def test_a_prompt_of_a_held_out_row_with_another_answer_is_found():
    prompt = "What was the name of Napoleon's favourite horse?"
    row = HeldOut("aa", f"{prompt}\n\nMarengo", prompt)
    evidence = Evidence([row], words=N)
    assert found([f"Q: {prompt} A: Copenhagen."], evidence) == {0: ("ngram", "aa")}


TEMPLATE = (
    "Read the following passage carefully and then say whether its sentiment is positive or"
    " negative, with one word:"
)


def test_a_template_of_the_held_out_rows_is_no_evidence():
    contents = ["A fine film.", "Dreadful.", "I slept through all of it.", "Go and see it."]
    evidence = held_out(*(f"{TEMPLATE} {content}" for content in contents))
    texts = [
        f"{TEMPLATE} Never again.",
        TEMPLATE,
        f"{TEMPLATE} Dreadful.",
        f"So: {TEMPLATE} Dreadful",
    ]
    assert set(found(texts, evidence)) == {2, 3}


def test_a_shared_prompt_is_a_template_however_short():
    prompt = "Is the following review of a film a good one?"
    rows = [HeldOut(f"{i:02}", f"{prompt} {i}", prompt) for i in range(TEMPLATE_ROWS + 1)]
    assert found([f"{prompt} No."], Evidence(rows, words=N)) == {}
    assert set(found([f"{prompt} No."], Evidence(rows[:TEMPLATE_ROWS], words=N))) == {0}


LICENCE = (
    "Permission is hereby granted free of charge to any person obtaining a copy of this software"
    " and associated documentation files to deal in the Software without restriction."
)


def test_what_many_rows_of_the_pool_have_is_no_evidence_unless_it_is_most_of_the_row():
    many = [f"{LICENCE} Module number {i}." for i in range(COMMON_ROWS + 1)]
    longer = f"{LICENCE} {HELD_OUT} Sorted containers are kept in order by a search of bisection."
    assert found(many, held_out(longer)) == {}
    assert len(found(many[:-1], held_out(longer))) == COMMON_ROWS
    # Copies do not become common by being many.
    copies = [f"Copy {i}: {longer}" for i in range(3 * COMMON_ROWS)]
    assert len(found(copies, held_out(longer))) == len(copies)
    parts = [f"Part {i}: {' '.join(longer.split()[:-4])}" for i in range(3 * COMMON_ROWS)]
    assert len(found(parts, held_out(longer))) == len(parts)


def test_overlapping_held_out_rows_are_found_whole_though_all_their_words_are_shared():
    words = [f"w{i}" for i in range(200)]
    rows = [" ".join(words[i : i + 60]) for i in range(0, 140, 10)]
    evidence = held_out(*rows)
    assert found([f"x {rows[7]} y"], evidence) == {0: ("ngram", row_id(rows[7]))}


def test_the_held_out_row_of_which_most_is_there_is_named():
    other = HELD_OUT.replace("A shallow copy constructs", "Some kinds of copying construct")
    evidence = held_out(HELD_OUT, other)
    assert found([f"x {HELD_OUT}", f"x {other}"], evidence) == {
        0: ("ngram", row_id(HELD_OUT)),
        1: ("ngram", row_id(other)),
    }


def test_nothing_held_out_finds_nothing():
    assert found(["one", "two"], held_out()) == {}
    assert found([], held_out(HELD_OUT)) == {}


def reference(texts: list[str], rows: list[str]) -> set[int]:
    """Leaks by plain sets, of texts of one script with spaces and without templates."""

    def runs(words: list[str], n: int) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    rows_W = {"".join(words_of(row)): words_of(row) for row in rows}
    owners: dict[tuple[str, ...], set[str]] = {}
    for joined, words in rows_W.items():
        n = min(N, len(words))
        for run in runs(words, n) if n >= FEWEST_WORDS else ():
            owners.setdefault(run, set()).add(joined)
    assert all(len(of_run) <= TEMPLATE_ROWS for of_run in owners.values())
    texts_W = [words_of(text) for text in texts]
    lengths = {len(run) for run in owners}
    had = [set().union(*(runs(words, n) for n in lengths)) & owners.keys() for words in texts_W]
    common = {run for run in owners if sum(run in one for one in had) > COMMON_ROWS}
    leaks = set()
    for place, (words, of_text) in enumerate(zip(texts_W, had, strict=True)):
        if "".join(words) in rows_W or of_text - common:
            leaks.add(place)
        for joined in rows_W:
            own = {run for run, of_run in owners.items() if joined in of_run}
            if own and len(own & of_text) >= COVERED * len(own):
                leaks.add(place)
    return leaks


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_the_leaks_are_those_that_plain_sets_find(rng: random.Random, n_texts: int):
    vocabulary = [f"w{i}" for i in range(40)]
    rows = [
        " ".join(rng.choices(vocabulary, k=rng.choice([3, 8, 12, 13, 14, 30]))) for _ in range(4)
    ]
    texts = []
    for _ in range(n_texts):
        row = rng.choice(rows).split()
        start = rng.randrange(len(row))
        part = row[start : start + rng.choice([5, 8, 12, 13, 20, 40])]
        texts.append(
            " ".join([*rng.choices(vocabulary, k=3), *part, *rng.choices(vocabulary, k=2)])
        )
    assert set(found(texts, held_out(*rows))) == reference(texts, rows)


def test_the_leaks_in_real_texts_are_those_that_plain_sets_find(monkeypatch):
    monkeypatch.setattr("selection.leaks.texts._CHARACTERS", 5_000)  # several parts
    docs = [r.text for r in read_docstrings("email", min_words=5, max_words=200)]
    rng = np.random.default_rng(0)
    rows = [docs[i] for i in rng.permutation(len(docs))[:20]]
    rows = [row for row in rows if len(words_of(row)) >= N]
    planted = [" ".join(row.split()[-25:]) for row in rows]
    texts = [doc for doc in docs if doc not in rows] + [f"see {part}" for part in planted]
    assert set(found(texts, held_out(*rows))) == reference(texts, rows)
    assert {len(texts) - 1 - i for i in range(len(planted))} <= set(found(texts, held_out(*rows)))
