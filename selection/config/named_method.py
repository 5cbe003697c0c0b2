"""A method as a study names it: two of its entries may be of one method with other options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError

from selection.config.files import FieldErrors
from selection.config.yaml_text import Location
from selection.methods import REGISTRY
from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import Method


@dataclass(frozen=True)
class NamedMethod:
    """One entry of a study's `methods`.

    Attributes
    ----------
    name : names its assets and its arms.
    """

    name: str
    method: Method[Any]
    options: BaseModel

    @classmethod
    def read(cls, name: str, fields: Mapping[str, Any]) -> NamedMethod:
        """Understand an entry; its field `method` may be left out where the name says it.

        Raises
        ------
        FieldErrors
            For an unknown method, and for every unknown or unusable option.
        """
        kind = fields.get("method", name)
        if not isinstance(kind, str) or kind not in REGISTRY:
            known = ", ".join(sorted(REGISTRY))
            said = f"no method {kind!r}; known methods: {known}. An entry of another name says"
            example = "`{method: embedding, variant: mean}`"
            at = (name, "method") if "method" in fields else (name,)
            raise FieldErrors([(at, f"{said} which it is of: {example}")])
        options = {option: value for option, value in fields.items() if option != "method"}
        try:
            return cls(name, REGISTRY[kind], REGISTRY[kind].options.model_validate(options))
        except ValidationError as error:
            raise FieldErrors([_of_option(name, found) for found in error.errors()]) from error

    @property
    def scores_asset(self) -> str:
        """Name of the asset of its scores."""
        return f"{self.name}_scores"

    @property
    def fit_asset(self) -> str | None:
        """Name of the asset of its fit; None where that is not stored."""
        ending = self.method.fit_asset(self.options)
        return None if ending is None else f"{self.name}_{ending}"

    @property
    def draws_per_seed(self) -> bool:
        """Whether each seed gives its own ranking."""
        return self.method.draws_per_seed(self.options)

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """What is made before its fit, in order."""
        return self.method.preparations(self.options)

    @property
    def by_source(self) -> Preparation | None:
        """The preparation that has computed something of every row."""
        return next((p for p in self.preparations if p.by_source), None)

    @property
    def needs_selector(self) -> bool:
        """Whether it reads the pool with the study's selector model."""
        return any(preparation.needs_selector for preparation in self.preparations)

    @property
    def needs_device(self) -> bool:
        """Whether its fit and its scores compute enough to be budgeted and to wait for a GPU."""
        return self.method.needs_device

    def asset_of(self, preparation: Preparation) -> str:
        """Name of a preparation's asset.

        Methods that ask for the same thing share it. One made with other options than the default
        ones is another thing, and its name ends in a hash of them.
        """
        fields = type(self.options).model_fields
        chosen = {
            option: value
            for option, value in self.read_by(preparation).items()
            if value != fields[option].get_default(call_default_factory=True)
        }
        if not chosen:
            return preparation.asset
        digest = blake2b(json.dumps(chosen, sort_keys=True).encode(), digest_size=4).hexdigest()
        return f"{preparation.asset}_{digest}"

    def read_by(self, preparation: Preparation) -> dict[str, Any]:
        """The options, with their values, that a preparation depends on."""
        reads = self._reads(preparation)
        return {o: v for o, v in self.options.model_dump(mode="json").items() if o in reads}

    def _reads(self, preparation: Preparation) -> set[str]:
        """Options that a preparation, or one that it needs, depends on."""
        reads = set(preparation.reads)
        for other in self.preparations:
            if other.asset in preparation.needs:
                reads |= self._reads(other)
        return reads


def read_methods(methods: Mapping[str, Mapping[str, Any]]) -> dict[str, NamedMethod]:
    """Understand all entries of a study's `methods`, by name.

    Raises
    ------
    FieldErrors
        With every problem of every entry.
    """
    named: dict[str, NamedMethod] = {}
    found: list[tuple[Location, str]] = []
    for name, fields in methods.items():
        try:
            named[name] = NamedMethod.read(name, fields)
        except FieldErrors as error:
            found += error.found
    if found:
        raise FieldErrors(found)
    return named


def _of_option(name: str, detail: Any) -> tuple[Location, str]:
    at = detail["loc"]
    option = f"option {'.'.join(map(str, at))} of {name}" if at else f"options of {name}"
    return (name, *at), f"{option} is {detail['input']!r}: {detail['msg']}"
