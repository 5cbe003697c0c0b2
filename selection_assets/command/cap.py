"""What may a study still spend, and how is it let spend more?"""

import getpass
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import cap_history
from selection.budget.amounts import Cap
from selection.config.files import ConfigurationError
from selection.config.study import Study
from selection.reports.numbers import number
from selection.reports.tables import text_table
from selection_assets.stage.payers import standing_of


def find_cap(study: Study, ledger: Ledger) -> dict[str, Any]:
    """How a study stands against its cap, and every change of the cap.

    Raises
    ------
    ConfigurationError
        When the study has none.
    """
    stands = standing_of(study, ledger)
    if stands is None:
        raise ConfigurationError(
            f"study {study.name} has no cap; give it one in its file, such as"
            " `cap: {flops: 2e15}`, `{device_hours: 1}` or `{usd: 20}`"
        )
    cap = stands.cap
    return {
        "study": study.name,
        "unit": cap.unit,
        "cap": cap.limit,
        "settled": cap.charge(stands.settled),
        "reserved": cap.charge(stands.reserved),
        "left": stands.left,
        "history": cap_history(ledger, study.name),
        "refused": list(ledger.spending.refusals(study.name).values()),
    }


def cap_text(found: dict[str, Any]) -> str:
    """Lay out how a study stands."""
    unit = found["unit"]
    figures = ("cap", "settled", "reserved", "left")
    standing = text_table(["", unit], [[name, number(found[name])] for name in figures])
    history = [
        [row["made_at"][:19], row["amount"], row["unit"], row["actor"], row["reason"]]
        for row in found["history"]
    ]
    table = text_table(["changed", "to", "unit", "by", "because"], history) if history else ""
    beyond = ""
    if found["left"] < 0:
        beyond = (
            f"spent and reserved are {number(-found['left'])} {unit} more than the cap: nothing"
            " more starts, and what runs ends within what it has reserved"
        )
    parts = (standing, beyond, table, "\n".join(found["refused"]))
    return "\n\n".join(part for part in parts if part)


def cap_line(study: Study, ledger: Ledger) -> str:
    """One line: how the study stands against its cap; nothing without one."""
    stands = standing_of(study, ledger)
    if stands is None:
        return ""
    cap, spent = stands.cap, stands.cap.charge(stands.settled)
    return f"cap: {cap.show(cap.limit)}; spent {cap.show(spent)}, left {cap.show(stands.left)}"


def change_cap(study: Study, ledger: Ledger, cap: Cap, *, reason: str, actor: str | None) -> None:
    """Put another cap in force.

    Raises
    ------
    ConfigurationError
        Without a reason, or for the cap that is in force already.
    """
    try:
        ledger.spending.raise_cap(study.name, cap, actor=actor or getpass.getuser(), reason=reason)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
