"""What a configuration reads lies in the project, or in a folder that the project names."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_project import Project, enter
from test_configuration import FILE, setting
from tiny_project import write_tiny_project

import selection.config.decoders
import selection.config.embedders
import selection.config.pool
import selection.config.study
import selection.config.targets
from resources.paths import PLACES, resolve, resolve_whole
from selection.config.files import ConfigurationError
from selection.config.names import HubId, ProjectFolder, ProjectPath, Strict
from selection.config.pool import Pool
from selection.corpus.records import BadRecord, Record
from selection.corpus.sources import list_sources
from selection_assets.studies import load_studies, read_configuration

MODULES = (
    selection.config.decoders,
    selection.config.embedders,
    selection.config.pool,
    selection.config.study,
    selection.config.targets,
)
LOCAL_MODEL = {"kind": "pretrained", "name": "local"}
FIELDS = {
    "sources.0.files.path": (
        "pools/library.yaml",
        lambda path: {"sources": [{"kind": "files", "name": "rows", "path": path}]},
    ),
    "sources.0.drop_folder.path": (
        "pools/library.yaml",
        lambda path: {"sources": [{"kind": "drop_folder", "path": path}]},
    ),
    "target.files.path": ("small.yaml", lambda path: {"target": FILE | {"path": path}}),
    "contrast.files.path": (
        "small.yaml",
        lambda path: {
            "contrast": FILE | {"path": path},
            "methods": {"random": {}, "ot": {"contrast_weight": 1.0}},
        },
    ),
    "base_model.pretrained.model": (
        "small.yaml",
        lambda path: {"base_model": LOCAL_MODEL | {"model": path}},
    ),
    "selector.pretrained.model": (
        "small.yaml",
        lambda path: {"selector": LOCAL_MODEL | {"model": path}},
    ),
    "embedder.model.sentence_transformer.model": (
        "small.yaml",
        lambda path: {"embedder__model": {"kind": "sentence_transformer", "model": path}},
    ),
    "evaluation.harness.include_path": (
        "small.yaml",
        lambda path: {"evaluation": {"harness": {"tasks": ["a"], "include_path": path}}},
    ),
}
"""Every field that names a path: its file, and what gives it a value."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield from enter(write_tiny_project(tmp_path / "project"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the project, with rows and whatever else a path may lead to."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"text": "A row from outside.", "split": "dev"}\n')
    return folder


def write(project: Project, field: str, path: str) -> Path:
    """Give a field of the configuration a path; returns the file that has it."""
    name, change = FIELDS[field]
    file = project.root / "studies" / name
    content = yaml.safe_load(file.read_text())
    setting(**change(path))(content)
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("how", ["absolute", "upwards", "link", "linked parent"])
def test_a_path_outside_is_refused_by_file_field_value_and_remedy(
    figures, project, outside, field, how
):
    (project.root / "link").symlink_to(outside)
    path = {
        "absolute": str(outside),
        "upwards": "studies/../../outside/./",
        "link": "link",
        "linked parent": "link/deeper/rows.jsonl",
    }[how]
    file = write(project, field, path)
    [message] = read_configuration().wrong[file].splitlines()
    for part in (
        f"{file}: field {field} (line ",
        f"has value {path!r}",
        f"lies at {outside}",
        f"outside the project ({project.root})",
        f"under `roots:` in {project.root / 'project.yaml'}",
    ):
        assert part in message
    figures.record("P12", paths_refused=1)


@pytest.mark.parametrize("field", [field for field in FIELDS if "sentence" not in field])
@pytest.mark.parametrize("root", ["../outside", ".."])
def test_a_root_that_the_project_names_lets_its_paths_in(project, outside, field, root):
    (project.root / "project.yaml").write_text(yaml.safe_dump({"roots": [root]}))
    write(project, field, str(outside))
    assert set(load_studies()) == {"small"}


