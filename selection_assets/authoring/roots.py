"""Paths outside the project that a person has named: `project.yaml` lets them be read."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from resources.paths import readable_roots
from resources.project import project_file, project_root
from selection.basics.whole_files import write_bytes_whole
from selection.config.files import ConfigurationError
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
    roots = readable_roots()
    real = [path.resolve() for path in paths]
    return [path for path in real if not any(path.is_relative_to(root) for root in roots)]


@contextmanager
def roots_for(paths: Sequence[Path]) -> Iterator[None]:
    """Let paths be read: `project.yaml` names them from now on, and is else left as it is.

    If what is done with them fails, it names them no longer.

    Raises
    ------
    ConfigurationError
        When the file is written in a way that nothing can be added to; what to add is said.
    """
    added, file = outside(paths), project_file()
    if not added:
        yield
        return
    before = file.read_text(encoding="utf-8") if file.is_file() else None
    text = _with_roots(ABOUT if before is None else before, [str(path) for path in added])
    if _roots_of(text) != [*_roots_of(before or ""), *map(str, added)]:
        lines = "\n".join(f"  - {_quoted(str(path))}" for path in added)
        raise ConfigurationError(f"{file}: add these lines under `roots:` yourself:\n{lines}")
    write_bytes_whole(file, text.encode("utf-8"))
    try:
        yield
    except BaseException:
        if before is None:
            file.unlink()
        else:
            write_bytes_whole(file, before.encode("utf-8"))
        raise


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
