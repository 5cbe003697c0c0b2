"""The tables of the ledger."""

import duckdb

VERSION = 4

TABLES = """
CREATE TABLE materialization (
    id VARCHAR PRIMARY KEY,           -- hash of the five fields that make it what it is
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    input_hash VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    data_version VARCHAR NOT NULL,    -- hash of the content
    run_id VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    path VARCHAR AS (asset || '/' || partition || '/' || data_version)  -- below the artifact root
);
CREATE TABLE input (
    materialization VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    PRIMARY KEY (materialization, upstream)
);
CREATE TABLE current_version (
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    materialization VARCHAR NOT NULL,
    PRIMARY KEY (asset, partition)
);
CREATE TABLE spend (
    id VARCHAR PRIMARY KEY,
    campaign VARCHAR NOT NULL,        -- the study or pool whose work it is
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    materialization VARCHAR,          -- unknown until settled; none where the step gave none
    state VARCHAR NOT NULL CHECK (state IN ('running', 'settled', 'lost')),
    device VARCHAR NOT NULL,
    usd_per_device_hour DOUBLE,
    reserved_flops DOUBLE NOT NULL,   -- it may not spend more without asking
    reserved_seconds DOUBLE NOT NULL,
    planned_flops DOUBLE,             -- what was expected of it, for the plan's own error
    planned_seconds DOUBLE,
    begun_flops DOUBLE NOT NULL,      -- at its last sign of life
    begun_seconds DOUBLE NOT NULL,
    lease_until TIMESTAMPTZ,          -- no sign of life until then: dead, unless seen to live
    host VARCHAR,                     -- who holds it: boot and process namespace,
    pid BIGINT,                       -- the process's number there,
    process_started BIGINT,           -- when it started, in ticks after the boot; none: recovered
    continues VARCHAR,                -- a spend recorded as lost, whose step was not dead
    accountant VARCHAR,
    flops DOUBLE,                     -- of this attempt
    resumed_flops DOUBLE,             -- of earlier attempts, whose finished work it went on from
    device_seconds DOUBLE,
    wall_seconds DOUBLE,
    usd DOUBLE,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
CREATE TABLE share (                  -- who pays for a spend, fixed when it was reserved
    spend VARCHAR NOT NULL,
    campaign VARCHAR NOT NULL,
    share DOUBLE NOT NULL,
    PRIMARY KEY (spend, campaign)
);
CREATE TABLE cap (                    -- in force now; the entries have the history
    campaign VARCHAR PRIMARY KEY,
    unit VARCHAR NOT NULL CHECK (unit IN ('flops', 'device_hours', 'usd')),
    amount DOUBLE NOT NULL,
    usd_per_device_hour DOUBLE,
    declared_unit VARCHAR,            -- what the study's file said when it was last read
    declared DOUBLE
);
CREATE TABLE refusal (                -- steps that a cap has kept from starting, until they start
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    campaign VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    refused_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (asset, partition)
);
CREATE TABLE forecast (               -- what the newest plan expects of each step
    campaign VARCHAR NOT NULL,
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    flops DOUBLE NOT NULL,
    seconds DOUBLE,
    PRIMARY KEY (asset, partition)
);
CREATE TABLE entry (                  -- everything that changed what is spent; never updated
    seq BIGINT PRIMARY KEY,
    made_at VARCHAR NOT NULL,         -- ISO 8601, as it was hashed
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,         -- a spend, or a campaign
    body VARCHAR NOT NULL,            -- JSON
    previous VARCHAR NOT NULL,        -- hash of the entry before
    hash VARCHAR NOT NULL
);
CREATE TABLE tombstone (
    row_id VARCHAR PRIMARY KEY,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    removed_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE schema_version (version INTEGER NOT NULL);
"""


class OtherDatabase(RuntimeError):
    """The file is a DuckDB database, and never was a ledger."""


class UnknownLedger(RuntimeError):
    """The file was written by another version of this program."""


def create_tables(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create the tables of an empty file; do nothing to one that has them.

    Raises
    ------
    OtherDatabase
        For a file with none of these tables, and with others.
    UnknownLedger
        For a file with these tables as another version of this program makes them.
    """
    tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    if not tables:
        connection.begin()
        connection.execute(TABLES)
        connection.execute("INSERT INTO schema_version VALUES (?)", [VERSION])
        connection.commit()
        return
    if not tables & {"entry", "materialization", "schema_version"}:
        names = ", ".join(sorted(tables)[:5])
        raise OtherDatabase(f"{name} is another program's database, with the tables {names}")
    found = None
    if "schema_version" in tables:
        row = connection.execute("SELECT version FROM schema_version").fetchone()
        found = row[0] if row else None
    if found != VERSION:
        raise UnknownLedger(
            f"{name} was written by another version of selection-assets (tables of version"
            f" {found or 1}, this one writes {VERSION}): go on with that version, or begin anew in"
            " another project, where none of what is spent and made here counts"
        )
