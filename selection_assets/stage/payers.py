"""Under which cap a study spends: that of its file, until the ledger enforces one."""

from resources.ledger.ledger import Ledger
from selection.budget.amounts import Cap
from selection.config.study import Study


def cap_of(study: Study) -> Cap | None:
    """The cap that a study's file declares."""
    if study.cap is None:
        return None
    return Cap(*study.cap.measure, study.usd_per_device_hour)


def cap_in_force(study: Study, ledger: Ledger) -> Cap | None:
    """The cap that the ledger enforces, or will when the study first spends something."""
    standing = ledger.spending.standing(study.name)
    return standing.cap if standing is not None else cap_of(study)
