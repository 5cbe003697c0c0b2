"""Would a study run, as far as can be seen before anything is paid for?"""

from collections.abc import Collection

from resources.paths import resolve
from selection.basics.brevity import some_of
from selection.config.decoders import TinyBase
from selection.config.files import ConfigurationError
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.sources import list_sources
from selection_assets.rehearsal.finding import Finding, problems_text
from selection_assets.rehearsal.methods import look_at_methods
from selection_assets.rehearsal.models import look_at_decoder, look_at_embedder, look_at_harness
from selection_assets.rehearsal.rows import try_rows
from selection_assets.rehearsal.sources import look_at_sources
from selection_assets.rehearsal.targets import look_at_target
from selection_assets.shared.decoders import decoders_of

READ_BY_THE_EMBEDDER = 32
"""Rows of the target whose words its tokenizer must know."""


class NotReady(ConfigurationError):
    """A study that would not run; the message says everything that is wrong."""


def rehearse(study: Study, pool: Pool, unusable: Collection[str], *, fetch: bool) -> list[Finding]:
    """Look at everything that a study reads and uses, and try its rows; nothing is spent.

    Parameters
    ----------
    unusable : sources that are known to be of no use as they are now.
    fetch : whether small files may be fetched from a hub.
    """
    findings = look_at_sources(pool, unusable, fetch=fetch)
    target = look_at_target("target", study.target, trains=study.trains)
    findings += target.findings
    if study.contrast is not None:
        findings += look_at_target("contrast", study.contrast, trains=study.trains).findings
    for role, decoder in decoders_of(study).items():
        field = "base_model" if role == "base" else role
        seen = look_at_decoder(field, decoder, fetch=fetch)
        findings += [*seen.findings, *_exclusions(field, decoder, pool)]
        tiny = isinstance(decoder, TinyBase)
        if study.trains and (tiny or seen.tokenizer is not None):
            findings += try_rows(
                target,
                seen.tokenizer,
                vocabulary=decoder.vocabulary if tiny else seen.vocabulary,
                window=decoder.sequence_length,
                field=field,
                train_on=study.train_on if role == "base" else None,
            )
    texts = [record.text for record in target.records]
    findings += look_at_methods(study, pool, texts, unusable, fetch=fetch)
    some = texts[:READ_BY_THE_EMBEDDER]
    findings.append(look_at_embedder(study.embedder.model, some, fetch=fetch))
    if study.evaluation.harness is not None:
        findings.append(look_at_harness(study.evaluation.harness))
    return findings


def require_ready(findings: list[Finding]) -> None:
    """Go on only where the study can run.

    Raises
    ------
    NotReady
        With every problem that stops it.
    """
    stopping = [finding for finding in findings if finding.problem and finding.stops]
    if stopping:
        raise NotReady(f"nothing is spent, for this is wrong:\n{problems_text(stopping)}")


def _exclusions(field: str, decoder: object, pool: Pool) -> list[Finding]:
    """Whether the sources that a model is not to learn from are there."""
    if not isinstance(decoder, TinyBase) or not decoder.exclude_sources:
        return []
    known = sorted(list_sources(pool, resolve).sources)
    unknown = [name for name in decoder.exclude_sources if name not in known]
    if not unknown:
        return []
    there = ", ".join(some_of(known))
    problem = f"{', '.join(some_of(unknown))}: no such source; the pool has {there}"
    return [Finding(f"{field}.exclude_sources", f"{len(known):,} sources", problem)]
