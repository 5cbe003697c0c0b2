"""Under which cap a study spends: that of its file, until the ledger enforces one."""

from resources.ledger.caps import Standing
from resources.ledger.ledger import Ledger
from selection.budget.amounts import Cap
from selection.config.study import Study


def cap_of(study: Study) -> Cap | None:
    """The cap that a study's file declares."""
    if study.cap is None:
        return None
    return Cap(*study.cap.measure, study.usd_per_device_hour)


def standing_of(study: Study, ledger: Ledger) -> Standing | None:
    """How a study stands against the cap that the ledger enforces, or will once it spends."""
    return ledger.spending.standing(study.name, cap_of(study))


def cap_in_force(study: Study, ledger: Ledger) -> Cap | None:
    """The cap of `standing_of`."""
    stands = standing_of(study, ledger)
    return None if stands is None else stands.cap
