"""A hub's model at a pinned commit through the whole pipeline, offline, and LoRA."""

import shutil
from collections.abc import Iterator
from math import ceil

import pytest
import torch
import yaml
from hub_model import (
    COMMIT,
    FFN,
    LAYERS,
    LENGTH,
    NOT_THERE,
    TUNING_RANK,
    WARM_UP_RANK,
    WIDTH,
    arms,
)
from small_project import Project, enter

from selection.config.files import ConfigurationError
from selection.models.base import (
    load_model,
    load_tokenizer,
)
from selection.models.checkpoints import weights_digest
from selection.models.tokenizer import count_tokens
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_study


@pytest.fixture
def project(hub_studies) -> Iterator[Project]:
    yield from enter(Project(hub_studies.root))


def test_the_pinned_model_is_the_base_and_every_arm_learns(project, hub_files, hub_studies):
    fetched = project.ledger.current("library/pretrained/base_checkpoint", "all")
    assert weights_digest(load_model(fetched.path("checkpoint"))) == weights_digest(
        load_model(hub_files)
    )
    frontier = project.ledger.current("hub/pareto_frontier", "all").json("frontier.json")
    assert {arm["method"] for arm in frontier["arms"]} == {"random", "length"}
    before = frontier["reference"]["zero_shot"]["loss"]
    assert all(arm["loss"] < before for arm in frontier["arms"])
    assert "recomputed" in hub_studies.printed("hub")


def test_another_base_on_a_pool_makes_only_what_is_its_own(hub_studies):
    [said] = [line for line in hub_studies.printed("folder").splitlines() if "recomputed" in line]
    of_the_pool = {name for name in said.split() if name.startswith("library/")}
    own = ("base_checkpoint", "base_tokenizer", "pool_tokens")
    assert {name.rstrip(",") for name in of_the_pool} == {f"library/local/{name}" for name in own}


def test_a_snapshot_folder_gives_the_very_models_that_the_hub_id_gives(project):
    by_hub = dict(arms(project, "hub/finetuned_checkpoint"))
    by_folder = dict(arms(project, "folder/finetuned_checkpoint"))
    assert by_hub.keys() == by_folder.keys() == {arm_key(m, "40pct") for m in ("random", "length")}
    for key, checkpoint in by_hub.items():
        for seed in (0, 1):
            assert weights_digest(load_model(checkpoint.path(f"seed_{seed}"))) == weights_digest(
                load_model(by_folder[key].path(f"seed_{seed}"))
            )


def test_lora_changes_the_blocks_linear_layers_by_a_low_rank_and_nothing_else(project, hub_files):
    base = load_model(hub_files).state_dict()
    for _, checkpoint in arms(project, "hub/finetuned_checkpoint"):
        for seed in (0, 1):
            tuned = load_model(checkpoint.path(f"seed_{seed}")).state_dict()
            assert tuned.keys() == base.keys()
            for name, before in base.items():
                change = (tuned[name] - before).double()
                if "_proj." not in name:
                    assert not change.any(), name
                    continue
                singular = torch.linalg.svdvals(change)
                assert singular[0] > 1e-3, name
                # two phases, each merged in float32
                assert singular[WARM_UP_RANK + TUNING_RANK :].max() < 1e-4 * singular[0], name


def test_what_is_charged_is_one_forward_and_one_backward_of_frozen_weights(project, hub_files):
    """Full training would cost three forwards a token, LoRA costs two."""
    tokenizer = load_tokenizer(hub_files)
    a_layer = 8 * WIDTH**2 + 6 * WIDTH * FFN + 4 * LENGTH * WIDTH
    forward = LAYERS * a_layer + 4 * len(tokenizer) * WIDTH
    spent = {
        row["partition"]: row["flops"]
        for row in project.ledger.query(
            "SELECT partition, flops FROM spend WHERE asset = 'hub/finetuned_checkpoint'"
        )
    }
    for key, checkpoint in arms(project, "hub/finetuned_checkpoint"):
        subset = project.ledger.current("hub/selected_subset", key).table("subset.parquet")
        drawn = subset.to_pylist()
        draws = sorted({row["draw"] for row in drawn})
        seeds = checkpoint.json("training.json")["seeds"]
        for number, seed in enumerate(seeds):
            rows = [r["text"] for r in drawn if r["draw"] == draws[number % len(draws)]]
            tokens = ceil(count_tokens(tokenizer, rows).sum() / LENGTH) * LENGTH
            assert seed["warm_up_flops"] == pytest.approx(2 * forward * tokens)
            # padded to each batch's longest, so no less than its tokens
            assert seed["fine_tuning_flops"] >= 2 * forward * seed["fine_tuning_tokens"]
            assert seed["fine_tuning_flops"] < 3 * forward * seed["fine_tuning_tokens"]
        both = sum(seed["warm_up_flops"] + seed["fine_tuning_flops"] for seed in seeds)
        assert spent[key] == pytest.approx(both)


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12]])
def test_a_study_with_an_unpinned_hub_model_is_refused(hub_studies, tmp_path, revision):
    shutil.copytree(hub_studies.root / "studies", tmp_path / "studies")
    path = tmp_path / "studies/hub.yaml"
    study = yaml.safe_load(path.read_text())
    study["base_model"]["revision"] = revision
    path.write_text(yaml.safe_dump(study))
    for _ in enter(Project(tmp_path)):
        with pytest.raises(ConfigurationError, match=r"hub\.yaml.*base_model.*revision"):
            load_study("hub")


def test_a_revision_that_is_not_there_is_named_with_the_remedy(hub_studies):
    said = hub_studies.printed(NOT_THERE)
    assert NOT_THERE in said
    assert "HF_HUB_OFFLINE is set" in said
    assert "hf download" in said
