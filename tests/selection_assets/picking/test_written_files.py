"""Which files does a person get who has written none?"""

import json
import os
from pathlib import Path

import pytest
import yaml
from command_line import selection
from dagster_homes import write_dagster_home

from resources.project import ROOT_VARIABLE
from selection.config.files import load_yaml
from selection.config.pool import Pool
from selection.config.study import Study
from selection_assets.authoring.names import name_after, source_names, unlike
from selection_assets.studies import read_configuration


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """A folder of somebody's files, and a project beside it in which there is nothing."""
    root, folder = tmp_path / "project", tmp_path / "their files"
    (root / "dagster_home").mkdir(parents=True)
    write_dagster_home(root)
    folder.mkdir()
    for name in ("chats.jsonl", "more/notes.jsonl", "target.jsonl", "other.jsonl"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"text": f"A row of {name}."}) + "\n")
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    monkeypatch.setenv("DAGSTER_HOME", str(root / "dagster_home"))
    monkeypatch.chdir(folder)
    return folder


def root() -> Path:
    return Path(os.environ[ROOT_VARIABLE])


def new(*arguments: str) -> str:
    result = selection("new", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = selection(*arguments)
    assert result.exit_code == 2, result.output
    return result.output


def test_new_writes_a_pool_and_a_study_that_can_be_used_and_says_what_each_part_is(data):
    said = new("mine", "chats.jsonl", "more", "--target", "target.jsonl")
    assert "wrote studies/pools/chats.yaml" in said and "wrote studies/mine.yaml" in said
    pool, study = root() / "studies/pools/chats.yaml", root() / "studies/mine.yaml"
    assert [source.kind for source in load_yaml(Pool, pool).sources] == ["files", "drop_folder"]
    found = load_yaml(Study, study)
    assert not found.trains and found.base_model is None
    assert found.budgets[0].key == "5pct_rows"
    assert found.target.model_dump()["shares"] == {"train": 0.0, "dev": 1.0, "test": 0.0}
    for text in (pool.read_text(), study.read_text()):
        fields = [line for line in text.splitlines() if line[0] not in "# -"]
        assert text.count("# ") >= len(fields) - 2
    assert not read_configuration().wrong


def test_a_study_with_a_model_compares_methods_and_holds_rows_out(data, tmp_path):
    model = data / "Smol LM"
    model.mkdir()
    new("mine", "chats.jsonl", "--target", "target.jsonl", "--model", str(model))
    found = load_yaml(Study, root() / "studies/mine.yaml")
    assert found.trains and found.base_model is not None
    assert found.base_model.name == "smol_lm"
    assert found.target.model_dump()["shares"] is None
    assert {"random", "bm25", "ot"} <= found.methods.keys()


def test_a_model_gets_a_window_that_it_has_and_a_name_that_no_other_model_of_the_pool_has(data):
    models = []
    for folder, positions in (("one", 256), ("two", 100_000)):
        model = data / folder / "model"
        model.mkdir(parents=True)
        (model / "config.json").write_text(json.dumps({"max_position_embeddings": positions}))
        new(folder, "chats.jsonl", "--target", "target.jsonl", "--model", str(model))
        models.append(load_yaml(Study, root() / f"studies/{folder}.yaml").base_model)
    assert [model.name for model in models] == ["model", "model_2"]
    assert [model.sequence_length for model in models] == [256, 2048]
    assert not read_configuration().wrong


def test_what_a_person_names_may_be_read_and_nothing_else(data):
    (root() / "project.yaml").write_text("# mine\nroots:\n- ../shared  # theirs\n")
    new("mine", "chats.jsonl", "--target", "target.jsonl")
    text = (root() / "project.yaml").read_text()
    assert text.startswith("# mine\nroots:\n- ../shared  # theirs\n")
    wanted = ["../shared", str(data / "chats.jsonl"), str(data / "target.jsonl")]
    assert yaml.safe_load(text)["roots"] == wanted
    new("again", "chats.jsonl", "--target", "target.jsonl", "--method", "length")
    assert (root() / "project.yaml").read_text() == text


@pytest.mark.parametrize(
    "before",
    ["# none\n{}\n", "roots: []  # none\n", "roots: [../a, ../b]\n", "roots:\n  - '../a'\n"],
)
def test_roots_are_added_or_it_is_said_what_to_write(data, before):
    file = root() / "project.yaml"
    file.write_text(before)
    result = selection("new", "mine", "chats.jsonl", "--target", "target.jsonl")
    if result.exit_code:
        assert f"add these lines under `roots:` yourself:\n  - {data}/chats.jsonl" in result.output
        assert file.read_text() == before and not (root() / "studies/mine.yaml").exists()
    else:
        before_roots = (yaml.safe_load(before) or {}).get("roots") or []
        assert yaml.safe_load(file.read_text())["roots"][: len(before_roots)] == before_roots
        assert not read_configuration().wrong


def test_the_same_again_writes_nothing_and_something_else_takes_another_name(data):
    new("mine", "chats.jsonl", "--target", "target.jsonl")
    text = (root() / "studies/mine.yaml").read_text()
    said = new("mine", "chats.jsonl", "--target", "target.jsonl")
    assert "says just this already" in said
    said = refused("new", "mine", "chats.jsonl", "--target", "other.jsonl")
    assert "the study 'mine' is there and says something else" in said
    assert (root() / "studies/mine.yaml").read_text() == text
    said = refused("new", "chats", "chats.jsonl", "--target", "target.jsonl")
    assert "the name 'chats' is taken" in said
    assert "wrote studies/second.yaml" in new("second", "chats.jsonl", "--target", "target.jsonl")
    second = (root() / "studies/second.yaml").read_text()
    assert second == text.replace("name: mine", "name: second")


def test_a_pool_is_known_by_its_files_and_keeps_what_was_edited(data):
    new("mine", "chats.jsonl", "--target", "target.jsonl")
    pool = root() / "studies/pools/chats.yaml"
    pool.write_text(pool.read_text().replace("max_quarantined: 0.05", "max_quarantined: 0.5"))
    new("second", "chats.jsonl", "--target", "other.jsonl")
    assert [path.name for path in pool.parent.iterdir()] == ["chats.yaml"]
    assert "max_quarantined: 0.5" in pool.read_text()
    new("third", "chats.jsonl", "more", "--target", "other.jsonl")
    assert {path.name for path in pool.parent.iterdir()} == {"chats.yaml", "chats_2.yaml"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.jsonl", "--target", "target.jsonl"], "gone.jsonl is not there"),
        (["chats.jsonl", "--target", "gone.jsonl"], "gone.jsonl is not there"),
        (["chats.jsonl", "chats.jsonl", "--target", "target.jsonl"], "is given twice"),
        ([".", "--target", "target.jsonl"], "(the target) lies in"),
        (["more", "more/notes.jsonl", "--target", "target.jsonl"], "(also in the pool) lies in"),
        (["chats.jsonl", "--target", "target.jsonl", "--method", "magic"], "magic"),
        (["/dev/null", "--target", "target.jsonl"], "is no file and no folder"),
        (["chats.jsonl", "--target", "/dev/zero"], "is no file and no folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(data, arguments, said):
    assert said in refused("new", "mine", *arguments)
    assert not (root() / "studies").exists() and not (root() / "project.yaml").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share", "5%", "--rows", "3", "--out", "x"], "give one of --share"),
        (["--share", "500%", "--out", "x"], "is no share of the pool; write 5% or 0.05"),
        (["--flops", "1e12", "--out", "x"], "--flops needs --model"),
        ([], "say where the training file is to be written"),
        (["--revision", "abc", "--out", "x"], "--revision is of a hub's --model"),
    ],
)
def test_options_of_pick_that_mean_nothing_are_refused_first(data, options, said):
    assert said in refused("pick", "chats.jsonl", "--target", "target.jsonl", *options)
    assert not (root() / "studies").exists()


def test_rows_are_not_written_where_the_pool_is_read(data):
    result = selection("pick", "more", "--target", "target.jsonl", "--out", "more/inner")
    assert result.exit_code == 1
    assert "is within more, which the pool that is asked for reads" in result.output
    assert not (root() / "studies").exists() and not Path("more/inner").exists()


def test_names_remind_of_what_they_are_made_from():
    assert name_after("My Chats (2024).v2") == "my_chats_2024_v2"
    assert name_after("2024 chats") == "of_2024_chats"
    assert name_after("日本") == "of"
    paths = [Path("a b.jsonl"), Path("x/a b.jsonl.gz"), Path("日本.csv")]
    assert source_names(paths) == ["a_b", "a_b_2", "rows"]
    assert unlike(["pool", "pool_2"], "pool") == "pool_3"
