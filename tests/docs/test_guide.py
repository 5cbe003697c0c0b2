"""docs/guide.md, followed to the letter in a copy of the checkout."""

import importlib.util
import re

import pytest
from checkout import Checkout
from places import REPOSITORY

BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.mark.study
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="the extra `trl` is absent")
def test_the_guide_leads_from_a_folder_of_six_formats_to_a_trained_model(tmp_path):
    copy = Checkout(tmp_path / "copy")
    said = []
    for kind, title, text in BLOCK.findall((REPOSITORY / "docs/guide.md").read_text()):
        if title:
            (copy.root / title).parent.mkdir(exist_ok=True)
            (copy.root / title).write_text(text)
        else:
            assert kind == "bash"
            said += [copy.run(line) for line in text.splitlines()]
    written, dry, picked, listed, loaded, _, why, _, trained = said
    assert not written
    for name in ("messages", "sharegpt", "alpaca", "prompt-completion", "preference", "text"):
        assert name in dry and name in picked
    assert "memory: about" in dry and "selected_subset" not in dry
    assert "ot at 60rows picked 60 of" in picked and "picked: 60 rows" in picked
    assert {"train.jsonl", "receipts.parquet", "README.md", "train_trl.py"} <= set(listed.split())
    assert "num_rows: 60" in loaded
    assert "selected" in why and "found in" in why
    assert re.search(r"'?train_loss'?", trained)
    assert (copy.root / "trained").is_dir()
