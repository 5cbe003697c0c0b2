"""A wrong file stops its study before work starts, and its message is enough to correct it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from resources.store.artifacts import UNPARTITIONED
from selection.config.files import ConfigurationError
from selection.config.names import Strict
from selection_assets.assets.target_examples import build_examples
from selection_assets.command.run import find_study
from selection_assets.graph import study_stages
from selection_assets.shared.local_models import local_model_version
from selection_assets.shared.read_paths import data_paths
from selection_assets.studies import load_study

HUB_MODEL = {"kind": "pretrained", "model": "HuggingFaceTB/SmolLM2-135M", "revision": "main"}
HUB_SOURCE = {"kind": "hub", "name": "news", "dataset": "fancyzhx/ag_news", "revision": "main"}


def setting(**fields: Any) -> Callable[[dict], None]:
    """Set fields of a file; `a__b` is field b of a, and None removes the field."""

    def change(content: dict) -> None:
        for field, value in fields.items():
            *parents, last = field.split("__")
            part = content
            for parent in parents:
                part = part[parent]
            part[last] = value
            if value is None:
                del part[last]

    return change


def message_after(path: Path, change: Callable[[dict], None]) -> str:
    """Change a file of the project and return what loading the study says."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError) as caught:
        load_study("small")
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "value", "allowed"),
    [
        (
            setting(methods={"random": {}, "optimal_transport": {}}),
            "methods",
            "optimal_transport",
            "known methods: bm25, dsir, embedding, gradient, length, ot",
        ),
        (
            setting(methods={"random": {}, "ot": {"eps_rle": 0.1}}),
            "option eps_rle of ot",
            "0.1",
            "Extra inputs are not permitted",
        ),
        (
            setting(methods={"random": {}, "ot": {"eps_rel": -1}}),
            "option eps_rel of ot",
            "-1",
            "greater than 0",
        ),
        (
            setting(methods={"random": {}, "turns": {"method": "embedding", "variant": "zigzag"}}),
            "option variant of turns",
            "zigzag",
            "'mean' or 'round_robin'",
        ),
        (
            setting(methods={"random": {}, "gradient": {}}),
            "field selector",
            "gradient",
            "written like `base_model`",
        ),
        (
            setting(methods={"random": {}, "ot": {"contrast_weight": 1.0}}),
            "field contrast",
            "methods.ot.contrast_weight",
            "written like `target`",
        ),
        (
            setting(methods={"random": {"method": "length"}}),
            "methods",
            "length",
            "`random` must be among the methods",
        ),
        (setting(methods={"ot": {}}), "methods", "ot", "`random` must be among the methods"),
        (setting(methods={}), "methods", "{}", "at least 1 item"),
        (setting(budgets=[-0.1]), "budgets.0.share", "-0.1", "greater than 0"),
        (setting(budgets=[1.5]), "budgets.0.share", "1.5", "less than or equal to 1"),
        (setting(budgets=[{"flops": -1e9}]), "budgets.0.flops", "-1000000000.0", "greater than 0"),
        (setting(budgets=[]), "budgets", "[]", "at least 1 item"),
        (setting(budgets=[0.1, 0.1]), "budgets", "0.1", "two budgets are the same"),
        (
            setting(budgets=[{"share": 0.1, "flops": 1e9}]),
            "budgets.0",
            "0.1",
            "give one of `share` (0 to 1 of one epoch",
        ),
        (setting(target=None), "target", "missing", "required"),
        (setting(target__splits=None), "target.docstrings.splits", "missing", "required"),
        (setting(target__kind="web"), "target", "web", "'docstrings', 'files'"),
        (setting(target__splits__test=0), "splits.test", "0", "greater than or equal to 2"),
        (setting(pool="libary"), "pool", "libary", "known pools: library"),
        (setting(seeds=[0]), "seeds", "[0]", "at least 2 items"),
        (setting(seeds=[1, 1]), "seeds", "[1, 1]", "a seed is given twice"),
        (setting(seeds=["one", 2]), "seeds.0", "one", "valid integer"),
        (setting(budgts=[0.1]), "budgts", "[0.1]", "not known"),
        (setting(cap={"flops": 0}), "cap.flops", "0", "greater than 0"),
        (setting(cap={"flops": 1, "usd": 1}), "cap", "usd", "one of `flops`, `device_hours`"),
        (setting(cap={"usd": 20}), "small.yaml", "20", "needs `usd_per_device_hour`"),
        (setting(name="small'; DROP TABLE spend"), "name", "DROP TABLE", "match pattern"),
        (setting(name="../small"), "name", "../small", "match pattern"),
        (setting(accountant="guess"), "accountant", "guess", "'dense' or 'measured'"),
        (setting(embedder__model__width=4), "embedder.model", "4", "greater than or equal to 16"),
        (setting(base_model=HUB_MODEL), "revision", "main", "match pattern '^[0-9a-f]{40}$'"),
        (setting(warm_up={"epochs": 0}), "warm_up.epochs", "0", "greater than or equal to 1"),
        (setting(name="library"), "name", "library", "is the name of a pool"),
    ],
)
def test_a_wrong_study_is_told_its_file_field_value_and_what_is_allowed(
    project, change, field, value, allowed
):
    message = message_after(project.root / "studies/small.yaml", change)
    assert str(project.root / "studies/small.yaml") in message
    for part in (field, value, allowed):
        assert part in message


