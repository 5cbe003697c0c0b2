"""The gradient method (LESS): who ranks first, and by which formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gradient_chain import (
    EXAMPLES,
    POOL_KINDS,
    STORE,
    TARGET,
    WARM_UP,
    inputs,
)
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity


def test_rows_of_the_targets_kinds_rank_above_others_each_by_its_own_subtask(chain):
    scores = chain.score(chain.pool)
    wanted = POOL_KINDS != "court"
    order = np.argsort(-scores.score[0], kind="stable")
    assert wanted[order[:20]].all()
    assert roc_auc_score(wanted, scores.score[0]) > 0.8
    told = scores.receipts["best_subtask"]
    assert set(told) == {"kitchen", "sea"}
    assert np.mean(told[wanted] == POOL_KINDS[wanted]) > 0.75


def test_the_score_is_the_best_subtasks_influence_and_the_receipts_say_so(chain):
    scores = chain.score(chain.pool)
    receipts = scores.receipts["influence_by_subtask"].to_pylist()
    assert [[pair["subtask"] for pair in row] for row in receipts] == [["kitchen", "sea"]] * 120
    values = np.array([[pair["influence"] for pair in row] for row in receipts])
    np.testing.assert_array_equal(values.max(axis=1), scores.score[0])
    np.testing.assert_array_equal(
        np.array(["kitchen", "sea"])[values.argmax(axis=1)], scores.receipts["best_subtask"]
    )


def test_scores_follow_the_definition_row_by_row_and_example_by_example(chain):
    rates = np.array(chain.warm_up.json("warm_up.json")["learning_rates"])
    pool, target = STORE.features(chain.store), chain.target.array("gradients.npy")
    subtasks = np.array(chain.target.json("subtasks.json"))
    expected = np.zeros((120, 2))
    for s, subtask in enumerate(["kitchen", "sea"]):
        for checkpoint in range(2):
            cosines = cosine_similarity(
                pool[:, checkpoint].astype(float), target[subtasks == subtask, checkpoint]
            )
            expected[:, s] += rates[checkpoint] / rates.sum() * cosines.mean(axis=1)
    np.testing.assert_allclose(chain.score(chain.pool).score[0], expected.max(axis=1), atol=2e-7)


def test_scores_are_the_same_to_the_bit_in_any_batch_and_none_is_fine_too(chain):
    whole, pool = chain.score(chain.pool), chain.pool
    for start, stop in ((0, 1), (1, 48), (48, 48), (48, 120)):
        part = chain.score(pool.take(slice(start, stop)))
        np.testing.assert_array_equal(part.score, whole.score[:, start:stop])
        for column, values in part.receipts.items():
            assert list(values) == list(whole.receipts[column][start:stop])


def test_a_target_without_labels_is_one_subtask(chain, selector, tmp_path):
    unlabelled = [replace(example, label=None) for example in EXAMPLES]
    needs = {WARM_UP.asset: chain.warm_up}
    target = TARGET.prepare(inputs(selector, tmp_path, prepared=needs, target=unlabelled))
    scores = replace(chain, target=target).score(chain.pool)
    assert set(scores.receipts["best_subtask"]) == {"target"}
    assert roc_auc_score(POOL_KINDS != "court", scores.score[0]) > 0.8
