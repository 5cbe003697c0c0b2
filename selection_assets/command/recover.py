"""`selection recover`: rebuild what a lost or older ledger lacks, from what lies with its files."""

import getpass
import json
from typing import Any

import click

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.loss import REMEDY
from resources.ledger.recover import find_recovery, rebuild
from resources.project import store_root
from selection.config.files import ConfigurationError
from selection.reports.numbers import number
from selection.reports.tables import text_table


@click.command()
@click.option("--write", is_flag=True, help="Put it into the ledger; else it is only shown.")
@click.option("--reason", default="", help="Why; the ledger keeps it.")
@click.option("--actor", help="Who decided it; your login name unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def recover(write: bool, reason: str, actor: str | None, as_json: bool) -> None:
    """Rebuild what a lost or older ledger lacks from what lies with the artifacts.

    Every file of every version is hashed before it comes back.
    """
    if write and not reason.strip():
        raise ConfigurationError('a ledger is rebuilt for a reason: give --reason "..."')
    if not write and (reason or actor):
        raise ConfigurationError("--reason and --actor are kept by what --write does: give it too")
    ledger = open_ledger(store_root())
    found = recover_ledger(ledger, write=write, reason=reason, actor=actor)
    click.echo(json.dumps(found, indent=1) if as_json else recovery_text(found))


def recover_ledger(
    ledger: Ledger, *, write: bool, reason: str, actor: str | None
) -> dict[str, Any]:
    """Find what the ledger lacks, and add it when asked."""
    found = (
        rebuild(ledger, actor=actor or getpass.getuser(), reason=reason)
        if write
        else find_recovery(ledger)
    )
    spends = [one.values for one in found.additions if one.kind == "restore"]
    return {
        "lost": found.lost,
        "written": write and bool(found.lost or found.additions),
        "publications": [
            {
                "asset": values["spend"]["asset"],
                "partition": values["spend"]["partition"],
                "version": values["made"]["data_version"] if values["made"] else None,
                "current": values["current"],
                "campaign": values["spend"]["campaign"],
                "flops": values["spend"]["flops"],
                "device_seconds": values["spend"]["device_seconds"],
            }
            for values in spends
            if values["spend"]["state"] == "settled"
        ],
        "losses": [
            {name: values["spend"][name] for name in ("campaign", "flops", "device_seconds")}
            for values in spends
            if values["spend"]["state"] == "lost"
        ],
        "caps": [
            {"campaign": one.subject, "unit": one.values["unit"], "amount": one.values["amount"]}
            for one in found.additions
            if one.kind == "cap"
        ],
        "plans": [one.subject for one in found.additions if one.kind == "foresee"],
        "refused": found.refused,
    }


def recovery_text(found: dict[str, Any]) -> str:
    """Lay out what `recover_ledger` found and did."""
    refused = [f"refused: {problem}" for problem in found["refused"]]
    parts = ("publications", "losses", "caps", "plans")
    if not found["lost"] and not any(found[part] for part in parts):
        return "\n".join(["nothing is lost: the ledger has all that lies with its files", *refused])
    campaigns: dict[str, list[float]] = {}
    for one in found["publications"]:
        sums = campaigns.setdefault(one["campaign"], [0, 0, 0.0, 0.0])
        amounts = (1, int(one["version"] is not None), one["flops"], one["device_seconds"])
        campaigns[one["campaign"]] = [a + b for a, b in zip(sums, amounts, strict=True)]
    rows = [
        *(["steps settled", name, *sums] for name, sums in sorted(campaigns.items())),
        *(
            ["lost, by the note", one["campaign"], None, None, one["flops"], one["device_seconds"]]
            for one in found["losses"]
        ),
    ]
    columns = ["what comes back", "of", "steps", "versions", "FLOPs", "device seconds"]
    lines = [
        *(f"cap of {c['campaign']}: {number(c['amount'])} {c['unit']}" for c in found["caps"]),
        *(f"plan of {name}" for name in found["plans"]),
        *refused,
    ]
    done = (
        "written to the ledger; `selection verify` checks it"
        if found["written"]
        else 'nothing is written yet: `selection recover --write --reason "..."` does it'
    )
    table = text_table(columns, rows) if rows else ""
    lost = found["lost"].partition(f"; {REMEDY}")[0] if found["written"] else found["lost"]
    return "\n\n".join(part for part in (lost, table, "\n".join(lines), done) if part)
