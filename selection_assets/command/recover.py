"""What does a lost or older ledger lack, and how is it rebuilt from what lies with its files?"""

import getpass
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.loss import REMEDY
from resources.ledger.recover import find_recovery, rebuild
from selection.reports.numbers import number
from selection.reports.tables import text_table


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
