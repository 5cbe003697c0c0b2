"""What a study's plan expects of each of its steps, and which arms its cap admits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resources.paths import resolve_whole
from resources.store.artifacts import UNPARTITIONED
from selection.arms.harness import harness_flops
from selection.budget.amounts import Amount, Cap
from selection.config.study import Study
from selection.costs import ModelShape
from selection.embedding.build import distillation_flops
from selection.methods.contract.cost import MethodCost
from selection.planning.arms import PoolSize, epoch_flops, plan_arms, selection_costs
from selection.planning.rates import Rate
from selection.planning.steps import PlannedStep, Workload, WorkPart, amount, own_steps, study_steps
from selection.planning.within_cap import Bill, WithinCap, fit_cap
from selection.planning.workload import fine_tuning_flops, planned_evaluation_flops
from selection_assets.planning.inputs import PlanInputs
from selection_assets.shared.preparations import preparation_key
from selection_assets.stage.keys import arm_key, decoder_key, embedder_key

Rates = Mapping[str, Rate] | None

LINES = ("zero_shot", "fine_tuning_only")
"""Reference lines without which no arm can be compared."""
OF_ARMS = ("finetuned_checkpoint", "eval_report")
"""Costly steps of an arm."""


@dataclass(frozen=True)
class StudyPlan:
    """What is known of a study before anything expensive runs.

    Attributes
    ----------
    shape : of the base model; None without one.
    size, load : what there is to compute.
    seen : asset to the rate at which it has been made on this device; where there is one, it
        says more of the seconds to come than any probe.
    refusals : method to why it cannot rank this pool for this target, of those that cannot.
    """

    study: Study
    shape: ModelShape | None
    size: PoolSize
    load: Workload
    seen: Mapping[str, Rate]
    refusals: Mapping[str, str]

    def within(self, cap: Cap | None, rates: Rates, sunk: Amount) -> WithinCap:
        """Plan every arm and mark those that its method refuses, or the cap does not admit.

        Parameters
        ----------
        sunk : what the study has already spent on nothing that it still needs.
        """
        study = self.study
        arms = plan_arms(study, self.shape, self.size, self.refusals)
        costs = selection_costs(study, self.size)
        steps = study_steps(study, self.load, arms, _phases(costs))
        cost = {step: self._amount(step, work, rates) for step, work in steps.items()}
        # Counted as if no other study shared the pool, and nothing of it were made yet.
        always = sunk + self._embedding(rates)
        always += Amount(distillation_flops(study.embedder) + self.size.tuning_flops)
        always += self._models(rates)
        for line in LINES if study.trains else ():
            always += cost["reference_report", line, None]
        selection = {}
        for name, named in study.named_methods.items():
            spent = [cost[step] for step in own_steps(named, self.load.rows)]
            prepared = Amount(costs[name].preparation_flops, self._preparing(name, costs) or 0.0)
            selection[name] = sum(spent, prepared)
        return fit_cap(
            study,
            arms,
            Bill(
                always,
                selection,
                lambda arm: sum(
                    (cost.get((of, arm.method, arm.budget), Amount()) for of in OF_ARMS), Amount()
                ),
                cost.get(("reference_report", "full_data", None), Amount()),
            ),
            cap,
        )

    def forecast(
        self, within: WithinCap, rates: Rates
    ) -> dict[tuple[str, str], tuple[float, float | None]]:
        """(asset, partition) of each costly step that is to run: its FLOPs and seconds."""
        arms = [arm for arm in within.arms if arm.feasible]
        costs = selection_costs(self.study, self.size)
        steps = study_steps(self.study, self.load, arms, _phases(costs))
        if self.study.trains and not within.full_data:
            del steps["reference_report", "full_data", None]
        found = {}
        for step, work in steps.items():
            expected = self._amount(step, work, rates)
            seconds = expected.seconds if rates else None
            found[self._asset(step), _partition(step)] = (expected.flops, seconds)
        for name, cost in costs.items():
            prepared = cost.preparation_flops
            if prepared and any(arm.method == name for arm in arms):
                seconds = self._preparing(name, costs)
                found[preparation_step(self.study, name)] = (prepared, seconds)
        for step, made in (
            (embedding_step(self.study), self._embedding(rates)),
            (models_step(self.study), self._models(rates)),
        ):
            found[step] = (made.flops, made.seconds)
        return found

    @property
    def epoch_flops(self) -> float | None:
        """FLOPs of a warm-up on the whole pool; None without a base model."""
        return None if self.shape is None else epoch_flops(self.study, self.shape, self.size)

    def _asset(self, step: PlannedStep) -> str:
        return f"{self.study.name}/{step[0]}"

    def _amount(self, step: PlannedStep, work: Sequence[WorkPart], rates: Rates) -> Amount:
        """What a step takes: by its own record where it has one, else part by part as probed."""
        probed = amount(work, rates)
        rate = self.seen.get(self._asset(step))
        if rates is None or rate is None:
            return probed
        return Amount(probed.flops, rate.seconds(probed.flops))

    def _preparing(self, name: str, costs: Mapping[str, MethodCost]) -> float | None:
        """Seconds of a method's preparations; None while one of them has never been made here."""
        named, phases = self.study.named_methods[name], costs[name].phases
        seconds = 0.0
        for preparation in named.preparations:
            if not preparation.needs_device:
                continue  # it reserves nothing, and counts once it is made (`Spending.sunk`)
            asset = preparation_key(self.study, named, preparation).to_user_string()
            if asset not in self.seen:
                return None
            times = len(self.load.rows) if preparation.by_source else 1
            seconds += self.seen[asset].seconds(phases[preparation.asset], times=times)
        return seconds

    def _models(self, rates: Rates) -> Amount:
        """Pre-training the models that are made here, as if no other study shared them."""
        flops, study = self.load.pretraining, self.study
        if rates is None:
            return Amount(flops)
        if study.base_model is None or not flops:
            return Amount(flops)
        made = decoder_key(study.pool, study.base_model, "base_checkpoint").to_user_string()
        rate = self.seen.get(made, rates.get("training"))
        return Amount(flops, rate.seconds(flops) if rate is not None else 0.0)

    def _embedding(self, rates: Rates) -> Amount:
        """Embedding pool and target, as if no other study shared the pool."""
        flops = self.size.embedding_flops + self.size.target_embedding_flops
        flops += self.size.contrast_embedding_flops
        if rates is None:
            return Amount(flops)
        targets = 1 if self.study.contrast is None else 2
        name = self.study.embedder.name
        made = embedder_key(self.study.pool, name, "corpus_embeddings").to_user_string()
        if made in self.seen:
            times = len(self.load.rows) + targets
            return Amount(flops, self.seen[made].seconds(flops, times=times))
        loads = rates["loading"].seconds(0.0, times=len(self.load.rows) + targets)
        return Amount(flops, loads + rates["embedding"].seconds(flops))


