"""P3: settled + reserved <= cap at every instant; a step without a reservation does not start."""

import shutil
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from real_processes import Child
from spending import ELSEWHERE, GONE, HERE

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.spend_rows import NotRunning
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from selection.budget.amounts import Amount, Cap

STUDIES = ("first", "second")
UNITS = ("flops", "device_hours", "usd")
PRICE = 3.0

RACE = """
import sys
from pathlib import Path
from resources.ledger.spending import OverCap
from resources.ledger.spends import Spender
from resources.ledger.ledger import open_ledger
from selection.budget.amounts import Amount, Cap

ledger = open_ledger(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    study = line.strip()
    step = Spender(study, study + "/x", "all", sys.argv[2], "cpu", caps={study: Cap("flops", 1.0)})
    try:
        ledger.spending.reserve(step, Amount(flops=1.0))
        print("won", flush=True)
    except OverCap:
        print("lost", flush=True)
"""


@dataclass
class Client:
    """A step as its own process sees it."""

    spend: str
    reserved: Amount


amounts = st.builds(
    Amount, flops=st.floats(0, 60, width=32), seconds=st.floats(0, 60 * 3600, width=32)
)


class Clients(RuleBasedStateMachine):
    """Steps of two studies, one of a pool that both pay for, in any order, dying at any time."""

    running = Bundle("running")
    dead = Bundle("dead")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger: Ledger = open_ledger(self.folder)

    @property
    def budget(self):
        return self.ledger.spending

    @initialize(units=st.tuples(*[st.sampled_from(UNITS)] * 2), limit=st.floats(1, 100, width=32))
    def declare(self, units, limit):
        self.caps = {
            study: Cap(unit, limit, PRICE) for study, unit in zip(STUDIES, units, strict=True)
        }

    @rule(
        target=running,
        payers=st.sampled_from([STUDIES[:1], STUDIES[1:], STUDIES]),
        need=amounts,
        holder=st.sampled_from([HERE, GONE, ELSEWHERE]),
    )
    def reserve(self, payers, need, holder):
        step = Spender(
            "pool" if len(payers) == 2 else payers[0],
            "some/asset",
            "all",
            "run",
            "cpu",
            payers={study: 1 / len(payers) for study in payers},
            caps={study: self.caps[study] for study in payers},
            usd_per_device_hour=PRICE,
            holder=holder,
        )
        before = {study: self.budget.standing(study) for study in payers}
        share = 1 / len(payers)
        part = Amount(share * need.flops, share * need.seconds)
        fits = all(
            stands.admits(part) if stands else cap.charge(part) <= cap.limit * (1 + 1e-9)
            for stands, cap in ((before[study], self.caps[study]) for study in payers)
        )
        try:
            spend = self.budget.reserve(step, need)
        except OverCap as error:
            assert not fits
            assert "raise the cap with `selection cap" in str(error)
            return Client("", Amount())
        assert fits
        return Client(spend, need)

    @rule(client=running, more=amounts)
    def extend(self, client, more):
        if not self.is_open(client):
            with pytest.raises(NotRunning):
                self.budget.extend(client.spend, more)
        elif self.budget.extend(client.spend, more):
            client.reserved += more

    @rule(client=running, share=st.floats(0, 1))
    def beat(self, client, share):
        if client.spend:
            self.budget.beat(client.spend, Amount(share * client.reserved.flops, 1.0))

    @rule(client=consumes(running), share=st.floats(0, 1))
    def settle(self, client, share):
        self.settle_within(client, share)

    @rule(client=consumes(running))
    def settle_what_is_not_reserved(self, client):
        """More was spent than was set aside: room is found for it, or the overrun is on record."""
        if self.is_open(client):
            spent = client.reserved + Amount(10.0, 7200.0)
            self.budget.settle(client.spend, Cost(spent.flops, "a", "cpu", spent.seconds, 1.0))

    @rule(target=dead, client=consumes(running))
    def crash(self, client):
        return client

    @rule()
    def sensor_settles_the_run(self):
        self.budget.lose(run_id="run")

    @rule()
    def leases_run_out(self):
        for (spend,) in self.rows("SELECT id FROM spend WHERE state = 'running'"):
            self.budget.beat(spend, Amount(0.0, 0.5), lease=timedelta(seconds=-1))
        self.budget.lose_expired()
        left = self.rows("SELECT DISTINCT host FROM spend WHERE state = 'running'")
        assert left in ([], [(HERE.host,)]), "only one that is seen to live holds what it has"

    @rule(client=consumes(dead), share=st.floats(0, 1))
    def one_that_only_seemed_dead_settles(self, client, share):
        self.settle_within(client, share)

    @rule(client=running, total=amounts)
    def one_that_was_lost_reserves_anew(self, client, total):
        if client.spend and not self.is_open(client):
            resumed = self.budget.resume(client.spend, total)
            if resumed is not None:
                client.spend, client.reserved = resumed

    @rule(study=st.sampled_from(STUDIES), more=st.floats(1, 50, width=32))
    def raise_cap(self, study, more):
        stands = self.budget.standing(study)
        if stands is not None:
            cap = Cap(stands.cap.unit, stands.cap.limit + more, PRICE)
            self.budget.raise_cap(study, cap, actor="somebody", reason="more is needed")

    def is_open(self, client: Client) -> bool:
        return (client.spend,) in self.rows("SELECT id FROM spend WHERE state = 'running'")

    def settle_within(self, client: Client, share: float) -> None:
        spent = Amount(share * client.reserved.flops, share * client.reserved.seconds)
        refused = nullcontext() if self.is_open(client) else pytest.raises(NotRunning)
        with refused:
            self.budget.settle(client.spend, Cost(spent.flops, "a", "cpu", spent.seconds, 1.0))

    def rows(self, statement: str) -> list[tuple]:
        with self.ledger._database.transaction() as connection:
            return connection.execute(statement).fetchall()

    @invariant()
    def the_cap_holds(self):
        overrun = dict.fromkeys(STUDIES, Amount())
        for payer, share, flops, seconds in self.rows(
            "SELECT campaign, share, (body->>'flops')::DOUBLE, (body->>'seconds')::DOUBLE"
            " FROM entry JOIN share ON spend = subject WHERE kind = 'overrun'"
        ):
            overrun[payer] += Amount(share * flops, share * seconds)
        for study in STUDIES:
            stands = self.budget.standing(study)
            if stands is None:
                continue
            cap = stands.cap
            used = cap.charge(stands.settled) + cap.charge(stands.reserved)
            assert used <= cap.limit * (1 + 1e-8) + cap.charge(overrun[study])

    @invariant()
    def the_entries_say_what_the_tables_say(self):
        assert self.ledger.verify() == []

    def teardown(self):
        shutil.rmtree(self.folder)


small = settings(
    max_examples=4,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestSomeInterleavings(Clients.TestCase):
    settings = small


@pytest.mark.slow
class TestManyInterleavings(Clients.TestCase):
    settings = settings(small, max_examples=150, stateful_step_count=30)


@pytest.mark.parametrize("rounds", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_of_two_processes_that_race_for_the_last_unit_exactly_one_wins(tmp_path, rounds, figures):
    racers = [Child(RACE, tmp_path, name) for name in ("a", "b")]
    assert [racer.next_line() for racer in racers] == ["ready\n"] * 2
    won = {"a": 0, "b": 0}
    for number in range(rounds):
        for racer in racers:
            racer.stdin.write(f"study{number}\n")
            racer.stdin.flush()
        outcomes = [racer.next_line() for racer in racers]
        assert sorted(outcomes) == ["lost\n", "won\n"]
        won["ab"[outcomes.index("won\n")]] += 1
    for racer in racers:
        racer.end()
    assert min(won.values()) > 0, "one process always wins: that was no race"
    assert open_ledger(tmp_path).verify() == []
    figures.record("P3", races=rounds, won_by_either=sorted(won.values()))
