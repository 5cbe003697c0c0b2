"""One of the processes that train a model together in a run of Dagster."""

import os
import sys
from pathlib import Path

from dagster_pipes import open_dagster_pipes

from selection.models.training_worker import work

if __name__ == "__main__":
    if os.environ["RANK"] == "0":
        with open_dagster_pipes() as run:
            work(Path(sys.argv[1]), say=run.log.info)
    else:
        work(Path(sys.argv[1]))
