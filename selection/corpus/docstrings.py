"""What the docstrings of an installed package say, read without importing it."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from selection.basics.statements import inner_statements
from selection.basics.text import text_fault
from selection.corpus.licences import licence_name
from selection.corpus.limits import MAX_DOCSTRING_CHARS, MAX_PYTHON_BYTES
from selection.corpus.prose import description, passages
from selection.corpus.records import BadRecord, Record, UnreadPart

_TEST_FOLDERS = frozenset({"test", "tests"})
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def read_docstrings(
    package: str, *, min_words: int = 8, max_words: int = 120
) -> Iterator[Record | BadRecord]:
    """Read the descriptions in a package's docstrings, statically.

    Sources are parsed and never run. Test folders and test modules are left out. A description
    longer than `max_words` becomes several passages, the later ones with ``#2``, ``#3`` ... after
    their origin.

    Parameters
    ----------
    package : str
        Import name of an installed package or module, dotted for a part of one.
    min_words, max_words : int
        Passages with fewer words are dropped; none has more.

    Returns
    -------
    Iterator of Record or BadRecord
        By file name, then by place in the file. A file that does not parse is one bad record, one
        of more than `MAX_PYTHON_BYTES` an unread part, and so is a docstring of more than
        `MAX_DOCSTRING_CHARS` a bad record.

    Raises
    ------
    ValueError
        The package is not installed or has no Python source, or the bounds contradict each other.
    """
    if not 1 <= min_words <= max_words:
        raise ValueError(f"min_words={min_words}, max_words={max_words}: need 1 <= min <= max")
    root, module = _locate(package)
    return _read(root, module, _licence(package), min_words, max_words)


def package_files(package: str) -> list[Path]:
    """Return the files that `read_docstrings` reads, in its order; raise ValueError as it does."""
    return [path for path, _ in _sources(*_locate(package))]


def _read(
    root: Path, module: str, licence: str | None, min_words: int, max_words: int
) -> Iterator[Record | BadRecord]:
    for path, name in _sources(root, module):
        with path.open("rb") as file:
            raw = file.read(MAX_PYTHON_BYTES + 1)
        digest = hashlib.sha256(raw).hexdigest()
        if len(raw) > MAX_PYTHON_BYTES:
            reason = f"too large for Python: over {MAX_PYTHON_BYTES:,} bytes"
            yield UnreadPart(f"{name}:0", reason, digest)
            continue
        try:
            tree = _parse(raw)
        except SyntaxError as error:
            yield BadRecord(f"{name}:{error.lineno or 0}", f"not Python: {error.msg}", digest)
            continue
        except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, nested too deeply
            yield BadRecord(f"{name}:0", f"not Python: {error}", digest)
            continue
        for qualname, docstring in _documented(tree):
            origin = f"{name}:{qualname}"
            if len(docstring) > MAX_DOCSTRING_CHARS:
                reason = f"row too large: {len(docstring):,} characters of docstring"
                yield BadRecord(origin, reason, digest)
                continue
            cleaned = inspect.cleandoc(docstring)
            found = passages(description(cleaned), min_words=min_words, max_words=max_words)
            for number, text in enumerate(found, start=1):
                place = origin if number == 1 else f"{origin}#{number}"
                fault = text_fault(text)
                if fault:
                    yield BadRecord(place, fault, digest)
                else:
                    yield Record(text=text, origin=place, licence=licence)


def _locate(package: str) -> tuple[Path, str]:
    """Return the folder or file of a package and its import name."""
    top, *rest = package.split(".")
    # find_spec of a dotted name would import its parent, so only the first part is looked up.
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None:
        raise ValueError(f"package {package!r} is not installed here{_hint(package)}")
    roots = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not roots:
        roots = [Path(spec.origin)] if spec.has_location and spec.origin else []
    for root in roots:
        path = root.joinpath(*rest)
        for candidate in (path, path.with_name(f"{path.name}.py")):
            if candidate.is_dir() or (candidate.is_file() and candidate.suffix == ".py"):
                return candidate, package
    raise ValueError(f"package {package!r} has no Python source here (found: {spec.origin})")


def _hint(package: str) -> str:
    """Say which import names a distribution of that name has, if there is one."""
    names = [
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if package.lower() in (distribution.lower() for distribution in distributions)
    ]
    if names:
        return f"; the distribution of that name is imported as {', '.join(sorted(names))}"
    return f"; install it into {sys.prefix} or correct the name"


def _licence(package: str) -> str | None:
    """Return the licence that the package's distribution declares, if it is a short one."""
    top = package.partition(".")[0]
    if top in sys.stdlib_module_names:
        return "PSF-2.0"
    distribution = _distribution(top)
    if distribution is None:
        return None
    fields = importlib.metadata.metadata(distribution)
    for key in ("License-Expression", "License"):
        values = fields.get_all(key)
        if values and (name := licence_name(values[0])):
            return name
    prefix = "License :: "
    classifiers = [c for c in fields.get_all("Classifier") or () if c.startswith(prefix)]
    return classifiers[0].rpartition(" :: ")[2] if classifiers else None


def _distribution(top: str) -> str | None:
    """Return the name of the distribution that a package is installed by."""
    try:
        files = importlib.metadata.files(top) or ()
    except importlib.metadata.PackageNotFoundError:
        files = ()
    if any(file.parts[0] in (top, f"{top}.py") for file in files):
        return top
    # It looks through the lists of files of all that is installed, which takes a second or more.
    others = importlib.metadata.packages_distributions().get(top)
    return others[0] if others else None


def _sources(root: Path, module: str) -> Iterator[tuple[Path, str]]:
    """Yield the Python files of a package with their module names, in the order of the names."""
    if root.is_file():
        yield root, module
        return
    for path in sorted(root.iterdir(), key=lambda path: path.name):
        if path.is_dir():
            if path.name.isidentifier() and path.name not in _TEST_FOLDERS:
                yield from _sources(path, f"{module}.{path.name}")
        elif path.suffix == ".py" and path.stem.isidentifier() and not _is_test(path.stem):
            yield path, module if path.stem == "__init__" else f"{module}.{path.stem}"


def _is_test(stem: str) -> bool:
    return stem.startswith("test_") or stem.endswith("_test") or stem == "conftest"


def _parse(raw: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's invalid escapes
        return ast.parse(raw)


def _documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (qualified name, raw docstring) of a module and what it defines, in source order."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, Documented):
            docstring = ast.get_docstring(node, clean=False)
            name = scope + node.name if not isinstance(node, ast.Module) else "<module>"
            if docstring:
                yield name, docstring
            if isinstance(node, ast.ClassDef):
                scope = f"{name}."
            elif not isinstance(node, ast.Module):
                scope = f"{name}.<locals>."
        waiting.extend((inner, scope) for inner in reversed(inner_statements(node)))
