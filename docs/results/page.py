"""The Markdown of a part of the results page, with the pictures that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from docs.results import tables
from docs.results.claims import look_at
from docs.results.evidence import named
from docs.results.mean_effect import mean_effects
from docs.results.method_claims import TRANSPORT
from docs.results.overlap import mean_overlap
from docs.results.pictures import effect_rows, heat_map
from docs.results.words import conclude, verdicts, worth
from selection.costs.charges import Charge
from selection.judging.judged import JudgedStudy, judge
from selection.judging.paying import Paying, paying
from selection.judging.result import RANDOM, StudyResult, budgets_of
from selection.judging.sharing import break_even_table, sharing_picture
from selection.judging.underspent import underspent_notes
from selection.reports.escaping import escape
from selection.reports.numbers import number
from selection.reports.tables import markdown_table


@dataclass(frozen=True)
class Made:
    """How a part came about.

    Attributes
    ----------
    name : of the part, which its pictures' names begin with.
    commands : that make it again.
    devices : that computed it.
    charges : study to all that it and its pool have spent, and which arms bear it.
    """

    name: str
    commands: Sequence[str]
    devices: Sequence[str]
    charges: Mapping[str, Sequence[Charge]] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Markdown, and its pictures by file name; it names them as `images/<file name>`.

    `quoted` are those of its lines that the README may quote: counts after the correction.
    """

    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    quoted: str = ""


INTERVALS = """Losses are nats per token on each target's held-out split, after warm-up on the
selected rows and fine-tuning on the target; their intervals are over examples and seeds. A verdict
compares an arm with random at equal total cost, selection included, by its own interval;
*corrected* is what Holm's correction over all arms of the target leaves of it. How far seeds move a
difference is told from all arms of a budget. A mean over targets has an interval for targets like
these, with about one degree of freedom less than there are targets; *corrected* is what is left of
its verdict among all methods and budgets. [Statistics](statistics.md) has how often such verdicts
are wrong."""


WHERE = """Distance of the selected rows to the target (exact OT, equal numbers of rows), and the
three sources that gave most of them:"""

TIMES = """Seconds are those for which a step held its device, or a processor where it needs none;
an arm's are its selection's, by the shares that its FLOPs have, and one seed's warm-up. At equal
seconds it is held against random's loss between the budgets that random ran at, by its own
interval; beyond them nothing is said."""

SHARING = """The least number of targets of the pool among which the shared part of a method's
selection must be split, so that the method is no worse than random at the same total cost: 1 is at
once. By the mean losses between the measured budgets, without intervals; an asterisk marks what
only fitted curves can say. Parts are shares of the budget, of the dearest target."""


