"""Every method of the registry in real studies of one pool: assets, costs, and receipts."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from small_project import SELECTOR, Project, enter

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection.methods import REGISTRY
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs
from selection.methods.contract.values import Rows
from selection_assets.command.cli import main
from selection_assets.refresh.refresh import refresh
from selection_assets.refresh.work import Work
from selection_assets.shared.fitted import read_fitted
from selection_assets.shared.pool_rows import read_rows
from selection_assets.shared.preparations import preparation_key
from selection_assets.shared.stored_rows import StoredRows
from selection_assets.shared.target_rows import steering_rows
from selection_assets.studies import load_studies

METHODS: dict[str, dict[str, Any]] = {
    "random": {},
    "random_balanced": {},
    "length": {},
    "bm25": {},
    "dsir": {},
    "embedding": {},
    "round_robin": {"method": "embedding", "variant": "round_robin"},
    "perplexity_low": {"method": "perplexity", "band": "low"},
    "perplexity_mid": {"method": "perplexity"},
    "gradient": {"dimensions": 64, "checkpoints": 2, "lora_rank": 2},
    "ot": {},
}
# Those that read the pool with a model, which studies share, and what each is held against.
READING = {
    name: METHODS[name] for name in ("random", "perplexity_low", "perplexity_mid", "gradient")
}
# Three studies of one pool, of which the third can afford no method that needs a selector.
STUDIES: dict[str, dict[str, Any]] = {
    "every": {"budgets": [0.7]},
    "other": {"budgets": [0.7], "seeds": [3, 4], "methods": READING},
    "poor": {"budgets": [0.02], "methods": READING | {"ot": {}}},
}
SOURCE = "email"


@dataclass(frozen=True)
class Selected:
    """A project of which every study has selected its rows, and what each had to materialize."""

    project: Project
    done: dict[str, list[Work]]

    def made(self, study: str) -> set[str]:
        """Assets that a study's refresh has materialized."""
        return {asset for work in self.done[study] for asset in work.assets}

    def current(self, asset: str, partition: str = "all") -> Artifact:
        """A version that must be there."""
        found = self.project.ledger.current(asset, partition)
        assert found is not None, asset
        return found

    def refresh(self, study: str) -> list[Work]:
        """Bring a study's subsets up to date."""
        project = self.project
        with project.instance() as instance:
            loaded, definitions = load_studies()[study], project.definitions
            return refresh(loaded, definitions, project.ledger, instance, up_to="selected_subset")


@pytest.fixture(scope="module")
def selected(finished_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Selected]:
    """Three studies, one after another, on a pool that another has used before."""
    root = shutil.copytree(finished_root, tmp_path_factory.mktemp("methods") / "project")
    study = yaml.safe_load((root / "studies/small.yaml").read_text())
    for name, fields in STUDIES.items():
        content = study | {"name": name, "selector": SELECTOR, "methods": METHODS} | fields
        (root / f"studies/{name}.yaml").write_text(yaml.safe_dump(content))
    for entered in enter(Project(root)):
        found = Selected(entered, {})
        for name in STUDIES:
            found.done[name] = found.refresh(name)
        yield found


@pytest.fixture
def study(selected: Selected) -> Study:
    """The first of the studies."""
    return load_studies()["every"]


def test_every_method_of_the_registry_has_selected_rows(selected):
    assert {fields.get("method", name) for name, fields in METHODS.items()} == set(REGISTRY)
    chosen = selected.project.ledger.current_versions("every/selected_subset")
    assert {key.split("|")[1] for key in chosen} == set(METHODS)
    assert all(a.table("subset.parquet").num_rows > 10 for a in chosen.values())


def test_what_targets_share_is_made_once_and_paid_by_all_that_use_it(selected, study):
    first, second = selected.made("every"), selected.made("other")
    shared = {
        preparation_key(study, named, p).to_user_string()
        for named in study.named_methods.values()
        for p in named.preparations
        if p.shared
    }
    names = {asset.rpartition("/")[2].removesuffix("_ffb082b0") for asset in shared}
    assert len(names) == 4 and shared <= first
    assert not any(asset.startswith("library/") for asset in second)
    store = next(asset for asset in shared if "gradient_store" in asset)
    payers = selected.project.ledger.query(
        "SELECT DISTINCT s.campaign FROM share s JOIN spend p ON p.id = s.spend WHERE p.asset = ?",
        [store],
    )
    assert {row["campaign"] for row in payers} == set(STUDIES)


