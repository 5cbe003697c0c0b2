"""What does a library's error over a model's files mean to a person?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def named_after(folder: Path | str) -> Iterator[None]:
    """Turn whatever a library raises inside into an error that names the folder and a remedy.

    A damaged tokenizer is a plain `Exception` of Rust, a list in place of a configuration a
    `TypeError`, and neither says which file it is about.

    Raises
    ------
    ValueError
    """
    try:
        yield
    except Exception as error:
        first = str(error).strip().partition("\n")[0][:300]
        raise ValueError(
            f"{folder} cannot be loaded ({type(error).__name__}: {first}): a file of it is damaged,"
            " or not what the library expects; fetch or save the model again"
        ) from error
