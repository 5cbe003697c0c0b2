"""P11: a study whose ledger was lost is, once that is rebuilt, what it was."""

import shutil
from pathlib import Path

from command_line import selection
from small_project import Project, enter
from smallest_study import NAME
from study_outcome import check_same, study_outcome

REBUILD = ("recover", "--write", "--reason", "the disk was full", "--actor", "me")


def test_a_finished_study_is_as_before_once_its_ledger_is_rebuilt(
    finished_smallest, undisturbed, zygote, tmp_path, figures
):
    project = Project(Path(shutil.copytree(finished_smallest, tmp_path / "project")))
    (project.root / "store/ledger.duckdb").unlink()
    assert zygote.start(project, "run", NAME).wait() == 1
    zygote.start(project, *REBUILD).finish()
    zygote.start(project, "run", NAME).finish()
    assert "nothing had changed" in (project.root / "attempts.log").read_text()
    for _ in enter(project):
        assert project.ledger.verify() == []
        check_same(study_outcome(project.ledger), undisturbed)
        assert selection("gc").output.startswith("nothing to remove")
    figures.record("P11", versions_of_a_study_recovered=len(undisturbed.current))
