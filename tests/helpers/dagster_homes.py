"""A project's Dagster home: the one that is shipped, without what no test reads."""

from pathlib import Path

from places import DAGSTER_YAML

# Each step would start four processes to copy its output into a file for the UI.
WITHOUT_COPIES_OF_OUTPUT = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def write_dagster_home(root: Path) -> None:
    """Write a project's Dagster home into its existing folder."""
    shipped = DAGSTER_YAML.read_text(encoding="utf-8")
    home = root / "dagster_home/dagster.yaml"
    home.write_text(shipped + WITHOUT_COPIES_OF_OUTPUT, encoding="utf-8")
