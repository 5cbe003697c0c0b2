"""training_file[method x budget]: the rows an arm selected, as a file that trainers read."""

from importlib.metadata import version

from selection.config.study import Study
from selection.export.bundle import SAID, make_bundle
from selection_assets.shared.chosen_rows import chosen_rows, hub_model, origins_of
from selection_assets.stage.inputs import of_study, whole_pool
from selection_assets.stage.keys import arm_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_training_file(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "training_file"),
        campaign=study.name,
        ins={
            "selected_subset": of_study(study, "selected_subset"),
            "raw_corpus": whole_pool(study),
        },
        parameters={"target": study.target, "model": hub_model(study)},
        partitions=arm_partitions(study),
        payers=[study],
        kinds={"python", "json"},
    )
    def training_file(step: Step) -> Draft:
        """`train.jsonl`, best row first, with receipts, a page, and what TRL and axolotl need.

        Rows are as they came where all are of one format; `selection export` writes others.
        """
        subset, corpus = step.one("selected_subset"), step.inputs["raw_corpus"]
        rows = chosen_rows(subset, corpus)
        product = version("selection-assets")
        origins = origins_of(study, subset, corpus, draw=0, product=product)
        bundle = make_bundle(rows, origins, model=hub_model(study))
        facts = {"format": bundle.how, "files": sorted(bundle.files), "notes": [*bundle.notes]}
        files = {**bundle.files, SAID: bundle.lines()}
        return Draft(files=files, rows=len(rows), facts=facts)

    return training_file
