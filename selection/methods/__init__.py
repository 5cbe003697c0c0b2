"""The registry of methods: every module here that is no contract and not private is a method."""

from importlib import import_module
from pkgutil import iter_modules

from selection.methods.protocol import Method

_CONTRACTS = {"protocol", "preparation", "named"}


def _discover() -> dict[str, Method]:
    registry: dict[str, Method] = {}
    for module in iter_modules(__path__):
        if module.name in _CONTRACTS or module.name.startswith("_"):
            continue
        method: Method | None = getattr(import_module(f"{__name__}.{module.name}"), "METHOD", None)
        if method is None:
            raise ImportError(
                f"{__name__}.{module.name} defines no METHOD; define one, "
                "or start the name of a helper module with an underscore"
            )
        if method.name in registry:
            raise ImportError(f"two modules of {__name__} define the method {method.name!r}")
        registry[method.name] = method
    return registry


REGISTRY: dict[str, Method] = _discover()
