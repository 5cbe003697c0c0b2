"""Which tests are fast, need a study, or are slow; in which order they run; what is left out."""

import gc
import os
import subprocess
from collections import Counter
from collections.abc import Generator, Iterator
from inspect import unwrap
from types import CodeType, FunctionType
from typing import Any

import pytest
from zygote import import_everything

NEEDS_A_STUDY = {"finished_root", "fresh", "hub_studies", "zygote"}
"""Fixtures that run a whole study, or the process that runs are forked from."""

LONGEST_FIRST = (
    "selection_assets/test_every_method.py",
    "selection_assets/test_real_models.py",
    "tests/test_browser.py",
    "promises/test_p2_durable_accounting.py",
    "selection_assets/test_budget_in_force.py",
    "selection_assets/test_ledger_under_fire.py",
    "tests/test_ui_command.py",
    "picking/test_pick.py",
    "selection_assets/test_code_version.py",
    "selection_assets/test_growing_source.py",
)
"""Files that two workers would otherwise wait for at the end."""

KINDS = {
    "study": "of promises, or that run a study or other processes (make test)",
    "slow": "that take minutes (make test-all)",
}

_left_out: Counter[str] = Counter()


def kind(item: pytest.Item) -> str:
    """`slow`, `study` or `fast`: the first of them that a test is."""
    if item.get_closest_marker("slow") is not None:
        return "slow"
    return "fast" if item.get_closest_marker("study") is None else "study"


def needs_a_study(item: pytest.Item) -> bool:
    """Whether a test guards a promise, or what it uses says that it cannot be fast."""
    if item.path.parent.name == "promises" or not isinstance(item, pytest.Function):
        return True
    if NEEDS_A_STUDY & set(item.fixturenames):
        return True
    fixtures = (found[-1].func for found in item._fixtureinfo.name2fixturedefs.values())
    return any(starts_processes(unwrap(used)) for used in (item.function, *fixtures))


def starts_processes(function: Any) -> bool:
    """Whether a function of a test file, or one of that file that it calls, starts a process."""
    files, waiting, seen = function.__globals__, [function], set()
    while waiting:
        code = waiting.pop().__code__
        seen.add(code)
        for name in names_in(code):
            value = files.get(name)
            if value is subprocess or getattr(value, "__module__", None) == "real_processes":
                return True
            own = getattr(value, "__module__", None) == files["__name__"]
            called = vars(value).values() if own and isinstance(value, type) else [value]
            waiting += [
                one
                for one in called
                if isinstance(one, FunctionType)
                and one.__globals__ is files
                and one.__code__ not in seen
            ]
    return False


def names_in(code: CodeType) -> Iterator[str]:
    """Names of globals and attributes in a function, and in those defined in it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from names_in(inner)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a study, and begin with the files that take longest."""
    for item in items:
        if needs_a_study(item):
            item.add_marker("study")
    with_study = {item.path for item in items if kind(item) == "study"}

    def place(item: pytest.Item) -> tuple[int, bool]:
        name = f"{item.path.parent.name}/{item.path.name}"
        first = LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
        return first, item.path not in with_study

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Import in a worker, which runs many tests, what most of them need."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import_everything()


@pytest.fixture(scope="module", autouse=True)
def only_young_garbage() -> None:
    """What files before have left is not looked through again at each of a file's trainings."""
    gc.collect()
    gc.freeze()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what `-m` leaves out."""
    _left_out.update(kind(item) for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints the closing line."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)  # pyright: ignore


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker has left out the same."""
    _left_out.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - _left_out)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None]:
    """Say above the closing line what the command has left out."""
    yield
    counted = [f"{_left_out[name]} {name} tests {why}" for name, why in KINDS.items()]
    counted = [text for text in counted if not text.startswith("0 ")]
    if counted or config.args_source == pytest.Config.ArgsSource.TESTPATHS:
        terminalreporter.write_line(f"left out here: {'; '.join(counted) or 'nothing'}")
