"""The pages of the documentation's site that are written from what they are about.

A hook of MkDocs: `make docs` calls it. The guide is the README, whose links are bent to the site;
the page of the methods is made from the registry; the reference has a page for each folder of
`selection`.
"""

import ast
import inspect
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from tabulate import tabulate

from selection.methods import REGISTRY
from selection.methods.contract.protocol import Method

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "selection"
FOLDERS = sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))
COPIES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages that are files of the repository's root."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Bring the reference's pages into the navigation."""
    reference = [{f"selection.{folder}": f"reference/{folder}.md"} for folder in FOLDERS]
    config.nav = [*(config.nav or []), {"Reference": ["reference/index.md", *reference]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of `docs/`."""
    pages = {page: bent((ROOT / name).read_text()) for page, name in COPIES.items()}
    pages["methods.md"] = methods_page()
    pages["reference/index.md"] = reference_index()
    pages |= {f"reference/{folder}.md": reference_page(folder) for folder in FOLDERS}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def bent(text: str) -> str:
    """Markdown of a file of the root, with the links that it needs as a page of the site."""
    for page, name in COPIES.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"\]\(docs/", "](", text)


def methods_page() -> str:
    """What each method of the registry is, with its options and their defaults."""
    head = (
        "# Methods\n\nWhat a study can ask for under `methods`. Made from the code, so that options"
        " and defaults are those of this version.\n"
    )
    return "\n".join([head, *(_method(method) for _, method in sorted(REGISTRY.items()))])


def _method(method: Method) -> str:
    module = inspect.getmodule(type(method))
    parts = [f"## {method.name}", _linked(inspect.getdoc(module) or "")]
    parts.append(f"*{inspect.getdoc(type(method))}*")
    parts.append(_options(method.options) or "No options.")
    if method.receipts:
        columns = ", ".join(f"`{name}`" for name in sorted(method.receipts))
        parts.append(f"Evidence of each row, as far as the options give it: {columns}.")
    parts.append(f"Code: [`{type(method).__module__}`][{type(method).__module__}].")
    return "\n\n".join(parts) + "\n"


def _options(model: type[BaseModel]) -> str:
    rows = [
        [
            f"`{name}`",
            f"`{'null' if field.default is None else field.default}`",
            _linked(field.description or ""),
        ]
        for name, field in model.model_fields.items()
    ]
    headers = ["option", "default", "meaning"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True) if rows else ""


def _linked(text: str) -> str:
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def reference_index() -> str:
    """Say which module answers which question."""
    parts = [
        "# Reference\n\nThe library `selection`: pure functions on arrays, text and models, which"
        " know neither Dagster nor DuckDB. Each module answers one question."
    ]
    for folder in FOLDERS:
        answers = [f"- [`{name}`][{name}]: {_question(path)}" for name, path in _modules(folder)]
        parts.append("\n".join([f"## [selection.{folder}]({folder}.md)\n", *answers]))
    return "\n\n".join(parts)


def _question(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def reference_page(folder: str) -> str:
    """Everything public of one folder of the library, module by module."""
    blocks = [f"::: {name}\n" for name, _ in _modules(folder)]
    return f"# selection.{folder}\n\n" + "\n".join(blocks)


def _modules(folder: str) -> list[tuple[str, Path]]:
    """Name and file of each module below a folder."""
    files = sorted(p for p in (LIBRARY / folder).rglob("*.py") if p.stem != "__init__")
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in files]
