def test_a_study_runs_end_to_end_on_real_text(finished):
    report = finished.ledger.current("small/pareto_frontier", "all").json("frontier.json")
    assert {arm["method"] for arm in report["arms"]} == {"random", "length", "embedding", "ot"}


def test_a_second_refresh_recomputes_nothing(finished):
    assert finished.refresh() == []
