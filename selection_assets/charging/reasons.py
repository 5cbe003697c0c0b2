"""Why is what an asset cost charged to no arm?"""

HUB = "as if it came from a hub"
READING = "reading, the same for every arm"
COUNTING = "counting what rows cost to train on, the same for every arm"
LEAVING_OUT = "finding the rows that leak the target, left out by every arm alike"
MEASURING = "measuring, the same for every arm"
REPORTS = "for people"
UNUSED = "nothing that an arm of this study selects by"

WHY = {
    "raw_corpus": READING,
    "target_examples": READING,
    "contrast_examples": READING,
    "target_leaks": LEAVING_OUT,
    "base_tokenizer": COUNTING,
    "selector_tokenizer": COUNTING,
    "pool_tokens": COUNTING,
    "selector_pool_tokens": COUNTING,
    "embedder_tokens": COUNTING,
    "base_checkpoint": f"pre-training, {HUB}",
    "selector_checkpoint": f"pre-training, {HUB}",
    "embedder": f"making the model, {HUB}",
    "budget_plan": "planning, and measuring rates",
    "reference_report": "reference lines",
    "eval_report": MEASURING,
    "corpus_embeddings": "no arm's method reads it: near-duplicates and distances",
    "target_embeddings": "no arm's method reads it: distances",
    "contrast_embeddings": "no arm's method reads it",
    "target_stats": REPORTS,
    "pareto_frontier": REPORTS,
    "training_file": REPORTS,
    "finetuned_checkpoint": "no report of that arm",
    "selected_subset": "no report of that arm",
}

OTHER_TARGETS = "the part of the pool's other targets (`shared_by`)"
OTHER_SEEDS = "fine-tuning on the target, and all seeds but one"
DISTILLING = WHY["embedder"]


def why_uncharged(asset: str) -> str:
    """Why no arm bears an asset of which none has a share."""
    return WHY.get(asset.rpartition("/")[2], UNUSED)
