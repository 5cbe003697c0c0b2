"""docs/guide.md: its rows are read as it says, and it is followed to the letter in a copy."""

import importlib.util
import re
import runpy
import shlex
from contextlib import contextmanager

import pytest
from checkout import Checkout
from command_line import selection
from dagster_homes import write_dagster_home
from places import REPOSITORY
from small_project import Project, enter

from selection_assets.authoring.study_file import EMBEDDER

BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((REPOSITORY / "docs/guide.md").read_text())
FORMATS = ("messages", "sharegpt", "alpaca", "prompt-completion", "preference", "text")


@pytest.mark.study
def test_the_folder_that_it_writes_is_of_six_formats_that_its_first_command_reads(
    tmp_path, monkeypatch
):
    """In this process; what comes of the rows then, `test_pick.py` and `test_trl.py` say."""
    monkeypatch.chdir(tmp_path)
    # As wide as in other tests, which have distilled it already.
    monkeypatch.setitem(EMBEDDER["model"], "width", 64)
    (tmp_path / "dagster_home").mkdir()
    write_dagster_home(tmp_path)
    [written] = [text for _, title, text in BLOCKS if title == "guide/write_rows.py"]
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide/write_rows.py").write_text(written)
    commands = [line for _, title, text in BLOCKS if not title for line in text.splitlines()]
    [dry] = [line for line in commands if line.endswith("--dry-run")]
    with contextmanager(enter)(Project(tmp_path)):
        runpy.run_path("guide/write_rows.py", run_name="__main__")
        result = selection(*shlex.split(dry)[1:])
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in FORMATS)
    assert "memory: about" in result.output and "selected_subset" not in result.output


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="the extra `trl` is absent")
def test_the_guide_leads_from_a_folder_of_six_formats_to_a_trained_model(tmp_path):
    copy = Checkout(tmp_path / "copy")
    said = []
    for kind, title, text in BLOCKS:
        if title:
            (copy.root / title).parent.mkdir(exist_ok=True)
            (copy.root / title).write_text(text)
        else:
            assert kind == "bash"
            said += [copy.run(line) for line in text.splitlines()]
    written, dry, picked, listed, loaded, _, why, _, trained = said
    assert not written
    for name in FORMATS:
        assert name in dry and name in picked
    assert "memory: about" in dry and "selected_subset" not in dry
    assert "ot at 60rows picked 60 of" in picked and "picked: 60 rows" in picked
    assert {"train.jsonl", "receipts.parquet", "README.md", "train_trl.py"} <= set(listed.split())
    assert "num_rows: 60" in loaded
    assert "selected" in why and "found in" in why
    assert re.search(r"'?train_loss'?", trained)
    assert (copy.root / "trained").is_dir()
