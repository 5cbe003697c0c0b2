"""The page says what the figures say, whatever they are; its parts do not disturb each other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import five, planted

from docs.results.equal_data import equal_data
from docs.results.markers import put_part
from docs.results.mean_effect import mean_effects
from docs.results.page import Made, make_part
from docs.results.tables import frontier_table
from docs.results.words import (
    at_equal_data,
    best,
    best_of_one,
    scope,
    sharing,
    verdicts,
    worth,
)
from selection.costs.charges import Charge
from selection.judging.judged import judge

CHARGES = [
    Charge("pool/static/embedder", (), "as if it came from a hub", 1.5e12, 25.0),
    Charge("news/ot_scores", ("ot",), "", 1e9, 2.0),
]
MADE = Made("study", ["selection run news"], ["a device"], {"news": CHARGES, "law": CHARGES[:1]})
PNG = b"\x89PNG\r\n\x1a\n"


def part(studies):
    return make_part(studies, MADE, pictures={study.name: PNG for study in studies})


def test_a_part_has_every_section_names_its_device_and_has_every_picture_that_it_shows():
    effects = {"random": 0.0, "ot": -0.2, "gradient": 0.1}
    made = part(five(effects, seed=1, budgets=("5pct", "10pct"))[:2])
    for heading in ("comes to", "Mean over targets", "selecting costs", "claims", "### news"):
        assert heading in made.text
    assert "Charged to no arm" in made.text and "at equal seconds" in made.text
    [line] = [line for line in made.text.splitlines() if "pool/static/embedder" in line]
    assert " ".join(line.split()) == (
        "| pool/static/embedder | as if it came from a hub | 1.50e12 | 25.00 |"
    )
    assert "news/ot_scores" not in made.text
    assert "Computed on a device" in made.text and "    selection run news" in made.text
    for name, png in made.pictures.items():
        assert f"(images/{name})" in made.text
        assert png.startswith(PNG)
    assert made.text.count("(images/") == len(made.pictures)
    tables = [line for line in made.text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_the_same_figures_give_the_same_page_and_others_another():
    def page(effect):
        return part(five({"random": 0.0, "ot": effect}, seed=2, budgets=("5pct",))[:1])

    assert page(-0.1) == page(-0.1) != page(0.1)


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (-0.2, "it is better than random among 1 mean. It is better on 5 of 5"),
        (0.2, "no method has a lower mean"),
    ],
)
def test_the_best_method_is_the_one_that_was_planted(effect, said):
    studies = [judge(s) for s in five({"random": 0.0, "ot": effect}, seed=3, budgets=("5pct",))]
    [line] = best(mean_effects(studies), [study.result for study in studies])
    assert said in line


def test_what_is_worth_its_cost_is_said_first_and_what_is_worse_too():
    effects = {"random": 0.0, "ot": -0.2, "dsir": 0.0, "gradient": 0.2}
    studies = [judge(study) for study in five(effects, seed=5, budgets=("5pct", "10pct"))]
    yes, no = worth(mean_effects(studies))
    assert yes.startswith("Worth its cost") and "ot at 5pct (5 of 5; " in yes
    assert no.startswith("Worse than random") and "gradient at 10pct (5 of 5; " in no
    assert not any(word in yes for word in ("dsir", "gradient"))
    studies = [judge(study) for study in five({"random": 0.0, "dsir": 0.0}, seed=6)]
    [nothing] = worth(mean_effects(studies))
    assert nothing.startswith("No selection is worth its cost")


def test_without_effect_the_page_does_not_call_a_method_better():
    effects = {"random": 0.0, "ot": 0.0, "dsir": 0.0}
    studies = [judge(study) for study in five(effects, seed=4)]
    for line in best(mean_effects(studies), [study.result for study in studies]):
        assert "no method has a lower mean" in line or "not distinguishable from random" in line
    assert "0 of 40 arms are better than random, 0 worse" in verdicts(studies)
    [line] = at_equal_data(studies)
    assert "at no budget a majority" in line


def test_the_majority_at_equal_data_is_said_with_its_budgets():
    studies = [judge(s) for s in five({"random": 0.0, "ot": -0.2}, seed=5, budgets=("5pct",))]
    [line] = at_equal_data(studies)
    assert "at 5pct better on 4 of 4: a majority at 5pct" in line


def test_one_target_has_no_mean_and_says_which_arm_was_best():
    study = planted("alone", {"random": 0.0, "ot": -0.2}, rng=np.random.default_rng(6))
    assert "Mean over targets" not in part([study]).text
    lines = best_of_one(judge(study))
    assert len(lines) == 4 and all("of ot: better than random" in line for line in lines)


def test_what_could_not_be_afforded_is_counted_and_listed():
    study = planted("t", {"random": 0.0, "gradient": 0.0}, rng=np.random.default_rng(7))
    assert "2 could not be run within their budgets: 2 of gradient" in scope([study])
    assert "| gradient | 2.5pct | too dear |" in " ".join(part([study]).text.split())


def test_what_a_method_refused_is_told_from_what_could_not_be_afforded():
    study = planted("t", {"random": 0.0, "gradient": 0.0}, rng=np.random.default_rng(7))
    arm = {"method": "bm25", "budget": "5pct", "reason": "no word", "method_refuses": True}
    said = scope([replace(study, infeasible=[*study.infeasible, arm])])
    assert "; 2 could not be run within their budgets: 2 of gradient; 1 could not" in said
    assert said.endswith("; 1 could not be run because their methods refuse the target: 1 of bm25.")


def test_a_missing_random_arm_leaves_a_page_without_verdicts():
    study = planted("t", {"ot": 0.0, "dsir": 0.1}, rng=np.random.default_rng(8))
    text = part([study]).text
    assert "No arm can be held against random" in text
    assert {row[10] for row in frontier_table(judge(study))[1]} == {"no reference"}
    assert sharing([]) == []


def test_nothing_to_write_about_is_refused():
    with pytest.raises(ValueError, match="no study"):
        make_part([], MADE, pictures={})
    study = planted("t", {"random": 0.0}, rng=np.random.default_rng(9))
    with pytest.raises(ValueError, match="no arm of any study"):
        make_part([replace(study, arms=[])], MADE, pictures={"t": PNG})
    with pytest.raises(ValueError, match="no picture of the frontier of t"):
        make_part([study], MADE, pictures={})


WORDS = st.text(alphabet="ab\n #|", max_size=30)


@given(WORDS, WORDS, WORDS, WORDS)
def test_writing_a_part_leaves_the_rest_of_the_page_alone(before, one, two, again):
    page = put_part(put_part(before, "one", one), "two", two)
    rewritten = put_part(page, "one", again)
    assert rewritten == put_part(put_part(before, "one", again), "two", two)
    assert put_part(rewritten, "one", again) == rewritten
    assert put_part(rewritten, "one", one) == page


@pytest.mark.parametrize(
    "page",
    [
        "<!-- part a -->",
        "<!-- end of part a -->",
        "<!-- end of part a --><!-- part a -->",
        "<!-- part a --><!-- part a --><!-- end of part a -->",
    ],
)
def test_a_page_whose_markers_are_broken_is_refused(page):
    with pytest.raises(ValueError, match="of part a"):
        put_part(page, "a", "text")


def test_a_text_that_contains_its_own_marker_is_refused():
    with pytest.raises(ValueError, match="its own marker"):
        put_part("", "a", "<!-- end of part a -->")


def test_an_arm_that_could_not_spend_its_budget_is_named_and_never_the_best():
    study = planted(
        "t",
        {"random": 0.0, "ot": -0.2, "dsir": -0.4},
        rng=np.random.default_rng(9),
        budgets=["5pct"],
    )
    why = "spent 82 of 14,272 tokens (0.6%): none of the rows that are left fits (12)"
    arms = [
        replace(a, figures={**a.figures, "underspent": why}) if a.method == "dsir" else a
        for a in study.arms
    ]
    marked = judge(replace(study, arms=arms))
    [line] = best_of_one(marked)
    assert "of ot: better" in line
    header, rows = frontier_table(marked)
    assert [row[header.index("verdict")] for row in rows] == ["reference", "better", "underspent"]
    assert "5pct" not in equal_data(marked.result, "dsir", "random")
    assert f"dsir at 5pct is underspent: {why}" in part([marked.result]).text