def _phases(costs: Mapping[str, MethodCost]) -> dict[str, dict[str, float]]:
    return {name: cost.phases for name, cost in costs.items()}


def workload(known: PlanInputs) -> Workload:
    """Count the FLOPs of the parts that the study's steps are made of."""
    study = known.study
    if not study.trains:
        return Workload(known.pretraining, 0.0, {}, 0.0, known.pool.rows)
    shape, tokenizer = known.shapes["base"], known.tokenizers["base"]
    examples, accountant = known.examples, study.accountant
    evaluation = planned_evaluation_flops(
        tokenizer, examples["test"], known.labels, shape, accountant, n_models=1
    )
    harness = study.evaluation.harness
    if harness is not None:
        evaluation += harness_flops(harness, tokenizer, shape, accountant, resolve_whole)
    tuning = {
        seed: fine_tuning_flops(study, tokenizer, examples["train"], shape, seed=seed)
        for seed in sorted({*study.seeds, *study.full_data_seeds})
    }
    epoch = epoch_flops(study, shape, known.size)
    return Workload(known.pretraining, epoch, tuning, evaluation, known.pool.rows)


def embedding_step(study: Study) -> tuple[str, str]:
    """Under what the ledger keeps what a plan expects of the pool's embeddings.

    They are the pool's assets, and each study has its own opinion of what they cost.
    """
    return f"{study.name}/embeddings of {study.pool}", UNPARTITIONED


def models_step(study: Study) -> tuple[str, str]:
    """The same for the base model and the selector."""
    return f"{study.name}/models of {study.pool}", UNPARTITIONED


def preparation_step(study: Study, name: str) -> tuple[str, str]:
    """Under what the ledger keeps what a plan expects of all that a method prepares.

    The plan counts it for each method, as if none shared it with another method or study.
    """
    return f"{study.name}/preparations of {name}", UNPARTITIONED


def _partition(step: PlannedStep) -> str:
    """The partition key that Dagster and the ledger have for a step."""
    _, first, second = step
    if first is None:
        return UNPARTITIONED
    return first if second is None else arm_key(first, second)
