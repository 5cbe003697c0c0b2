"""Who pays for a stage: the studies that use it, in equal parts."""

from collections.abc import Sequence

from resources.ledger.ledger import Ledger
from resources.ledger.spends import Spender
from selection.budget.amounts import Cap
from selection.config.study import Study


def spender(
    campaign: str,
    payers: Sequence[Study],
    *,
    asset: str,
    partition: str,
    run_id: str,
    device: str,
) -> Spender:
    """Return who spends, and under whose caps.

    Parameters
    ----------
    campaign : the study or pool whose work it is.
    payers : the studies that use it; none: the campaign pays, without a cap.
    """
    prices = [study.usd_per_device_hour for study in payers]
    return Spender(
        campaign,
        asset,
        partition,
        run_id,
        device,
        payers={study.name: 1 / len(payers) for study in payers},
        caps={study.name: cap for study in payers if (cap := cap_of(study)) is not None},
        usd_per_device_hour=prices[0] if prices else None,
    )


def cap_of(study: Study) -> Cap | None:
    """The cap that a study's file declares."""
    if study.cap is None:
        return None
    return Cap(*study.cap.measure, study.usd_per_device_hour)


def cap_in_force(study: Study, ledger: Ledger) -> Cap | None:
    """The cap that the ledger enforces, or will when the study first spends something."""
    standing = ledger.spending.standing(study.name)
    return standing.cap if standing is not None else cap_of(study)
