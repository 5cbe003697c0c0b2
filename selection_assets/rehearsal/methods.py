"""Can every method of a study rank its pool for its target, as far as their first rows say?"""

from collections.abc import Collection, Sequence

from selection.config.pool import AWAY, Pool
from selection.config.study import Study
from selection_assets.rehearsal.finding import SAMPLE, Finding
from selection_assets.rehearsal.sources import beginning_texts


def look_at_methods(
    study: Study, pool: Pool, target: Sequence[str], unusable: Collection[str], *, fetch: bool
) -> list[Finding]:
    """Ask every method whether it refuses; those that do are left out of the study.

    Where rows of the pool or the target are not to be had nobody can know, and nothing is said.
    The plan asks again, with all rows.

    Parameters
    ----------
    target : texts of its rows, as far as they were read.
    unusable, fetch : as in `rehearse`.
    """
    if not target or (not fetch and any(isinstance(spec, AWAY) for spec in pool.sources)):
        return []
    said = {
        name: named.method.refusal(target, beginning_texts(pool, unusable), named.options)
        for name, named in study.named_methods.items()
    }
    refusals = {name: why for name, why in said.items() if why}
    if refusals and next(beginning_texts(pool, unusable), None) is None:
        return []  # of no row nothing is known
    seen = f"the target, and the first {SAMPLE} rows of every source"
    return [
        Finding(f"methods.{name}", seen, f"its arms do not run, by these rows: {why}", stops=False)
        for name, why in refusals.items()
    ]
