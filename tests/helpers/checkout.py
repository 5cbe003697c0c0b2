"""A copy of the checkout, in which a page of documentation can be followed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from places import REPOSITORY

COPIED = ("selection", "resources", "selection_assets", "sensors", "studies", "tests")


class Checkout:
    """A copy of the checkout; commands run in it as a reader would run them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in COPIED:
            shutil.copytree(REPOSITORY / folder, root / folder)  # compiled as they are
        for file in ("pyproject.toml", "project.yaml", "README.md"):
            shutil.copy(REPOSITORY / file, root)
        (root / "dagster_home").mkdir()
        shutil.copy(REPOSITORY / "dagster_home/dagster.yaml", root / "dagster_home")
        (root / ".venv").symlink_to(sys.prefix)

    def run(self, command: str) -> str:
        variables = {k: v for k, v in os.environ.items() if k != "SELECTION_ROOT"}
        # The environment's own copy of the project is the checkout, not this copy.
        variables |= {"PYTHONPATH": str(self.root), "DAGSTER_HOME": str(self.root / "dagster_home")}
        variables["COLUMNS"] = "200"  # tables are not to break names
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout
