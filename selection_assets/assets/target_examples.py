"""target_examples: the target's rows in their train, dev and test splits."""

from typing import assert_never

import pyarrow as pa

from resources.paths import resolve
from selection.basics.brevity import some_of
from selection.config.study import Study
from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.faults import whole_or_allowed_target
from selection.corpus.folders import configured_fingerprint
from selection.corpus.ingest import quarantine_table
from selection.corpus.sources import package_fingerprint
from selection.corpus.target import read_target
from selection.corpus.target_splits import SPLITS, parted_by
from selection.judging.width import SMALL, least_half_width, width_text
from selection.leaks.prompts import shared_prompts
from selection.reports.escaping import one_line
from selection_assets.shared.contrast import EXAMPLES
from selection_assets.shared.faults import UNREAD, fault_facts, unread_check
from selection_assets.stage.keys import study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step
from selection_assets.studies import see_that_data_are_there

DOCSTRINGS_QUARANTINED = 0.05
"""As for a file by default: a package's docstrings are rarely bad."""

SHOWN = 100
"""Characters of a prompt."""

NARROW = (
    f"Enough rows are held out to tell a lead of {SMALL} standard deviations of their differences"
    " from chance."
)

PROMPTS = "No prompt of the test split stands in the train split, with whatever answer."


def build_target_examples(study: Study) -> Stage:
    """Build the asset for one study."""
    return build_examples(study, "target_examples", study.target)


def build_contrast_examples(study: Study) -> Stage:
    """Build the asset of the examples of a study's contrast."""
    assert study.contrast is not None, f"study {study.name} has no contrast"
    return build_examples(study, EXAMPLES, study.contrast)


def build_examples(study: Study, name: str, target: Target) -> Stage:
    """Build the asset that holds the examples of the study's target, or of its contrast."""
    path = resolve(target.path) if isinstance(target, FileTarget) else None
    field = "contrast" if name == EXAMPLES else "target"
    most = target.max_quarantined if isinstance(target, FileTarget) else DOCSTRINGS_QUARANTINED
    judges = study.trains and name != EXAMPLES

    def outside(_: str) -> dict[str, str]:
        match target:
            case DocstringTarget():
                return {target.package: package_fingerprint(target.package)}
            case FileTarget():
                file = resolve(target.path)
                see_that_data_are_there(study, file)
                return {target.path: configured_fingerprint(target.path, resolve)}
            case _:
                assert_never(target)

    @stage(
        key=study_key(study, name),
        campaign=study.name,
        parameters={"target": target, "trains": study.trains},
        outside=outside,
        payers=[study],
        checks={
            "labels_seen_in_training": "Every label of the test split is in the train split.",
            "labels_written_one_way": "No labels differ only in case, white space or zeros.",
            "quarantine_share": f"At most {most:.1%} of its rows are unusable.",
            "complete": UNREAD,
            **({"verdicts_narrow": NARROW, "prompts_unseen": PROMPTS} if judges else {}),
        },
        kinds={"python", "parquet"},
    )
    def target_examples(step: Step) -> Draft:
        """`rows.parquet`: train fine-tunes, dev steers the selection, test only evaluates.

        `quarantine.parquet`: the rows that are no examples, and why.
        """
        examples = read_target(target, path, name=field, trains=study.trains)
        splits = examples.rows["split"].to_pylist()
        faults = examples.faults
        clashes = some_of([str(clash) for clash in examples.label_clashes], longest=2_000)
        share = faults.share(examples.n_good)
        return Draft(
            files={
                "rows.parquet": examples.rows,
                "quarantine.parquet": quarantine_table(faults, name),
            },
            rows=examples.rows.num_rows,
            facts={
                **{f"{split}_rows": splits.count(split) for split in SPLITS},
                "parted_by": parted_by(target, by_column=examples.by_column),
                "repeated_rows": examples.n_repeated,
                **fault_facts(faults),
            },
            checks=[
                Check(
                    "labels_seen_in_training",
                    not examples.unseen_labels,
                    {"unseen_labels": some_of(examples.unseen_labels)},
                    only_warns=True,  # every arm pays alike for a label that nobody could learn
                ),
                Check("labels_written_one_way", not clashes, {"labels": clashes}),
                Check("quarantine_share", share <= most, {"share": share, "allowed": most}),
                unread_check(
                    faults,
                    allowed=isinstance(target, FileTarget) and target.allow_unread,
                    remedy=whole_or_allowed_target(field),
                ),
                *([_narrow(splits.count("test")), _unseen(examples.rows)] if judges else []),
            ],
        )

    return target_examples


def _narrow(n_test: int) -> Check:
    """Few rows may steer a selection, but what they say of arms is wide."""
    return Check(
        "verdicts_narrow",
        least_half_width(n_test) <= SMALL,
        {"verdicts": width_text(n_test)},
        only_warns=True,
    )


def _unseen(rows: pa.Table) -> Check:
    """The same prompt with another answer is no repeated row, and is learnt all the same."""
    shared = shared_prompts(rows.select(["row_id", "split", "prompt"]).to_pylist())
    told = [f"{one.test} (train: {one.train}): {one_line(one.prompt)[:SHOWN]}" for one in shared]
    return Check(
        "prompts_unseen",
        not shared,
        {"rows": len(shared), "shared": some_of(told)},
        only_warns=True,  # every arm is tuned on them alike
        remedy="put rows of one prompt in one split, by a column for it",
    )