segments = st.sampled_from(["..", ".", "drop", "studies", "link", "loop", "inner", "outside", "a"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(segments, max_size=6), absolute=st.booleans())
def test_whatever_resolves_is_in_the_project_and_nothing_else_is_refused(
    figures, project, outside, parts, absolute
):
    for name, to in {"link": outside, "loop": "loop", "inner": "drop"}.items():
        if not os.path.lexists(project.root / name):
            (project.root / name).symlink_to(to)
    path = os.path.join(project.root, *parts) if absolute else os.path.join(*parts, "")  # noqa: PTH118
    try:
        real = (project.root / path).resolve()
    except RuntimeError:
        real = Path("/")
    for look in (resolve, resolve_whole):
        try:
            found = look(path)
        except ConfigurationError:
            leads_out = look is resolve_whole and real == project.root
            assert leads_out or not real.is_relative_to(project.root)
        else:
            assert found == real and found.is_relative_to(project.root)
    figures.record("P12", paths_tried=1)


def test_what_is_no_path_is_refused_and_no_traceback(project):
    for path in ("a\0b", "x" * 5000 + "/..", "loop"):
        (project.root / "loop").unlink(missing_ok=True)
        (project.root / "loop").symlink_to("loop")
        try:
            assert resolve(path).is_relative_to(project.root)
        except ConfigurationError as error:
            assert "cannot be a path here" in str(error)


def test_a_link_in_a_drop_folder_that_leads_out_is_set_aside_and_the_rest_is_read(project, outside):
    (project.root / "drop/linked.jsonl").symlink_to(outside / "rows.jsonl")
    (project.root / "drop/folder").symlink_to(outside)
    (project.root / "drop/part").mkdir()
    (project.root / "drop/part/linked.jsonl").symlink_to(outside / "rows.jsonl")
    pool = Pool.model_validate(
        yaml.safe_load((project.root / "studies/pools/library.yaml").read_text())
    )
    listed = list_sources(pool, resolve)
    left_out = {one.what: one.reason for one in listed.not_read}
    assert set(left_out) == {"linked.jsonl", "folder"}
    assert all("a link that leaves the folder" in reason for reason in left_out.values())
    [bad] = listed.sources["part"].read()
    assert isinstance(bad, BadRecord) and "symlink leaves the folder" in bad.reason
    assert all(isinstance(row, Record) for row in listed.sources["email"].read())


def test_the_sources_of_a_folder_are_not_named_after_what_a_link_leads_to(project, outside):
    folder = project.root / "parts"
    folder.mkdir()
    pq.write_table(pa.table({"text": ["a"], "part": ["inside"]}), folder / "one.parquet")
    pq.write_table(pa.table({"text": ["b"], "part": ["secret"]}), outside / "two.parquet")
    (folder / "two.parquet").symlink_to(outside / "two.parquet")
    spec = {"kind": "files", "path": "parts", "split_by": "part"}
    pool = Pool.model_validate({"name": "library", "sources": [spec]})
    assert set(list_sources(pool, resolve).sources) == {"inside"}


@pytest.mark.parametrize(
    "field", ["base_model.pretrained.model", "evaluation.harness.include_path"]
)
def test_a_link_in_a_folder_that_a_library_reads_may_not_lead_out(project, outside, field):
    folder = project.root / "whole"
    (folder / "deep").mkdir(parents=True)
    write(project, field, "whole")
    assert set(load_studies()) == {"small"}
    (folder / "deep/config.json").symlink_to(outside / "rows.jsonl")
    [problem] = read_configuration().wrong.values()
    assert f"field {field} (line " in problem and f"lies at {outside}" in problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("roots: ..", "field roots (line 1) has value"),
        ("root: [..]", "field root (line 1) is not known"),
        ("roots: [1]", "field roots.0 (line 1) has value 1"),
        ("- a", "must be fields with their values"),
    ],
)
def test_a_wrong_project_file_is_told_its_field(project, content, problem):
    file = project.root / "project.yaml"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        resolve("drop")
    assert str(file) in str(refused.value) and problem in str(refused.value)


def test_a_data_set_of_the_hub_is_no_folder_of_this_machine(project, outside):
    for name in (str(outside), "../outside", "json", "./a/b", "a/..", "a/b/c"):
        fields = {"kind": "hub", "name": "x", "dataset": name, "revision": "0" * 40}
        with pytest.raises(ValueError, match=r"sources.0.hub.dataset"):
            Pool.model_validate({"name": "library", "sources": [fields]})


def test_every_field_that_names_a_path_is_looked_at():
    """A kind of source that somebody adds is looked at too."""
    kinds = {
        kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Strict)
    }
    named: dict[str, Any] = {
        f"{kind.__name__}.{name}": hint
        for kind in kinds
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if any(word in name for word in ("path", "folder", "file", "model", "dataset"))
        and str in _within(hint)
    }
    assert len(named) >= len(FIELDS) - 2
    looked_at = (ProjectPath, ProjectFolder, HubId)
    assert {
        name for name, hint in named.items() if not set(_within(hint)) & set(looked_at)
    } == set()


def _within(hint: Any) -> list[Any]:
    """An annotation and all that it is made of."""
    return [hint, *(inner for part in get_args(hint) for inner in _within(part))]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("path", ["store", "store/small", ".", "drop/../store/x.jsonl"])
def test_a_path_at_the_programs_own_work_is_refused(project, field, path):
    """An advice to take the wrong file away would have the ledger removed."""
    (project.root / "store/small").mkdir(parents=True)
    file = write(project, field, path)
    message = read_configuration().wrong[file]
    assert f"is, holds or lies in {project.root / 'store'}" in message
    assert "name a folder beside it" in message


def test_a_store_that_lies_elsewhere_is_kept_from_as_well(project, outside):
    (outside / "kept").mkdir()
    (project.root / "store").symlink_to(outside / "kept")
    (project.root / "project.yaml").write_text(yaml.safe_dump({"roots": [str(outside)]}))
    for path in ("store/x", str(outside / "kept"), str(outside)):
        with pytest.raises(ConfigurationError, match="is, holds or lies in"):
            PLACES.path(path)
    assert PLACES.path(str(outside / "rows.jsonl")) == outside / "rows.jsonl"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("path", ["~/rows", "file:///rows", "s3://rows/a", "hf://datasets/a/b"])
def test_what_only_other_programs_expand_is_refused_and_not_looked_for(project, field, path):
    file = write(project, field, path)
    message = read_configuration().wrong[file]
    assert "write the path out" in message or "only this machine's files are read" in message
    assert path in message
