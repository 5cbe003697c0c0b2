"""Where the repository lies, what it ships for Dagster, and the data beside it."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DAGSTER_YAML = REPOSITORY / "dagster_home" / "dagster.yaml"
HELPERS = str(Path(__file__).parent)
"""For PYTHONPATH of other processes."""
SHARED = REPOSITORY.parent / "shared"
