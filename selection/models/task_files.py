"""Do the harness's task files keep to their folder, in what they include and what they call?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

_FUNCTION = "!function"


def see_that_task_files_stay_in(folder: Path) -> None:
    """See that no task file under a folder leads to a file outside it, where no change is noticed.

    Parameters
    ----------
    folder : what `include_path` names; its `*.yaml`, and whatever they include, are looked at
        before the harness reads any and imports what they call.

    Raises
    ------
    ValueError
        Naming the task file, what it names, and where that lies.
    """
    root = folder.resolve()
    waiting = sorted(root.rglob("*.yaml"))
    seen: set[Path] = set()
    while waiting:
        named = waiting.pop()
        file = named.resolve()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        _see_inside(file, root, named)
        included = [file.parent / name for name in _values(file, "include")]
        for further in (*included, *_modules(file)):
            _see_inside(further.resolve(), root, named)
        waiting += included


def _see_inside(found: Path, root: Path, named: Path) -> None:
    if not found.is_relative_to(root):
        raise ValueError(
            f"{named} leads to {found}; task files, what they include and what they call must lie"
            f" in `include_path` ({root}), where a change is noticed"
        )


def _modules(file: Path) -> Iterator[Path]:
    """Files of Python that a task file calls functions of; those of installed packages are none."""
    for node in _nodes(file):
        if isinstance(node, yaml.ScalarNode) and node.tag == _FUNCTION:
            module = node.value.rpartition(".")[0].replace(".", "/")  # as the harness looks it up
            found = file.parent / f"{module}.py"
            if found.exists():
                yield found


def _values(file: Path, key: str) -> Iterator[str]:
    """The value, or values, of a key of the whole file."""
    for top in _roots(file):
        for name, value in top.value if isinstance(top, yaml.MappingNode) else []:
            if name.value == key:
                values = value.value if isinstance(value, yaml.SequenceNode) else [value]
                yield from (str(each.value) for each in values)


def _nodes(file: Path) -> Iterator[yaml.Node]:
    waiting, seen = _roots(file), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias stands for the same node
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _roots(file: Path) -> list[yaml.Node]:
    """The file as nodes, none of them made into what its tag asks for."""
    try:
        root = yaml.compose(file.read_bytes(), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError):
        return []  # the harness says what is wrong with it
    return [] if root is None else [root]
