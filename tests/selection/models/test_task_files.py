"""Task files of the harness lead to nothing outside their folder, and are looked at unread."""

from pathlib import Path

import pytest

from selection.models.harness import count_harness_passes
from selection.models.harness_tasks import HarnessTasks
from selection.models.task_files import see_that_task_files_stay_in
from selection.models.tokenizer import train_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of task files that include and call each other, and files beside it."""
    (tmp_path / "beside.yaml").write_text("output_type: multiple_choice\n")
    (tmp_path / "beside.py").write_text("raise SystemExit('was run')\n")
    folder = tmp_path / "tasks"
    (folder / "deep").mkdir(parents=True)
    (folder / "own.py").write_text("raise SystemExit('was run')\n")
    (folder / "again.yaml").write_text("include: [again.yaml, deep/template]\n")
    (folder / "deep/template").write_text("doc_to_text: &a [!function own.ask, json.loads, *a]\n")
    (folder / "broken.yaml").write_text("{")
    return folder


def test_files_that_keep_to_their_folder_are_let_be(folder):
    see_that_task_files_stay_in(folder)


@pytest.mark.parametrize(
    "line",
    [
        "include: ../beside.yaml",
        "include: [again.yaml, OUTSIDE/beside.yaml]",
        "process_docs: !function OUTSIDE/beside.process",
        "doc_to_text: &a [!function OUTSIDE/beside.process, *a]",
        "task: [{task: inner, doc_to_choice: !function OUTSIDE/beside.process}]",
    ],
)
@pytest.mark.parametrize("name", ["mine.yaml", "deep/template"])
def test_a_task_file_that_includes_or_calls_what_lies_outside_is_refused_unread(
    figures, folder, line, name
):
    line = line.replace("OUTSIDE", str(folder.parent))
    (folder / name).write_text(f"{line}\n".replace("../", "../" * (1 + name.count("/"))))
    with pytest.raises(ValueError, match=rf"{name} leads to .*/beside.*must lie in `include_path`"):
        see_that_task_files_stay_in(folder)
    figures.record("P12", task_files_refused=1)


def test_the_harness_is_not_asked_to_read_such_a_folder(folder):
    (folder / "mine.yaml").write_text("include: ../beside.yaml\n")
    tokenizer = train_tokenizer(["Some text for a few tokens."], vocab_size=300)
    with pytest.raises(ValueError, match=r"mine.yaml leads to"):
        count_harness_passes(tokenizer, HarnessTasks(("mine",), folder), max_length=64)
