"""A method as a study names it: two of its entries may be of one method with other options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError

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
        ValueError
            For an unknown method or an unknown or unusable option.
        """
        kind = fields.get("method", name)
        if kind not in REGISTRY:
            known = ", ".join(sorted(REGISTRY))
            raise ValueError(
                f"no method {kind!r}; known methods: {known}. An entry of another name says which"
                " it is of: `{method: embedding, variant: mean}`"
            )
        options = {option: value for option, value in fields.items() if option != "method"}
        try:
            return cls(name, REGISTRY[kind], REGISTRY[kind].options.model_validate(options))
        except ValidationError as error:
            first = error.errors()[0]
            option = ".".join(str(part) for part in first["loc"])
            raise ValueError(
                f"option {option} of {name} is {first['input']!r}: {first['msg']}"
            ) from error

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
