"""A test that starts a process is known by what it uses, and is no fast one; commands that run."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from kinds import needs_a_study, starts_processes
from places import REPOSITORY
from real_processes import run


def directly():
    subprocess.run(["true"], check=True)


def by_a_helper():
    run("print('hello')")


def by_another_function():
    by_a_helper()


def in_a_function_of_its_own():
    def later():
        run("print('hello')")

    return later


class Starter:
    def start(self):
        subprocess.run(["true"], check=True)


def by_a_class():
    Starter().start()


def by_itself_only():
    return by_itself_only if json.dumps({}) else by_itself_only()


@pytest.mark.parametrize(
    "function",
    [directly, by_a_helper, by_another_function, in_a_function_of_its_own, by_a_class],
)
def test_a_function_that_starts_a_process_is_seen(function):
    assert starts_processes(function)


def test_another_is_not(request):
    assert not starts_processes(by_itself_only)
    assert not needs_a_study(request.node)


@pytest.fixture
def started() -> str:
    return run("print('hello')")


def test_a_fixture_that_starts_one_counts(request, started):
    assert started == "hello\n"
    assert needs_a_study(request.node)
    assert request.node.get_closest_marker("study") is not None


def test_pytest_understands_what_the_longest_test_command_asks_of_it():
    """It has an option of our own, which pytest must not take for a file of tests."""
    steps = subprocess.run(
        ["make", "-n", "test-all"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    [asked] = re.findall(r"-m pytest ([^;\n]+)", steps)
    command = [sys.executable, "-m", "pytest", *shlex.split(asked), "--markers"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
