"""embedder: the embedding model as a folder of safetensors, made once for a pool or a study."""

import shutil
from collections.abc import Sequence
from typing import Any

from resources.paths import resolve_whole
from resources.store.artifacts import Artifact
from selection.config.embedders import EmbedderSpec
from selection.config.study import Study
from selection.embedding.build import distillation_flops, write_embedder
from selection.embedding.embedder import load_embedder, token_lengths
from selection.embedding.tuning import tune_embedder, tuning_flops
from selection_assets.shared.local_models import local_model_version
from selection_assets.stage.inputs import of_study
from selection_assets.stage.keys import embedder_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Expected, Step, emptied


def build_embedder(pool: str, spec: EmbedderSpec, users: Sequence[Study]) -> Stage:
    """Build the asset for one embedder of a pool, and for the studies that use it.

    One that is tuned reads the target of its only user.
    """
    tuning = spec.tuning
    ins = {} if tuning is None else {"target_examples": of_study(users[0], "target_examples")}

    def expects(step: Step) -> Expected:
        if step.found is not None:
            return Expected(0.0)
        target_examples = step.maybe("target_examples")
        if tuning is None or target_examples is None:
            return Expected(distillation_flops(spec))
        # Only a model that is there can say what reading the texts takes.
        untuned = emptied(step.work / "untuned")
        flops = write_embedder(spec, untuned, resolve=resolve_whole)
        model = load_embedder(untuned, precision="float32")
        lengths = token_lengths(model, _tuning_texts(target_examples))
        return Expected(flops + tuning_flops(model, lengths, tuning))

    @stage(
        key=embedder_key(pool, spec.name, "embedder"),
        campaign=pool,
        ins=ins,
        parameters={"model": spec.model} | ({} if tuning is None else {"tuning": tuning}),
        outside=lambda _: local_model_version(spec.model),
        costly=True,
        # Another pool of the project may have made the very same.
        finds=lambda step: step.workspace.ledger.find_alike(step.identity),
        expects=expects,
        payers=users,
        kinds={"pytorch"},
    )
    def embedder(step: Step) -> Draft:
        """Fetch, distil or tune the model; the folder's hash is its fingerprint."""
        if step.found is not None:
            return _taken_over(step, step.found)
        folder = emptied(step.work / "embedder")
        flops = write_embedder(spec, folder, resolve=resolve_whole, device=step.device.name)
        target_examples = step.maybe("target_examples")
        files, facts = {}, {}
        if tuning is not None and target_examples is not None:
            untuned, folder = folder, emptied(step.work / "tuned")
            tuned = tune_embedder(untuned, folder, _tuning_texts(target_examples), tuning)
            files["tuning.json"] = {"flops": tuned.flops, "losses": list(tuned.losses)}
            facts = {"tuning_losses": list(tuned.losses), "tuning_texts": tuned.n_texts}
            flops += tuned.flops
        return Draft(
            files={"embedder": folder, **files},
            rows=1,
            flops=flops,
            accountant="detailed",
            facts={
                "model": spec.model.model_dump_json(),
                "width": load_embedder(folder).width,
                **facts,
            },
        )

    return embedder


def _taken_over(step: Step, made: Artifact) -> Draft:
    """The same model, made for another pool, as it is."""
    made.verify()
    folder = emptied(step.work / "embedder")
    shutil.copytree(made.path("embedder"), folder, dirs_exist_ok=True)
    files: dict[str, Any] = {"embedder": folder}
    if (made.folder / "tuning.json").exists():
        files["tuning.json"] = made.json("tuning.json")
    return Draft(files=files, rows=1, accountant="detailed", facts={"made_for": made.asset})


def _tuning_texts(target_examples: Artifact) -> list[str]:
    """Texts of the train and dev splits: those of the test split only evaluate."""
    rows = target_examples.table("rows.parquet", ["split", "text"]).to_pylist()
    return [row["text"] for row in rows if row["split"] != "test"]
