"""What a method makes before it fits: one asset for each of its preparations."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from tqdm import tqdm

from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.methods.contract.preparation import (
    Preparation,
    PrepareInputs,
    Selector,
)
from selection_assets.shared.preparation_work import MADE_BY, PreparationWork
from selection_assets.shared.preparations import preparation_key
from selection_assets.stage.code_version import code_version
from selection_assets.stage.inputs import decoder_part, of_study, source_rows, whole_pool
from selection_assets.stage.keys import source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Expected, Step


def build_preparation(
    named: NamedMethod, preparation: Preparation, users: Sequence[Study]
) -> Stage:
    """Build the asset for one preparation of a method, and for the studies that use it.

    One by source reads that source; one that is shared, and not by source, the whole pool; one
    that is neither, the target.
    """
    study = users[0]
    by_source, of_target = preparation.by_source, not (preparation.shared or preparation.by_source)
    needed = [p for p in named.preparations if p.asset in preparation.needs]
    ins = {p.asset: dg.AssetIn(preparation_key(study, named, p)) for p in needed}
    if preparation.needs_selector:
        for name in ("selector_checkpoint", "selector_tokenizer"):
            ins[name] = decoder_part(study, study.selector, name)
    if of_target:
        ins["target_examples"] = of_study(study, "target_examples")
    else:
        ins["raw_corpus"] = source_rows(study) if by_source else whole_pool(study)
    costly = preparation.needs_device
    key = preparation_key(study, named, preparation)

    parameters: dict[str, object] = {
        "options": named.read_by(preparation),
        "accountant": study.accountant if preparation.needs_selector else "none",
    }

    def finds(step: Step) -> PreparationWork:
        if not preparation.row_by_row:
            return PreparationWork.find(step)
        earlier = step.workspace.ledger.current_versions(key.to_user_string()).values()
        return PreparationWork.find(step, earlier, made_by(step))

    def made_by(step: Step) -> dict[str, str]:
        versions = {name: step.one(name).version for name in ins if name != "raw_corpus"}
        return versions | {"code": code_version([type(preparation)], parameters)}

    def expects(step: Step) -> Expected:
        found: PreparationWork = step.found
        return Expected(preparation.flops(found.sizes(named, study)))

    @stage(
        key=key,
        campaign=study.pool if preparation.shared else study.name,
        also_code=[type(preparation)],
        ins=ins,
        parameters=parameters,
        partitions=source_partitions(study.pool) if by_source else None,
        costly=costly,
        metered=True,
        finds=finds,
        expects=expects if costly else None,
        payers=users,
        serves={user.name: _served(user, key) for user in users},
        kinds={"pytorch"} if costly else {"python"},
    )
    def method_preparation(step: Step) -> Draft:
        """The files that the method defines; by source, in the order of `rows.parquet`."""
        found: PreparationWork = step.found
        selector = None
        if found.shape is not None:
            folder = step.one("selector_checkpoint").path("checkpoint")
            selector = Selector(folder, found.shape, study.accountant)
        bar_name = f"{preparation.asset} {step.partition if by_source else ''}".strip()
        with tqdm(total=found.n_rows, desc=bar_name, unit="row", leave=False) as bar:
            prepared = preparation.prepare(
                PrepareInputs(
                    options=named.options,
                    pool=found.pieces,
                    n_pool=sum(map(len, found.rows)),
                    work=step.work,
                    target=found.target,
                    selector=selector,
                    prepared={p.asset: step.one(p.asset) for p in needed},
                    device=step.device.name,
                    meter=step.meter,
                    report=step.context.log.info,
                    advance=bar.update,
                    engine=step.device.engine,
                )
            )
        beside: dict[str, Any] = {}
        facts = dict(prepared.facts)
        if by_source:
            beside["rows.parquet"] = pa.table({"row_id": found.row_id})
        if found.made_by is not None:
            beside[MADE_BY] = found.made_by
            facts["rows_reused"] = len(found.row_id) - len(found.new)
        return Draft(
            files={**found.joined(prepared.files), **beside},
            rows=prepared.rows + len(found.row_id) - len(found.new),
            flops=prepared.flops,
            resumed_flops=prepared.resumed_flops,
            accountant=prepared.accountant,
            facts=facts,
        )

    return method_preparation


def _served(study: Study, key: dg.AssetKey) -> frozenset[str]:
    """A study's methods that read a preparation's asset."""
    return frozenset(
        name
        for name, named in study.named_methods.items()
        if any(preparation_key(study, named, p) == key for p in named.preparations)
    )