def make_part(results: Sequence[StudyResult], made: Made, *, pictures: Mapping[str, bytes]) -> Part:
    """Everything that can be said of some finished studies.

    Parameters
    ----------
    results : at least one study.
    made : how the part came about.
    pictures : each study's own frontier, by the study's name.

    Raises
    ------
    ValueError
        If there is no study, no arm of any, or one has no picture.
    """
    if not results:
        raise ValueError("there is no study to write about: name at least one.")
    if not any(result.arms for result in results):
        raise ValueError("no arm of any study has run: there is nothing to conclude from.")
    missing = [result.name for result in results if result.name not in pictures]
    if missing:
        raise ValueError(f"no picture of the frontier of {', '.join(missing)}.")
    studies = [judge(result) for result in results]
    effects = mean_effects(studies)
    shared = [each for result in results for each in paying(result)]
    findings = look_at(studies)
    drawn: dict[str, bytes] = {}

    def show(what: str, png: bytes, alt: str) -> str:
        name = f"{made.name}_{what}.png"
        drawn[name] = png
        return f"![{escape(alt)}](images/{name})"

    budgets = budgets_of(results)
    ran = [budget for budget in budgets if any(a.budget == budget for r in results for a in r.arms)]
    middle = ran[len(ran) // 2]
    alike, rows_alike = mean_overlap(results, middle), f"Jaccard index of the rows, at {middle}"
    sections = [
        _how(made),
        "### What it comes to",
        "\n".join(f"- {line}" for line in conclude(studies, effects, shared, findings)),
        INTERVALS.replace("\n", " "),
    ]
    if len(results) > 1:
        sections += ["### Mean over targets", markdown_table(*tables.mean_table(effects))]
        for budget in budgets:
            own = sorted((e for e in effects if e.budget == budget), key=lambda e: e.difference)
            if own:
                png = effect_rows(own, title=f"Gain over random at {budget}")
                sections.append(show(f"gain_{budget}", png, f"gain over random at {budget}"))
    sections += [
        "### What selecting costs",
        markdown_table(*tables.cost_table(results)),
        *_uncharged(made),
        "### Optimal transport and random at equal data",
        *(
            markdown_table(*tables.equal_data_table(results, name, RANDOM))
            for name in named(studies, TRANSPORT)
        ),
        "### How many targets must share a selection",
        SHARING.replace("\n", " "),
        markdown_table(*break_even_table(shared)),
        *_break_evens(results, shared, middle, show),
        f"### Which methods select the same rows, at {middle}",
        markdown_table(*tables.overlap_table(*alike)),
        show("overlap", heat_map(*alike, title=rows_alike), rows_alike),
        "### The papers' claims",
        markdown_table(
            ["claim", "source", "counts as confirmed when", "finding", "figures"],
            [[c.text, c.source, c.rule, found.status, found.figures] for c, found in findings],
        ),
    ]
    for study in studies:
        sections += _target(study, show, pictures[study.result.name])
    quoted = "\n".join(f"- {line}" for line in (*worth(effects), verdicts(studies)))
    return Part("\n\n".join(sections), drawn, quoted)


def _how(made: Made) -> str:
    commands = "\n".join(f"    {command}" for command in made.commands)
    devices = ", ".join(made.devices) or "an unknown device"
    return f"Computed on {escape(devices)}; made by\n\n{commands}"


def _uncharged(made: Made) -> list[str]:
    """What the costs leave out: all of it."""
    if not made.charges:
        return []
    return [
        "Charged to no arm, whole; what a pool's studies share stands once:",
        markdown_table(*tables.uncharged_table(made.charges)),
    ]


def _target(study: JudgedStudy, show, frontier: bytes) -> list[str]:
    """One target: pool, arms, reference lines, what was too dear, and its picture."""
    result = study.result
    kind = "Labelled target" if result.labelled else "Target of generation"
    pool = result.pool
    facts = (
        f"{kind}. Pool {escape(pool.name)} of {pool.rows:,} rows and {pool.tokens:,} "
        f"tokens; one epoch costs {number(pool.epoch_flops)} FLOPs. Model of "
        f"{number(pool.model_parameters)} parameters."
    )
    dear = [[a["method"], a["budget"], a["reason"]] for a in result.infeasible]
    alt = f"{result.name}: target loss against total FLOPs"
    return [
        f"### {escape(result.name)}",
        facts,
        markdown_table(*tables.frontier_table(study)),
        *underspent_notes([arm.figures for arm in result.arms]),
        TIMES.replace("\n", " "),
        markdown_table(*tables.seconds_table(study)),
        *([markdown_table(["not run", "budget", "why"], dear)] if dear else []),
        markdown_table(*tables.lines_table(result)),
        *_one_label(result),
        WHERE.replace("\n", " "),
        markdown_table(*tables.where_table(result)),
        show(f"{result.name}_frontier", frontier, alt),
    ]


def _one_label(result: StudyResult) -> list[str]:
    accuracies = {arm.figures.get("accuracy") for arm in result.arms}
    if len(accuracies) != 1 or None in accuracies or len(result.arms) < 2:
        return []
    return ["Every arm has the same accuracy, so that only the losses tell the arms apart."]


def _break_evens(
    results: Sequence[StudyResult], shared: Sequence[Paying], budget: str, show
) -> list[str]:
    """One picture a target, at the budget in the middle."""
    pictures = []
    for result in results:
        own = [each for each in shared if (each.study, each.budget) == (result.name, budget)]
        if own:
            alt = f"{result.name} at {budget}: selection cost when T targets share it"
            pictures.append(show(f"{result.name}_break_even", sharing_picture(result, own), alt))
    return pictures
