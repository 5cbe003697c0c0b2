"""docs/statistics.md says what was measured."""

import json

from places import REPOSITORY

from docs.statistics import MEASURED, PAGE, parts, written

WAYS = 4


def test_the_tables_of_the_page_are_those_that_were_measured():
    measured = json.loads(MEASURED.read_text("utf-8"))
    page = PAGE.read_text("utf-8")
    assert written(page, measured) == page
    tables = parts(measured)
    assert len(measured["details"]["arms"]) == WAYS * (len(tables["arms"].splitlines()) - 2)
    for row in measured["details"]["arms"]:
        assert f"{row['family-wise error']:.3f} / {row['power']:.2f}" in page


def test_what_is_in_use_holds_its_level_where_arms_are_alike_and_sees_more_than_own_seeds():
    rows = json.loads(MEASURED.read_text("utf-8"))["details"]["arms"]
    of = {(r["seeds differ"], r["seeds"], r["way to judge"]): r for r in rows}
    for (said, seeds, way), row in of.items():
        if way == "in use, Holm" and seeds > 2:
            own = of[said, seeds, "own seeds, Holm"]
            assert row["family-wise error"] < 0.06, said
            assert row["power"] > own["power"] - 0.02, said


def test_the_readme_quotes_the_results_page():
    """Counts in the README are lines of docs/results.md."""
    quoted = (REPOSITORY / "README.md").read_text("utf-8").partition("<!-- part medium -->")[2]
    lines = [
        line for line in quoted.partition("<!-- end of part medium -->")[0].splitlines() if line
    ]
    assert lines
    results = (REPOSITORY / "docs/results.md").read_text("utf-8").splitlines()
    assert set(lines) <= set(results)
