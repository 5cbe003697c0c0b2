"""Which study was asked for, what else of the configuration is wrong, and what is not read?"""

import time
from collections.abc import Sequence

import click
from tqdm import tqdm

from resources.paths import resolve
from selection.config.pool import DropFolder, Pool
from selection.config.study import Study
from selection.corpus.not_read import NotRead, not_read_text
from selection.corpus.sources import list_sources
from selection.reports.escaping import printable
from selection_assets.studies import find_study_in, read_configuration

LONGEST_WAIT = 60.0
"""Seconds; files that take longer to be still are for the next time."""


def asked_study(name: str) -> Study:
    """Return a study; files that are wrong and that it does not need are a warning.

    Raises
    ------
    ConfigurationError
        When there is none of that name, or its file, or its pool's, cannot be used.
    """
    found = read_configuration()
    study = find_study_in(found, name)
    for problem in found.wrong.values():
        click.echo(f"warning, not needed for {name}: {printable(problem)}", err=True)
    return study


def wait_until_still(pool: Pool) -> None:
    """Wait while files that have just changed settle, once and for no longer than that takes."""
    settle = [spec.settle_seconds for spec in pool.sources if isinstance(spec, DropFolder)]
    longest = max((seconds for seconds in settle if seconds <= LONGEST_WAIT), default=0.0)
    waiting = _waiting(pool)
    if not longest or not waiting:
        return
    names = ", ".join(one.what for one in waiting[:3]) + ", ..." * (len(waiting) > 3)
    click.echo(f"waiting up to {longest:g} s until they are still: {names}", err=True)
    begun = time.monotonic()
    with tqdm(total=longest, desc="waiting", unit=" s", leave=False) as bar:
        while waiting and time.monotonic() < begun + longest + 1:
            time.sleep(0.2)
            bar.update(min(time.monotonic() - begun, longest) - bar.n)
            waiting = _waiting(pool)


def _waiting(pool: Pool) -> Sequence[NotRead]:
    return [one for one in list_sources(pool, resolve).not_read if one.state == "waiting"]


def pool_text(pool: Pool, not_read: Sequence[NotRead]) -> str:
    """Say what of a pool is not read; "" when all is."""
    text = not_read_text(not_read)
    return text and f"pool {pool.name}: {text}"
