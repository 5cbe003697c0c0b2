"""Dagster's SQLite storage, without what it does anew each time and forgets.

For every event it makes an engine, which then compiles the same SQL again, and for the file of
every run it reads all scripts that migrate older ones. Together that takes longer than the small
studies of the tests. Engines and scripts are kept instead. No connection is: files are opened,
written and closed as ever, and what other processes see, and may be killed in, is the same. Only a
machine that loses its power would see that SQLite no longer waits for the disk.
"""

import sqlite3
from functools import cache
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sql import create_engine
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

_read_scripts = ScriptDirectory.from_config
_scripts: dict[str | None, ScriptDirectory] = {}


@cache
def _kept_engine(url: str, **connect_args: Any) -> Engine:
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_args)
    event.listen(engine, "connect", _without_waiting)
    return engine


def _without_waiting(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _engine(url: str, *, poolclass: type, connect_args: dict[str, Any] | None = None) -> Engine:
    assert poolclass is NullPool, "an engine that keeps connections must not be kept"
    return _kept_engine(url, **(connect_args or {}))


def _kept_scripts(config: Config) -> ScriptDirectory:
    place = config.get_main_option("script_location")
    if place not in _scripts:
        _scripts[place] = _read_scripts(config)
    return _scripts[place]


for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    storage.create_engine = _engine
ScriptDirectory.from_config = _kept_scripts
