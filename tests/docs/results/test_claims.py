"""The papers' claims: confirmed where they were planted, not where they were not, silent else."""

from dataclasses import replace

import numpy as np
import pytest
from planted import five, planted

from docs.results.claims import CLAIMS, look_at
from docs.results.evidence import as_published, named
from selection.judging.judged import judge

NOTHING = {
    "random": 0.0,
    "dsir": 0.0,
    "embedding": 0.0,
    "embedding_round_robin": 0.0,
    "ot": 0.0,
    "perplexity": 0.0,
    "gradient": 0.0,
}
SHORT = (
    "transport",
    "generation",
    "dsir",
    "nudging",
    "almost never",
    "cheap",
    "perplexity 5x",
    "gradient 10x",
    "round robin",
)


def statuses(studies):
    findings = look_at([judge(study) for study in studies])
    return {short: found.status for short, (_, found) in zip(SHORT, findings, strict=True)}


def test_every_claim_has_a_source_a_rule_and_figures():
    findings = look_at([judge(study) for study in five(NOTHING, seed=1)])
    assert len(findings) == len(CLAIMS)
    for claim, found in findings:
        assert claim.source.startswith("arXiv ")
        assert claim.rule and found.figures.endswith(".")


def test_what_the_papers_say_is_confirmed_where_it_was_planted():
    planted_as_published = NOTHING | {
        "ot": -0.2,
        "embedding": -0.1,
        "embedding_round_robin": -0.12,
        "dsir": -0.08,
        "perplexity": 0.05,
        "gradient": 0.05,
    }
    found = statuses(five(planted_as_published, seed=2, parameters=2e6))
    assert found.pop("generation") == "not testable at this size"
    assert set(found.values()) == {"confirmed"}, found


def test_the_contrary_is_not_confirmed():
    contrary = NOTHING | {"ot": 0.1, "gradient": -0.4, "perplexity": -0.3}
    found = statuses(five(contrary, seed=3, parameters=2e6))
    # Gradients trained on less than the turns and are ahead: behind at equal data a fortiori.
    assert found["round robin"] == "not confirmed"
    for short in ("transport", "dsir", "nudging", "almost never", "cheap", "perplexity 5x"):
        assert found[short] == "not confirmed", short


def test_without_any_effect_no_method_is_found_to_beat_another():
    found = statuses(five(NOTHING, seed=4))
    for short in ("transport", "dsir", "nudging"):
        assert found[short] == "not confirmed", short


@pytest.mark.parametrize(
    ("parameters", "effect", "expected"),
    [
        (8e6, -0.2, "confirmed"),
        (8e6, 0.1, "not confirmed"),
        (2e6, -0.2, "not confirmed"),
        (2e6, 0.1, "confirmed"),
    ],
)
def test_a_size_ratio_foretells_on_both_of_its_sides(parameters, effect, expected):
    studies = five({"random": 0.0, "perplexity": effect}, seed=5, parameters=parameters)
    assert statuses(studies)["perplexity 5x"] == expected


def test_what_was_not_run_is_not_testable():
    found = statuses(five({"random": 0.0, "ot": -0.2}, seed=6))
    assert found["transport"] == "confirmed"
    for short in ("dsir", "nudging", "almost never", "cheap", "perplexity 5x", "round robin"):
        assert found[short] == "not testable at this size", short


def test_a_selector_of_unknown_size_is_not_testable():
    studies = five({"random": 0.0, "perplexity": -0.2}, seed=7, selector=None)
    assert statuses(studies)["perplexity 5x"] == "not testable at this size"


def test_one_target_confirms_nothing():
    study = planted("alone", NOTHING | {"ot": -0.3}, rng=np.random.default_rng(8))
    assert set(statuses([study]).values()) == {"not testable at this size"}


def test_without_random_nothing_is_held_against_it():
    found = statuses(five({"dsir": 0.0, "ot": -0.2}, seed=9))
    assert found["transport"] == "not testable at this size"
    assert found["dsir"] == "confirmed"


def test_methods_that_could_not_be_afforded_hold_no_place_on_a_frontier():
    studies = five(
        {"random": 0.0, "ot": -0.1, "gradient": -0.5}, seed=10, budgets=("2.5pct", "5pct")
    )
    assert all(study.infeasible for study in studies)
    _, found = look_at([judge(study) for study in studies])[4]
    assert found.status == "confirmed"
    assert "could not be afforded" in found.figures


def test_a_claim_is_of_a_method_as_its_paper_has_it():
    kinds = {"dsir": "dsir", "embedding": "dsir normalise=length", "ot": "ot nearest_sources=2"}
    effects = {name: 0.0 for name in ("random", *kinds)}

    def studies(**changed):
        return [
            judge(replace(study, kinds=study.kinds | kinds | changed))
            for study in five(effects, seed=1)
        ]

    assert as_published(studies(), "dsir") == ["dsir"]
    assert as_published(studies(embedding="dsir smoothing=paper"), "dsir") == ["embedding"]
    assert as_published(studies(), "ot") == ["ot"]  # the only one that there is
    assert sorted(named(studies(), "dsir")) == ["dsir", "embedding"]
    assert named(studies(dsir="dsirs"), "dsir") == ["embedding"]
