"""A wrong file in studies/ stops no other study: of the code location, nor of the command."""

import os

import dagster as dg
import pytest
import yaml
from command_line import selection
from ticks import tick

from selection_assets.studies import read_configuration
from sensors.definitions import build_code_location

WRONG = {
    "no_yaml.yaml": "name: [unclosed\n",
    "binary.yaml": b"\xff\xfe\x00",
    "empty.yaml": "",
    "wrong_field.yaml": "name: wrong_field\npool: library\nbudgts: [1]\n",
    "wrong_pool.yaml": None,
    "ending.yml": "name: ending\n",
    "a_folder.yaml": "folder",
    "nowhere.yaml": "link",
    "pools/library_too.yaml": "name: library_too\nsources: []\n",
    "pools/broken.yaml": "- a list\n",
}


def write_wrong(project) -> None:
    """Write one file of every kind that cannot be used beside those that can."""
    studies = project.root / "studies"
    small = yaml.safe_load((studies / "small.yaml").read_text())
    (studies / "another.yaml").write_text(yaml.safe_dump(small | {"name": "another"}))
    for name, content in WRONG.items():
        path = studies / name
        if content == "folder":
            path.mkdir()
        elif content == "link":
            path.symlink_to("nothing")
        elif content is None:
            path.write_text(yaml.safe_dump(small | {"name": "wrong_pool", "pool": "library_too"}))
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_the_code_location_loads_what_is_right_and_a_tick_names_what_is_wrong(
    project, instance, caplog, capfd, figures
):
    write_wrong(project)
    keys = build_code_location().resolve_asset_graph().materializable_asset_keys
    assert {key.path[0] for key in keys} == {"library", "small", "another"}
    dg.Definitions.validate_loadable(build_code_location())
    for name in WRONG:
        assert f"{project.root / 'studies' / name}: " in caplog.text
    answer = tick("check_studies", instance)
    assert f"files that cannot be used: {len(WRONG)}" in answer.skip_message
    for name in WRONG:
        assert f"{project.root / 'studies' / name}: " in answer.skip_message
    assert " - WARNING - " in capfd.readouterr().err
    again = tick("check_studies", instance, answer.cursor)
    assert again.skip_message == answer.skip_message
    assert " - WARNING - " not in capfd.readouterr().err, "said once"
    figures.record("P13", wrong_files_beside_right_ones=len(WRONG))


def test_nothing_wrong_is_said_so(project, instance):
    assert tick("check_studies", instance).skip_message == "in use: 1 studies, 1 pools"


def test_a_command_warns_of_files_that_it_does_not_need_and_goes_on(project):
    write_wrong(project)
    result = selection("run", "small", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "raw_corpus [asyncio]" in result.stdout
    for name in WRONG:
        warning = f"warning, not needed for small: {project.root / 'studies' / name}: "
        assert warning in result.stderr


def test_what_lies_in_a_files_place_is_said_and_its_name_can_be_found(project):
    studies = project.root / "studies"
    (studies / "folder.yaml").mkdir()
    (studies / "link.yaml").symlink_to("not there")
    (studies / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(studies / "pipe.yaml")
    (studies / "bell\a.yaml").write_text("name: [")
    (studies / os.fsdecode(b"\xff.yaml")).write_text("name: [")
    wrong = {path.name: said for path, said in read_configuration().wrong.items()}
    for name, said in {
        "folder.yaml": "is a folder; a study or a pool is one file",
        "link.yaml": "is a link to not there, which is not there; remove it",
        "loop.yaml": "is a link to loop.yaml, which is not there; remove it",
        "pipe.yaml": "is no regular file; remove it",
        "bell\a.yaml": "bell\\x07.yaml: line 1",
        os.fsdecode(b"\xff.yaml"): "\\xff.yaml: line 1",
    }.items():
        assert said in wrong[name]
    assert set(read_configuration().studies) == {"small"}


@pytest.mark.parametrize("name", ["wrong_field", "no_yaml", "wrong_pool", "binary"])
def test_the_study_of_a_wrong_file_is_refused_with_what_is_wrong_in_it(project, name):
    write_wrong(project)
    result = selection("run", name, "--dry-run")
    assert result.exit_code == 2
    assert f"studies/{name}.yaml: " in result.stderr
    assert "Traceback" not in result.output
    if name == "wrong_pool":  # its pool takes it along
        assert "pools/library_too.yaml: field sources" in result.stderr


def test_two_files_of_one_name_are_both_refused_and_the_others_are_there(project):
    studies = project.root / "studies"
    small = yaml.safe_load((studies / "small.yaml").read_text())
    for name in ("first", "second"):
        (studies / f"{name}.yaml").write_text(yaml.safe_dump(small | {"name": "same"}))
    found = read_configuration()
    assert set(found.studies) == {"small"}
    assert {path.name for path in found.wrong} == {"first.yaml", "second.yaml"}
    assert "is used by another file: second.yaml" in found.wrong[studies / "first.yaml"]


def test_two_pools_of_one_name_take_their_studies_and_no_others(project):
    pools = project.root / "studies/pools"
    (pools / "twin.yaml").write_text((pools / "library.yaml").read_text())
    other = yaml.safe_load((pools / "library.yaml").read_text()) | {"name": "other"}
    (pools / "other.yaml").write_text(yaml.safe_dump(other))
    small = yaml.safe_load((project.root / "studies/small.yaml").read_text())
    elsewhere = small | {"name": "elsewhere", "pool": "other"}
    (project.root / "studies/elsewhere.yaml").write_text(yaml.safe_dump(elsewhere))
    found = read_configuration()
    assert (set(found.studies), set(found.pools)) == ({"elsewhere"}, {"other"})
    assert {path.name for path in found.wrong} == {"library.yaml", "twin.yaml", "small.yaml"}


def test_of_two_studies_that_mean_different_models_by_one_name_the_later_file_is_refused(project):
    studies = project.root / "studies"
    small = yaml.safe_load((studies / "small.yaml").read_text())
    wider = small | {"name": "wider"}
    wider["embedder"] = {"name": "static", "model": {"kind": "static_minilm", "width": 128}}
    (studies / "wider.yaml").write_text(yaml.safe_dump(wider))
    # What was refused makes nothing else wrong.
    (studies / "x.yaml").write_text(yaml.safe_dump(small | {"name": "x"}))
    found = read_configuration()
    assert set(found.studies) == {"small", "x"}
    assert [path.name for path in found.wrong] == ["wider.yaml"]
