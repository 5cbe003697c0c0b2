"""A project's file says how many processes train an arm: the same model, and a run that tells."""

from pathlib import Path
from shutil import copytree

import pytest
import yaml
from small_project import Project, enter
from smallest_study import NAME

from selection.config.project import ProjectFile
from selection_assets.refresh.refresh import refresh
from selection_assets.studies import load_study

ASSET = f"{NAME}/finetuned_checkpoint"


@pytest.mark.study
@pytest.mark.slow
def test_two_processes_train_what_one_does(fresh, finished_smallest, tmp_path):
    project = Project(Path(copytree(fresh, tmp_path / "project")))
    (project.root / "project.yaml").write_text(yaml.safe_dump({"training": {"processes": 2}}))
    file = project.root / f"studies/{NAME}.yaml"
    study = yaml.safe_load(file.read_text())
    del study["full_data_seeds"]
    file.write_text(yaml.safe_dump(study | {"methods": {"random": None}}))
    for entered in enter(project):
        with entered.instance() as instance:
            assert refresh(
                load_study(NAME),
                entered.definitions,
                entered.ledger,
                instance,
                up_to="finetuned_checkpoint",
            )
            said = [
                entry.user_message
                for run in instance.get_runs()
                for entry in instance.all_logs(run.run_id)
            ]
        [together] = entered.ledger.current_versions(ASSET).values()
        spent = entered.ledger.query("SELECT flops FROM spend WHERE asset = ?", [ASSET])
    for entered in enter(Project(finished_smallest)):
        alone = entered.ledger.current_versions(ASSET)[together.partition]
    ours, theirs = together.json("training.json"), alone.json("training.json")
    assert (ours["processes"], theirs["processes"]) == (2, 1)
    for seed, expected in zip(ours["seeds"], theirs["seeds"], strict=True):
        assert seed.pop("weights") != expected.pop("weights")
        assert seed == pytest.approx(expected, abs=1e-5)
    flops = sum(seed["warm_up_flops"] + seed["fine_tuning_flops"] for seed in theirs["seeds"])
    assert [row["flops"] for row in spent] == [flops]
    steps = theirs["seeds"][0]["warm_up_steps"]
    assert any(f"step {steps} of {steps}: loss" in (line or "") for line in said)


def test_a_model_is_not_sharded_over_one_process():
    with pytest.raises(ValueError, match="over several `processes`"):
        ProjectFile.model_validate({"training": {"sharded": True}})
