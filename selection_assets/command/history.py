"""Dagster's history, or what is wrong with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import yaml
from dagster_shared.check import CheckError
from sqlalchemy.exc import SQLAlchemyError

from selection.config.files import ConfigurationError

WRONG_SETTINGS = (dg.DagsterError, CheckError, yaml.YAMLError, TypeError)
"""What Dagster raises for a `dagster.yaml` that it does not understand."""


@contextmanager
def open_history() -> Iterator[dg.DagsterInstance]:
    """Open the history in `DAGSTER_HOME`.

    Raises
    ------
    ConfigurationError
        When its settings are wrong, or its files are no history.
    """
    home = os.environ["DAGSTER_HOME"]
    try:
        instance = dg.DagsterInstance.get()
    except WRONG_SETTINGS as error:
        said = " ".join(str(error).split())
        raise ConfigurationError(
            f"{home}/dagster.yaml: Dagster does not take it: {said}"
        ) from error
    with instance:
        try:
            yield instance
        except SQLAlchemyError as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            raise ConfigurationError(
                f"{home}: Dagster's history cannot be used: {cause}. Move its `history` and"
                " `schedules` away, and a new one is begun; what was published stays"
            ) from error
