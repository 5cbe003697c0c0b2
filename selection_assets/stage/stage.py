"""What a stage is: an asset, with what the command line needs to see whether it is up to date."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.ledger.ledger import Identity, hash_inputs
from selection.config.study import Study
from selection_assets.stage.draft import Draft
from selection_assets.stage.expected import Expected
from selection_assets.stage.step import Step


@dataclass(frozen=True)
class Stage:
    """An asset, and all that running and refreshing it depend on.

    Attributes
    ----------
    asset : for Dagster.
    function : makes a partition.
    campaign : the study or pool that pays for it.
    code_version : of the functions it calls and their parameters.
    ins : input name to upstream asset.
    reads : partition key to the inputs that this partition really reads.
    outside : partition key to the versions of files and packages read from outside.
    checks : name and description of the checks that its drafts report.
    costly : whether it holds the device.
    metered : whether its function charges the meter part by part.
    finds : what is found out first; `expects` and the function have it as `step.found`.
    expects : what a partition will take; None where the study's plan says it.
    payers : the studies that use it and pay for it in equal parts.
    serves : names of the methods, by study, that it is made for; none: it is made for all.
    """

    asset: dg.AssetsDefinition
    function: Callable[[Step], Draft]
    campaign: str
    code_version: str
    ins: Mapping[str, dg.AssetIn]
    reads: Callable[[str], Sequence[str]]
    outside: Callable[[str], Mapping[str, str]]
    checks: Mapping[str, str]
    costly: bool
    metered: bool
    finds: Callable[[Step], Any] | None
    expects: Callable[[Step], Expected] | None
    payers: Sequence[Study]
    serves: Mapping[str, frozenset[str]]

    def identity(self, partition: str, versions: Mapping[str, Mapping[str, str]]) -> Identity:
        """What a materialization of this partition would be, given its inputs' data versions.

        Parameters
        ----------
        versions : input name to (partition to data version).
        """
        read = {
            f"{name}[{key}]": version
            for name in self.reads(partition)
            for key, version in versions[name].items()
        }
        outside = {f"outside {name}": value for name, value in self.outside(partition).items()}
        asset = self.asset.key.to_user_string()
        return Identity(asset, partition, hash_inputs(read | outside), self.code_version)
