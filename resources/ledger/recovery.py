"""What lies with the artifacts that a ledger's tables do not say, as the entries that would say it.

Nothing comes back that is not whole: a record that was changed is refused by its name, and of a
version whose files are not what they were only what it cost. What was spent and no record explains
comes back as one loss a campaign, so that no cap is forgotten.
"""

import math
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from resources.ledger.audit import materialization_id
from resources.ledger.chain import Kind
from resources.ledger.forecasts import kept_forecasts, read_forecast
from resources.ledger.note import NOTE, Note, read_note
from resources.ledger.publication import version_path
from resources.ledger.replay import Replay, Row, Tables
from resources.store.artifacts import Artifact, ArtifactStore, CorruptArtifact
from resources.store.records import PUBLISHED, RECORDS, Record, list_records
from resources.store.sealed import BrokenSeal, read_sealed
from resources.store.version_folders import version_folders
from selection.budget.amounts import Amount

AMOUNTS = ("flops", "resumed_flops", "device_seconds", "wall_seconds")
"""Of a spend: what counts against caps, and what is shown of it."""

ROUNDING = 1e-9
"""Share of what was spent by which sums of floating point numbers differ."""


@dataclass(frozen=True)
class Addition:
    """An entry that the ledger lacks."""

    kind: Kind
    subject: str
    values: dict[str, Any]

    def by(self, actor: str, reason: str) -> "Addition":
        """With who wants it and why, where such an entry says so."""
        if self.kind != "cap":
            return self
        said = {"actor": actor, "reason": f"recovered: {reason}"}
        return replace(self, values=self.values | said)


@dataclass(frozen=True)
class Recovery:
    """What a ledger lacks.

    Attributes
    ----------
    lost : what is wrong with it; nothing for one that only lacks some records.
    additions : entries, in order.
    records : those that the entries are made of.
    refused : what does not come back, and why.
    """

    lost: str
    additions: list[Addition]
    records: list[Record]
    refused: list[str]


def find_additions(tables: Tables, store: ArtifactStore, lost: str) -> Recovery:
    """Find what lies with the artifacts and is not in the tables.

    Parameters
    ----------
    tables : of the ledger at hand, empty where there is none.
    lost : what is wrong with that ledger. Only one that is lost or older takes caps, forecasts and
        losses from beside the artifacts: they are newer than its own.
    """
    records, refused = _lacking(tables, store, lost)
    publications, damaged = _publications(tables, store, records)
    additions, refused = list(publications), [*refused, *damaged]
    after = Replay(tables)
    for addition in publications:
        after.add(addition.kind, addition.subject, addition.values)
    if lost:
        note, gone = _note(store)
        refused += gone
        if note is not None:
            additions += [*_caps(tables, note), *_losses(after.tables, note)]
        forecasts, changed = _forecasts(tables, store)
        additions += forecasts
        refused += changed
    known = {version_path(row) for row in after.tables["materialization"].values()}
    for folder in version_folders(store.root):
        path = folder.relative_to(store.root).as_posix()
        if path not in known and not any((store.root / RECORDS / path).glob("*")):
            refused.append(f"{folder}: has no record of what it is; it is not recovered")
    return Recovery(lost, additions, [record for record, _ in records], refused)


def _lacking(
    tables: Tables, store: ArtifactStore, lost: str
) -> tuple[list[tuple[Record, Row]], list[str]]:
    """Records of publications that are not in the ledger, oldest first; and those not to be used.

    One that was only begun counts where the ledger cannot know what became of it.
    """
    found, refused = [], []
    for file, record in list_records(store.root):
        spend = tables["spend"].get((record.spend,), {})
        over = spend.get("state") == "lost" or not file.stat().st_size
        if spend.get("state") == "settled" or (file.suffix != PUBLISHED and (over or not lost)):
            continue
        try:
            values = read_sealed(file)
            _check(values, record, store)
            found.append((record, values))
        except BrokenSeal as error:
            refused.append(f"{error}; it is not recovered")
        except (KeyError, TypeError) as error:
            refused.append(f"{file}: lacks {error}; it is not recovered")
    return sorted(found, key=lambda one: one[1]["spend"]["ended_at"]), refused


def _publications(
    tables: Tables, store: ArtifactStore, records: list[tuple[Record, Row]]
) -> tuple[list[Addition], list[str]]:
    """The entries of records, and which of their versions are damaged; the newest is current."""
    additions, refused = [], []
    since = _current_since(tables)
    for record, values in records:
        made, spend = values["made"], values["spend"]
        step, ended_at = (made["asset"], made["partition"]), spend["ended_at"]
        problem = _problem(store, made)
        if problem is not None:
            refused.append(f"{problem}; what it cost comes back, the version does not")
            nothing = {"made": None, "inputs": [], "current": False}
            values = values | nothing | {"spend": spend | {"materialization": None}}
        elif values["current"]:
            values = values | {"current": ended_at >= since.get(step, "")}
            since[step] = max(ended_at, since.get(step, ""))
        additions.append(Addition("restore", record.spend, values))
    return additions, refused


