"""How many seconds did an arm take: its selection, and one seed's warm-up?"""

from collections.abc import Mapping
from dataclasses import dataclass

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import cost_to_make
from resources.store.artifacts import UNPARTITIONED
from selection.config.study import Study
from selection.judging.result import ArmSeconds
from selection_assets.charging.parts import selection_parts, tuned_embedder
from selection_assets.stage.keys import arm_key

SUBSET, CHECKPOINT = "selected_subset", "finetuned_checkpoint"


@dataclass(frozen=True)
class TimedStudy:
    """What the current versions of a study's assets took, by asset and partition.

    Attributes
    ----------
    made : (FLOPs, seconds or None where nobody knows).
    tuning_flops : of the tuned embedder; 0 without one.
    """

    study: Study
    made: Mapping[str, Mapping[str, tuple[float, float | None]]]
    tuning_flops: float

    @classmethod
    def look_up(cls, study: Study, ledger: Ledger) -> "TimedStudy":
        """Ask the ledger."""
        own = {f"{study.name}/{name}" for name in (SUBSET, CHECKPOINT)}
        tuned = None
        for named in study.named_methods.values():
            own |= selection_parts(study, named).keys()
            tuned = tuned_embedder(study, named) or tuned
        if tuned is not None:
            own.add(tuned)
        made: dict[str, dict[str, tuple[float, float | None]]] = {}
        for row in cost_to_make(ledger, sorted(own)):
            made.setdefault(row["asset"], {})[row["partition"]] = row["flops"], row["seconds"]
        embedder = None if tuned is None else ledger.current(tuned, UNPARTITIONED)
        tuning = 0.0 if embedder is None else embedder.json("tuning.json")["flops"]
        return cls(study, made, tuning)

    def seconds_of(self, method: str, budget: str, warm_up_flops: float) -> ArmSeconds | None:
        """What an arm took; None where the ledger does not know all of it.

        Training one seed is the part of training and tuning all of them that its FLOPs are.

        Parameters
        ----------
        warm_up_flops : of the dearest seed.
        """
        study, arm = self.study, arm_key(method, budget)
        named = study.named_methods[method]
        parts: list[float | None] = [self._one(SUBSET, arm)]
        for asset, share in selection_parts(study, named).items():
            parts += [_times(share, seconds) for _, seconds in self._all(asset)]
        tuned = tuned_embedder(study, named)
        if tuned is not None:
            parts += [_times(self.tuned_share(tuned), seconds) for _, seconds in self._all(tuned)]
        training = _times(self.warm_up_share(arm, warm_up_flops), self._one(CHECKPOINT, arm))
        known = [seconds for seconds in parts if seconds is not None]
        if training is None or len(known) < len(parts):
            return None
        return ArmSeconds(sum(known), training)

    def warm_up_share(self, arm: str, warm_up_flops: float) -> float:
        """Share of an arm's training that one seed's warm-up is."""
        flops, _ = self.made.get(f"{self.study.name}/{CHECKPOINT}", {}).get(arm, (0.0, None))
        return min(1.0, warm_up_flops / flops) if flops else 0.0

    def tuned_share(self, embedder: str) -> float:
        """Share of making the embedder that tuning it is."""
        flops = sum(flops for flops, _ in self._all(embedder))
        return min(1.0, self.tuning_flops / flops) if flops else 0.0

    def _all(self, asset: str) -> list[tuple[float, float | None]]:
        """Of all partitions; of an asset that is not there, one of which nothing is known."""
        return [*self.made.get(asset, {"": (0.0, None)}).values()]

    def _one(self, name: str, arm: str) -> float | None:
        return self.made.get(f"{self.study.name}/{name}", {}).get(arm, (0.0, None))[1]


def _times(share: float, seconds: float | None) -> float | None:
    return None if seconds is None else share * seconds
