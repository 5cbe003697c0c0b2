"""Dagster's event log, with the engine of each of its SQLite files kept.

It makes one anew for every event and forgets the SQL that it has compiled, which takes longer than
the events themselves. No connection is kept: a file is opened and closed as often as ever, and what
other processes see is the same.
"""

from functools import cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

_make_engine = sqlite_event_log.create_engine


@cache
def _kept(url: str, timeout: int) -> Engine:
    return _make_engine(url, poolclass=NullPool, connect_args={"timeout": timeout})


def _engine(url: str, *, poolclass: type, connect_args: dict[str, Any]) -> Engine:
    assert poolclass is NullPool
    return _kept(url, **connect_args)


sqlite_event_log.create_engine = _engine