def _check(values: Row, record: Record, store: ArtifactStore) -> None:
    """Refuse a record that is of something else than where it lies."""
    made, spend = values["made"], values["spend"]
    parts = ("asset", "partition", "input_hash", "code_version", "data_version")
    name = materialization_id(*(made[part] for part in parts))
    place = store.root / RECORDS / version_path(made)
    if (
        (made["id"], spend["materialization"], spend["id"]) != (name, name, record.spend)
        or place != record.folder
        or (spend["state"], bool(spend["ended_at"])) != ("settled", True)
        or values.keys() != {"spend", "shares", "made", "inputs", "current"}
        or not all(0 <= spend[amount] < math.inf for amount in AMOUNTS)
        or not all(0 < share <= 1 for share in values["shares"].values())
    ):
        raise BrokenSeal(f"{record.file}: is not the record of what lies where it says")


def _problem(store: ArtifactStore, made: Row) -> str | None:
    what = made["asset"], made["partition"], made["data_version"]
    try:
        Artifact(*what, store.folder(*what), made["id"]).verify(fetch=False)
    except (CorruptArtifact, OSError) as error:
        return str(error)
    return None


def _current_since(tables: Tables) -> dict[tuple, str]:
    """(asset, partition) to when the current version was last published."""
    newest: dict[str, str] = {}
    for row in tables["spend"].values():
        made = row.get("materialization")
        if made is not None:
            newest[made] = max(row["ended_at"], newest.get(made, ""))
    current = tables["current_version"].items()
    return {step: newest.get(row["materialization"], "") for step, row in current}


def _note(store: ArtifactStore) -> tuple[Note | None, list[str]]:
    """The note beside the artifacts, or why what only it knew does not come back."""
    only = "caps changed by `selection cap` and losses do not come back: see to the caps"
    try:
        note = read_note(store.root)
    except BrokenSeal as error:
        return None, [f"{error}; {only}"]
    return note, [] if note is not None else [f"{store.root / NOTE} is not there; {only}"]


def _caps(tables: Tables, note: Note) -> list[Addition]:
    return [
        Addition("cap", campaign, cap | {"recovered": True})
        for campaign, cap in note.caps.items()
        if tables["cap"].get((campaign,)) != cap
    ]


def _losses(tables: Tables, note: Note) -> list[Addition]:
    """What counted against each cap and does not any more, as far as no record explains it."""
    held: dict[str, Amount] = {}
    for (spend, campaign), row in tables["share"].items():
        paid = tables["spend"][spend,]
        names = ("flops", "device_seconds")
        if paid["state"] == "running":
            names = ("reserved_flops", "reserved_seconds")
        amount = Amount(*(row["share"] * paid[name] for name in names))
        held[campaign] = held.get(campaign, Amount()) + amount
    found = []
    for campaign in sorted(note.spent.keys() | note.reserved.keys()):
        noted = note.held(campaign)
        allowed = Amount(ROUNDING * noted.flops, ROUNDING * noted.seconds)
        gone = noted.beyond(held.get(campaign, Amount()))
        if gone.beyond(allowed):
            found.append(_loss(campaign, gone, note.at))
    return found


def _loss(campaign: str, gone: Amount, at: str) -> Addition:
    now = datetime.now(UTC).isoformat()
    spend = {
        "campaign": campaign,
        "asset": "unknown",
        "partition": "unknown",
        "run_id": "recovered",
        "materialization": None,
        "state": "lost",
        "device": "unknown",
        "reserved_flops": gone.flops,
        "reserved_seconds": gone.seconds,
        "flops": gone.flops,
        "resumed_flops": 0.0,
        "device_seconds": gone.seconds,
        "wall_seconds": gone.seconds,
        "started_at": at,
        "ended_at": now,
    }
    nothing = {"made": None, "inputs": [], "current": False}
    values = {"spend": spend, "shares": {campaign: 1.0}} | nothing
    return Addition("restore", uuid.uuid4().hex, values)


def _forecasts(tables: Tables, store: ArtifactStore) -> tuple[list[Addition], list[str]]:
    """Plans that are kept and that the ledger does not have, and those that were changed."""
    additions, refused = [], []
    for file in kept_forecasts(store.root):
        try:
            campaign, steps = read_forecast(file)
        except (BrokenSeal, KeyError) as error:
            refused.append(f"{error}; its plan does not come back")
            continue
        known = tables["forecast"].items()
        now = [[*k, r["flops"], r["seconds"]] for k, r in known if r["campaign"] == campaign]
        if sorted(now) != sorted(steps):
            additions.append(Addition("foresee", campaign, {"steps": steps}))
    return additions, refused
