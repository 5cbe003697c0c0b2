"""target_examples: the target's rows in their train, dev and test splits."""

from resources.project import resolve
from selection.config.study import Study
from selection.config.targets import FileTarget, Target
from selection.corpus.sources import package_fingerprint, path_fingerprint
from selection.corpus.target import SPLITS, read_target
from selection_assets.stage.decorator import stage
from selection_assets.stage.draft import Check, Draft
from selection_assets.stage.keys import study_key
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step


def build_target_examples(study: Study) -> Stage:
    """Build the asset for one study."""
    return build_examples(study, "target_examples", study.target)


def build_examples(study: Study, name: str, target: Target) -> Stage:
    """Build the asset that holds the examples of the study's target, or of its contrast."""
    path = resolve(target.path) if isinstance(target, FileTarget) else None

    def outside(_: str) -> dict[str, str]:
        if isinstance(target, FileTarget):
            return {target.path: path_fingerprint(resolve(target.path))}
        return {target.package: package_fingerprint(target.package)}

    @stage(
        key=study_key(study, name),
        campaign=study.name,
        parameters={"target": target},
        outside=outside,
        checks={"labels_seen_in_training": "Every label of the test split is in the train split."},
        kinds={"python", "parquet"},
    )
    def target_examples(step: Step) -> Draft:
        """`rows.parquet`: train fine-tunes, dev steers the selection, test only evaluates."""
        examples = read_target(target, path)
        splits = examples.rows["split"].to_pylist()
        return Draft(
            files={"rows.parquet": examples.rows},
            rows=examples.rows.num_rows,
            facts={
                **{f"{split}_rows": splits.count(split) for split in SPLITS},
                "unusable_rows": examples.n_bad,
                "repeated_rows": examples.n_repeated,
            },
            checks=[
                Check(
                    "labels_seen_in_training",
                    not examples.unseen_labels,
                    {"unseen_labels": list(examples.unseen_labels)},
                    only_warns=True,  # every arm pays alike for a label that nobody could learn
                )
            ],
        )

    return target_examples
