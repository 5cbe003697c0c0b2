"""Plain YAML and nothing else: what it says, and what is refused, with file, line and field."""

import pytest
from configured import message_of
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.config.files import MAX_BYTES, MOST_PROBLEMS, load_yaml
from selection.config.pool import Pool
from selection.config.study import Study

STUDY = """
name: small
pool: library
target: {kind: docstrings, package: http, splits: {train: 4, dev: 4, test: 6}}
embedder: {name: own, model: {kind: minilm}}
base_model: {kind: tiny}
methods: {random: }
budgets: [0.1]
seeds: [0, 1]
full_data_seeds: [0]
cap: {usd: 20}
usd_per_device_hour: 2
"""


@given(st.binary(max_size=200) | st.text("{}[]&*!|>-:?,#'\"%@ab1.~\n\t ", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_valid_file_or_an_error_that_names_it(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    message = message_of(Pool, path, content)
    assert message is not None
    assert message.startswith(f"{path}: ")


TEXTS = {
    "a key given twice": ("name: a\nsources: []\nname: b\n", "line 3", "field name"),
    "a key given twice below": (
        "name: a\nsources:\n- kind: files\n  path: a\n  path: b\n",
        "line 5",
        "field sources.0.path is given twice, first on line 4",
    ),
    "a billion laughs": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{n}: &{n} [{', '.join([f'*{m}'] * 9)}]\n"
            for m, n in zip("abcde", "bcdef", strict=True)
        ),
        "line 4",
        "aliases within aliases",
    ),
    "wide aliases": (
        f"a: &a [{', '.join('x' * 300)}]\nb: [{', '.join(['*a'] * 200)}]\n",
        "line 2",
        "field b stands for more than 20,000 values",
    ),
    "an alias of itself": ("name: a\nsources: &a [*a]\n", "line 2", "contains itself"),
    "brackets without end": ("name: a\nsources: " + "[" * 50_000, "line 2", "nested more than"),
    "an infinity": ("name: a\nmax_quarantined: .inf\n", "line 2", "field max_quarantined"),
    "an infinity by its exponent": ("max_quarantined: 1.0e+999\n", "line 1", "must be finite"),
    "a tag": ("name: !!timestamp soon\n", "line 1", "only plain values"),
    "a day that is none": ("name: 2024-99-99\n", "line 1", "field name"),
    "a key that is a list": ("? [a]\n: b\n", "line 1", "a key must be text"),
    "an escape that drives a terminal": ('"a\\e[2J": b\n', "line 1", "control character U+001B"),
    "a control character": ("name: a\x07\n", "line 1", "does not allow"),
    "a merge key": ("name: a\n<<: {name: b}\n", "line 2", "the merge key `<<` is not read"),
    "a merge key below": (
        "name: a\nsources:\n- kind: files\n  <<: {path: b}\n",
        "line 4",
        "field sources.0: the merge key `<<` is not read; write its fields out",
    ),
    "an alias of a long name": ("name: *" + "a" * 100_000 + "\n", "line 1", "undefined alias"),
    "a kind of a long name": (
        f"name: a\nsources:\n- kind: {'k' * 100_000}\n",
        "line 3",
        "field sources.0",
    ),
    "two documents": ("name: a\n---\nname: b\n", "line 2", "single document"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_what_yaml_allows_and_no_configuration_needs_is_refused_with_its_line(kind, tmp_path):
    text, line, said = TEXTS[kind]
    path = tmp_path / "library.yaml"
    message = message_of(Pool, path, text)
    assert message is not None
    assert message.startswith(f"{path}: ")
    assert line in message
    assert said in message
    assert len(message) < 1_500


def test_of_thousands_of_problems_the_first_are_listed_and_the_others_counted(tmp_path):
    path = tmp_path / "library.yaml"
    unknown = "".join(f"unknown_{i}: 1\n" for i in range(8_000))
    lines = (message_of(Pool, path, unknown) or "").splitlines()
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == f"{path}: and {8_002 - MOST_PROBLEMS:,} more problems"
    message = message_of(Pool, path, f"{'k' * 100_000}: {'v' * 100_000}\n")
    assert message is not None
    assert len(message) < 2_000


def test_a_file_too_large_for_any_configuration_is_refused_unread(tmp_path):
    path = tmp_path / "library.yaml"
    message = message_of(Pool, path, b"# " + b"x" * MAX_BYTES)
    assert message == f"{path}: more than {MAX_BYTES:,} bytes, which no study or pool needs"


def test_numbers_are_those_that_people_write(tmp_path):
    """YAML 1.1 takes 2e15 for text, 010 for eight and 1:30 for ninety."""
    text = STUDY + "shared_by: 1_000\n"
    path = tmp_path / "small.yaml"
    path.write_text(text.replace("usd: 20", "flops: 2e15"))
    study = load_yaml(Study, path)
    assert study.cap is not None
    assert study.cap.flops == 2e15
    assert study.shared_by == 1000
    for odd in ("010", "1:30", "0x10"):
        message = message_of(Study, path, STUDY + f"shared_by: {odd}\n")
        assert message is not None
        assert f"field shared_by (line {len(text.splitlines())}) has value '{odd}'" in message
