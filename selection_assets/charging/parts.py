"""Which assets is an arm's selection made by, and what share of each does it bear?

The rule is that of its FLOPs: what its method prepares, embeds, fits and scores; of what all
targets of the pool share, one part in `shared_by`. Choosing the rows by their scores counts no
FLOPs, and takes time. The models come as if from a hub, and reading is the same for every arm.
"""

from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.methods.contract.options import wants_contrast
from selection_assets.shared.contrast import EMBEDDINGS
from selection_assets.shared.preparations import preparation_key
from selection_assets.stage.keys import embedder_key, study_key


def selection_parts(study: Study, named: NamedMethod) -> dict[str, float]:
    """By asset, the share of its cost that an arm of a method bears, all partitions alike.

    `selected_subset` is left out, of which an arm has its own partition; so is tuning the embedder
    (`tuned_embedder`), of which only a part of its asset's cost is borne.
    """
    shared = 1.0 / study.shared_by
    own = [named.scores_asset, *([named.fit_asset] if named.fit_asset is not None else [])]
    parts = {study_key(study, name).to_user_string(): 1.0 for name in own}
    for preparation in named.preparations:
        key = preparation_key(study, named, preparation).to_user_string()
        parts[key] = shared if preparation.shared else 1.0
    if named.method.needs_embeddings:
        embedder = study.embedder
        pool = embedder_key(study.pool, embedder.name, "corpus_embeddings").to_user_string()
        # A tuned embedder is of one target, and so is what it makes of the pool.
        parts[pool] = shared if embedder.tuning is None else 1.0
        parts[study_key(study, "target_embeddings").to_user_string()] = 1.0
        if wants_contrast(named.options):
            parts[study_key(study, EMBEDDINGS).to_user_string()] = 1.0
    return parts


def tuned_embedder(study: Study, named: NamedMethod) -> str | None:
    """The embedder's asset, where a method pays for tuning it; else None."""
    if study.embedder.tuning is None or not named.method.needs_embeddings:
        return None
    return embedder_key(study.pool, study.embedder.name, "embedder").to_user_string()
