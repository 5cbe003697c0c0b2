"""Do the ledger's entries hang together, and do its tables say what the entries say?"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache

import duckdb

from resources.ledger import chain
from resources.ledger.replay import KEYS, LEASES, Replay, Row
from resources.ledger.schema import TABLES

DERIVED = {"materialization": ("path",)}
"""Columns that DuckDB works out of others."""

DEFINED = """
    SELECT concat_ws(' ', kind, nullif(schema_name, 'main'), name), says FROM (
        SELECT database_name, schema_name, 'table' AS kind, table_name AS name, sql AS says
        FROM duckdb_tables() WHERE NOT internal
        UNION ALL SELECT database_name, schema_name, 'view', view_name, sql
        FROM duckdb_views() WHERE NOT internal
        UNION ALL SELECT database_name, schema_name, 'index', index_name, sql FROM duckdb_indexes()
        UNION ALL SELECT database_name, schema_name, 'sequence', sequence_name, sql
        FROM duckdb_sequences()
        UNION ALL SELECT database_name, schema_name, 'type', type_name, logical_type
        FROM duckdb_types() WHERE NOT internal
        UNION ALL SELECT database_name, schema_name, function_type, function_name, macro_definition
        FROM duckdb_functions() WHERE NOT internal
    ) WHERE database_name = current_database()
"""
"""What a database has, by kind and name: a view would answer for a table, a macro for a function of
DuckDB."""


def audit(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say what is wrong: in the chain, and in every table against the chain.

    The entries are replayed from the first one. A change to a past entry breaks the chain, and a
    change to a table differs from the replay, both ways. Nothing else is outside of the chain but
    leases, and the path of a version, which follows from what it is.
    Entries cut off at the end together with what they did to the tables leave no trace here: the
    note beside the artifacts shows that (`resources.ledger.note`), or a `head` kept elsewhere.
    """
    entries = chain.read(connection)
    yield from chain.broken_links(entries)
    replay = Replay()
    for entry in entries:
        try:
            replay.add(entry.kind, entry.subject, entry.values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"entry {entry.seq} ({entry.kind}) cannot be read: {error!r}"
    found, expected = dict(connection.execute(DEFINED).fetchall()), _definitions()
    for what in sorted(found.keys() | expected.keys()):
        table = what.removeprefix("table ")
        if found.get(what) != expected.get(what):
            yield f"{what} is not one of this program's, or not as it makes it"
        elif table in KEYS:
            yield from _compare(connection, table, replay.tables[table])
    if found.get("table materialization") == expected["table materialization"]:
        yield from _misnamed(connection)


def materialization_id(
    asset: str, partition: str, input_hash: str, code_version: str, data_version: str
) -> str:
    """Id of a materialization: a hash of what makes it what it is."""
    parts = [asset, partition, input_hash, code_version, data_version]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, expected: dict[tuple, Row]
) -> Iterator[str]:
    """Compare a table with what the entries say of it, row by row and field by field."""
    answer = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in answer.description or []]
    hidden = {*KEYS[table], *LEASES.get(table, ()), *DERIVED.get(table, ())}
    found: dict[tuple, Row] = {}
    for values in answer.fetchall():
        row = dict(zip(names, values, strict=True))
        key = tuple(row[name] for name in KEYS[table])
        if key in found:
            yield f"{_named(table, key)} stands in the table twice"
        found[key] = row
    for key in sorted(found.keys() | expected.keys(), key=repr):
        if key not in expected:
            yield f"{_named(table, key)} stands in the table, and no entry says so"
        elif key not in found:
            yield f"{_named(table, key)} is gone from the table, and its entries say it is there"
        else:
            for name in (name for name in names if name not in hidden):
                ours, theirs = found[key][name], expected[key].get(name)
                if not _same(ours, theirs):
                    yield (
                        f"{_named(table, key)}: {name} is {_shown(ours)}, its entries say"
                        f" {_shown(theirs)}"
                    )


def _misnamed(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Materializations whose id is not the hash of what they are."""
    for name, *parts in connection.execute(
        "SELECT id, asset, partition, input_hash, code_version, data_version FROM materialization"
    ).fetchall():
        if name != materialization_id(*parts):
            yield f"materialization {name} of {parts[0]} [{parts[1]}] was changed"


@cache
def _definitions() -> dict[str, str]:
    """What this program makes."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(TABLES)
        return dict(connection.execute(DEFINED).fetchall())


def _named(table: str, key: tuple) -> str:
    return f"{table} {' '.join(str(part) for part in key)}"


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, datetime) and isinstance(theirs, str):
        try:
            return ours == datetime.fromisoformat(theirs)
        except (ValueError, TypeError):
            return False
    if isinstance(ours, float) and isinstance(theirs, int):
        return ours == float(theirs)
    return ours == theirs