@pytest.mark.parametrize(
    ("change", "field", "value", "allowed"),
    [
        (setting(sources=[HUB_SOURCE]), "revision", "main", "match pattern '^[0-9a-f]{40}$'"),
        (setting(sources=[]), "sources", "[]", "at least 1 item"),
        (setting(sources=[{"kind": "ftp"}]), "sources.0", "ftp", "'drop_folder'"),
        (setting(sources=[{"kind": "files", "path": "x"}]), "sources.0", "x", "`name`"),
        (setting(max_quarantined=5), "max_quarantined", "5", "less than or equal to 1"),
        (setting(name="Library"), "name", "Library", "match pattern"),
    ],
)
def test_a_wrong_pool_is_told_its_file_field_value_and_what_is_allowed(
    project, change, field, value, allowed
):
    message = message_after(project.root / "studies/pools/library.yaml", change)
    assert str(project.root / "studies/pools/library.yaml") in message
    for part in (field, value, allowed):
        assert part in message


def test_a_target_that_is_also_a_source_of_the_pool_is_refused(project):
    sources = [{"kind": "docstrings", "packages": ["email", "http"]}]
    message = message_after(project.root / "studies/pools/library.yaml", setting(sources=sources))
    for part in ("small.yaml", "target.package", "'http'", "pool 'library'", "out of the pool"):
        assert part in message


def test_every_problem_of_a_file_is_listed_at_once(project):
    change = setting(seeds=[0], budgets=[-0.1], budgts=[1])
    lines = message_after(project.root / "studies/small.yaml", change).splitlines()
    assert len(lines) == 3
    assert all("small.yaml: field " in line for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        b"name: small\n\tpool: library\n",
        b"name: [unclosed\n",
        b"name: \xff\xfe\n",
        b"!!python/object/apply:os.mkdir [executed]\n",
        b"- a list\n",
        b"",
        b"just text",
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused_by_its_name_and_runs_nothing(project, content):
    path = project.root / "studies/small.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(path))):
        load_study("small")
    assert not Path("executed").exists()


def test_two_studies_of_one_name_are_refused(project):
    first = project.root / "studies/small.yaml"
    (project.root / "studies/twin.yaml").write_text(first.read_text())
    with pytest.raises(ConfigurationError, match=r"twin.yaml: field name: 'small' is used"):
        load_study("small")


def test_one_embedder_name_for_two_models_is_refused(project):
    content = yaml.safe_load((project.root / "studies/small.yaml").read_text())
    content["name"], content["embedder"]["model"]["width"] = "wider", 128
    (project.root / "studies/wider.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=r"wider.yaml: field embedder.name: 'static'"):
        load_study("wider")


@pytest.mark.parametrize("field", ["base_model", "selector"])
def test_one_name_for_two_decoders_of_a_pool_is_refused(field, project):
    first = project.root / "studies/small.yaml"
    study = yaml.safe_load(first.read_text())
    study["selector"] = dict(study["base_model"])
    first.write_text(yaml.safe_dump(study))
    study[field] = study[field] | {"layers": 3}
    (project.root / "studies/twin.yaml").write_text(yaml.safe_dump(study | {"name": "twin"}))
    with pytest.raises(ConfigurationError, match=rf"{field}.name: 'tiny' is another model"):
        load_study("twin")


def test_studies_that_share_a_model_have_it_counted_by_one_accountant(project):
    study = yaml.safe_load((project.root / "studies/small.yaml").read_text())
    twin = study | {"name": "twin", "accountant": "dense"}
    (project.root / "studies/twin.yaml").write_text(yaml.safe_dump(twin))
    with pytest.raises(ConfigurationError, match=r"field accountant has value 'dense'.*'detailed'"):
        load_study("twin")


def test_a_bare_method_and_a_bare_share_are_understood(project):
    assert project.study.methods["random"] == {}
    assert [budget.key for budget in project.study.budgets] == ["10pct", "30pct"]


FILE = {
    "kind": "files",
    "path": "absent.jsonl",
    "columns": {"label": None, "split": "split"},
    "splits": {"train": 1, "dev": 1, "test": 2},
}
IN_A_FILE = {
    "target": setting(target=FILE),
    "contrast": setting(contrast=FILE, methods={"random": {}, "ot": {"contrast_weight": 1.0}}),
}


@pytest.mark.parametrize("part", IN_A_FILE)
def test_absent_data_are_told_with_study_path_and_remedy_before_anything_runs(project, part):
    path = project.root / "studies/small.yaml"
    content = yaml.safe_load(path.read_text())
    IN_A_FILE[part](content)
    path.write_text(yaml.safe_dump(content))
    expected = f"study small: {project.root / 'absent.jsonl'} is not there; bring the data"
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        find_study("small")
    # From the UI or a sensor, where no command has looked first.
    [stage] = [s for s in study_stages(project.study) if s.key.path[-1] == f"{part}_examples"]
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        stage.outside(UNPARTITIONED)


class Archive(Strict):
    """A kind that somebody has added to the configuration, and nowhere else."""

    kind: Literal["archive"] = "archive"
    path: str = "rows.tar"
    model: str = "model.tar"
    revision: str | None = None


def test_data_and_models_of_a_kind_that_nobody_knows_are_refused_by_their_kind(project):
    study = project.study.model_copy(update={"contrast": Archive()})
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive', path='rows.tar'"):
        data_paths(study)
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        build_examples(study, "contrast_examples", study.contrast).outside(UNPARTITIONED)
    with pytest.raises(AssertionError, match=r"Archive\(kind='archive'"):
        local_model_version(Archive())
