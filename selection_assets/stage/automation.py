"""When a derived asset asks to be refreshed."""

from collections.abc import Sequence

import dagster as dg


def on_new_data_or_code(
    *, some_inputs_may_lack: bool = False, only_after: Sequence[dg.AssetKey] = ()
) -> dg.AutomationCondition:
    """Ask once when an input's data version, or the asset's own code version, has changed.

    `AutomationCondition.eager()` asks again for identical data; this does not. A version that
    failed a blocking check is not passed on.

    Parameters
    ----------
    some_inputs_may_lack : for an asset that reads whichever arms were affordable.
    only_after : inputs that must exist, but whose news are none to the asset.
    """
    condition = dg.AutomationCondition
    changed = condition.any_deps_match(condition.data_version_changed())
    if only_after:
        changed = changed.ignore(dg.AssetSelection.assets(*only_after))
    news = changed | condition.code_version_changed() | condition.newly_missing()
    # `since` lets the reset win, and a request resets one tick late: news that came in between,
    # such as the next source of a pool, would be lost.
    answered = condition.newly_requested() & ~news
    asked = news.since(answered | condition.initial_evaluation())
    ready = (
        ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_blocking_checks_passed()
    )
    if not some_inputs_may_lack:
        ready = ready & ~condition.any_deps_missing()
    return (asked & ready).with_label("on_new_data_or_code")