def test_a_study_that_can_afford_no_arm_of_a_method_does_not_prepare_it(selected):
    made = selected.made("poor")
    assert "poor/ot_scores" in made
    assert not any(
        word in asset for asset in made for word in ("perplex", "gradient", "selector_c")
    )


@pytest.mark.parametrize("name", METHODS)
def test_selecting_costs_what_the_plan_said_within_five_percent(name, selected, study):
    named = study.named_methods[name]
    own = {preparation_key(study, named, p).to_user_string() for p in named.preparations}
    own |= {f"every/{named.scores_asset}", f"every/{named.fit_asset}"}
    if named.method.needs_embeddings:
        own |= {"library/static/corpus_embeddings", "every/target_embeddings"}
    [spent] = selected.project.ledger.query(
        "SELECT coalesce(sum(flops), 0) AS flops FROM spend WHERE list_contains(?, asset)",
        [sorted(own)],
    )
    plan = selected.current("every/budget_plan").json("plan.json")
    foreseen = sum(plan["costs"][name]["parts"].values())
    assert spent["flops"] == pytest.approx(foreseen, rel=0.05)
    assert (foreseen > 0) == named.needs_device


@pytest.mark.parametrize("name", METHODS)
def test_a_random_receipt_recomputed_from_its_inputs_is_the_one_on_file(name, selected, study):
    """A row scored by itself, from the artifacts alone, has the score and the evidence on file."""
    named = study.named_methods[name]
    prepared = {
        p.asset: selected.current(
            preparation_key(study, named, p).to_user_string(), SOURCE if p.by_source else "all"
        )
        for p in named.preparations
    }
    by_source = named.by_source
    rows = read_rows(
        selected.current("library/raw_corpus", SOURCE),
        selected.current("library/static/corpus_embeddings", SOURCE)
        if named.method.needs_embeddings
        else None,
        by_source.features(prepared.pop(by_source.asset)) if by_source else None,
    )
    target = steering_rows(
        selected.current("every/target_examples"), selected.current("every/target_embeddings")
    )
    if named.fit_asset is not None:
        fitted = read_fitted(selected.current(f"every/{named.fit_asset}"))
    else:
        fitted = fit_on(rows, named, target, prepared)
    kept = selected.current(f"every/{named.scores_asset}", SOURCE).table("scores.parquet")
    for place in np.random.default_rng(7).integers(len(rows), size=3).tolist():
        row_id = rows.row_id[place].as_py()
        one = named.method.score(
            fitted,
            ScoreInputs(
                rows.take(slice(place, place + 1)),
                target=target,
                options=named.options,
                seeds=study.seeds,
                prepared=prepared,
            ),
        )
        on_file = [r for r in kept.to_pylist() if r["row_id"] == row_id]
        assert [receipt.pop("score") for receipt in on_file] == one.score[:, 0].tolist()
        evidence = {c: pa.array(values).to_pylist()[0] for c, values in one.receipts.items()}
        for draw, receipt in enumerate(on_file):
            assert receipt == {"row_id": row_id, "draw": draw, **evidence}


def fit_on(rows: StoredRows, named: Any, target: Rows, prepared: dict[str, Artifact]) -> Fitted:
    """Fit a method whose fit is not stored."""
    inputs = FitInputs(target, rows.pieces, len(rows), named.options, seed=0)
    return named.method.fit(replace(inputs, prepared=prepared))


EVIDENCE = {
    "bm25": "top terms:",
    "dsir": "top ngrams:",
    "embedding": "nearest targets:",
    "round_robin": "popped by",
    "perplexity_low": "quantile",
    "gradient": "influence by subtask:",
    "ot": "potential",
}


def test_why_shows_each_method_s_own_evidence(selected):
    chosen = selected.project.ledger.current_versions("every/selected_subset")
    [by_ot] = [artifact for key, artifact in chosen.items() if key.endswith("|ot")]
    row_id = by_ot.table("subset.parquet")["row_id"][0].as_py()
    said = CliRunner().invoke(main, ["why", row_id, "--study", "every"])
    assert said.exit_code == 0, said.output
    sections = {part.split(" in every")[0]: part for part in said.output.split("\n\n")}
    for name, evidence in EVIDENCE.items():
        assert evidence in sections[name], name
    texts = selected.current("every/target_examples").table("rows.parquet")["text"].to_pylist()
    shown = [text for text in texts if " ".join(text.split())[:40] in sections["ot"]]
    assert shown, "the nearest examples are there in their own words"


def test_nothing_of_a_study_that_has_selected_is_stale(selected):
    assert selected.refresh("every") == []
