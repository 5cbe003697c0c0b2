"""What people see of a plan's seconds."""

import pytest
import yaml
from places import REPOSITORY

from selection.config.study import Study
from selection_assets.planning.expected_loss import Quality
from selection_assets.planning.steps import preparation_step
from selection_assets.planning.view import view_arms

STUDY = Study.model_validate(
    yaml.safe_load((REPOSITORY / "studies/quickstart.yaml").read_text())
    | {"usd_per_device_hour": 2}
)
ARM = {
    **{"method": "perplexity", "budget": "5pct", "accountant": "exact", "rows": 1},
    **{"selection_flops": 1.0, "training_flops": 1.0, "feasible": True, "reason": ""},
}


@pytest.mark.parametrize(
    ("preparing", "seconds", "usd"), [(3600.0, 3601.0, 3601 / 1800), (None, None, None)]
)
def test_an_arms_time_has_its_preparations_and_is_unknown_while_theirs_is(preparing, seconds, usd):
    expected = {
        preparation_step(STUDY, "perplexity"): (1.77e12, preparing),
        ("quickstart/perplexity_scores", "all"): (1.0, 1.0),
        preparation_step(STUDY, "gradient"): (4e13, 7.0),
    }
    [arm] = view_arms(STUDY, [ARM], expected, Quality(None, "nothing has run"), 1)
    assert (arm["seconds"], arm["usd"]) == (seconds, usd)
