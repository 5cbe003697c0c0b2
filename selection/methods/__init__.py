"""The registry of methods: every module here, and every folder with a `method.py`, is a method.

`contract` is what they have in common.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from selection.methods.contract.protocol import Method

_CONTRACT = "contract"


def _discover() -> dict[str, Method[Any]]:
    registry: dict[str, Method[Any]] = {}
    for module in iter_modules(__path__):
        if module.name == _CONTRACT:
            continue
        path = f"{__name__}.{module.name}" + (".method" if module.ispkg else "")
        method: Method[Any] | None = getattr(import_module(path), "METHOD", None)
        if method is None:
            raise ImportError(
                f"{path} defines no METHOD; define one, or move what several methods share to"
                f" {__name__}.{_CONTRACT}"
            )
        if method.name in registry:
            raise ImportError(f"two modules of {__name__} define the method {method.name!r}")
        registry[method.name] = method
    return registry


REGISTRY: dict[str, Method[Any]] = _discover()
