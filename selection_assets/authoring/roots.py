"""Paths outside the project that a person has named: `project.yaml` lets them be read."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from resources.project import project_file, project_root
from selection.basics.whole_files import write_bytes_whole
from selection.config.files import ConfigurationError, load_yaml
from selection.config.project import ProjectFile
from selection.config.yaml_text import YamlRefused, read_yaml

ABOUT = (
    "# Folders and files outside the project that studies and pools may read; any other path"
    " outside is refused.\n"
)


def in_project(path: Path) -> str:
    """Return a path as a configuration names it: relative to the project where it lies in it."""
    found = path.resolve()
    root = project_root()
    return str(found.relative_to(root)) if found.is_relative_to(root) else str(found)


def outside(paths: Sequence[Path]) -> list[Path]:
    """Those of some paths that the project's configuration may not name yet."""
    project, file = project_root(), project_file()
    named = load_yaml(ProjectFile, file).roots if os.path.lexists(file) else []
    roots = [project, *((project / root).resolve() for root in named)]
    real = [path.resolve() for path in paths]
    return [path for path in real if not any(path.is_relative_to(root) for root in roots)]


def add_roots(paths: Sequence[Path]) -> None:
    """Write paths into `project.yaml`, and leave the rest of it as it is.

    Raises
    ------
    ConfigurationError
        When the file is written in a way that nothing can be added to; what to add is said.
    """
    if not paths:
        return
    file = project_file()
    before = file.read_text(encoding="utf-8") if file.is_file() else ABOUT
    wanted = [*_roots_of(before), *map(str, paths)]
    text = _with_roots(before, [str(path) for path in paths])
    if _roots_of(text) != wanted:
        lines = "\n".join(f"  - {_quoted(str(path))}" for path in paths)
        raise ConfigurationError(f"{file}: add these lines under `roots:` yourself:\n{lines}")
    write_bytes_whole(file, text.encode("utf-8"))


def _with_roots(text: str, added: Sequence[str]) -> str:
    lines = "".join(f"  - {_quoted(path)}\n" for path in added)
    if not text.endswith("\n"):
        text += "\n"
    # A list in brackets goes on as lines, each of which may then have a comment.
    inline = re.search(r"^roots:[ \t]*\[[^\]\n]*\][ \t]*(#.*)?$", text, re.M)
    if inline is not None:
        kept = "".join(f"  - {_quoted(root)}\n" for root in _roots_of(text))
        said = (inline[1] and f" {inline[1]}") or ""
        text = f"{text[: inline.start()]}roots:{said}\n{kept}{text[inline.end() + 1 :]}"
    found = re.search(r"^roots:[ \t]*(#.*)?\n((?:[ \t]+.*\n|[ \t]*#.*\n|- .*\n)*)", text, re.M)
    if found is None:
        return f"{text}roots:\n{lines}"
    indent = re.match(r"[ \t]*", found[2])
    assert indent is not None
    lines = lines.replace("  - ", f"{indent[0]}- ") if found[2] else lines
    return text[: found.end()] + lines + text[found.end() :]


def _roots_of(text: str) -> list[str]:
    try:
        read = read_yaml(text).content
    except YamlRefused:
        return []
    return list(read.get("roots") or []) if isinstance(read, dict) else []


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, width=10_000, allow_unicode=True).removesuffix("...\n").strip()
