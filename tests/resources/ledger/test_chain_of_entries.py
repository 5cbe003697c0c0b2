"""What the chain of entries shows: one that is forged, moved, cut out or cut off."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spending import ELSEWHERE
from tampering import (
    STEP,
    chained,
    edit,
    entries,
    problems,
    publish,
    put,
    reserve,
)

from resources.ledger import chain
from resources.ledger.ledger import open_ledger
from resources.ledger.note import NOTE
from resources.ledger.spend_rows import NotRunning
from resources.ledger.spending import OverCap, Spending
from resources.ledger.spends import Cost, Spender
from selection.budget.amounts import Amount, Cap


@pytest.mark.parametrize("place", [1, 5, 10])
def test_an_inserted_entry_is_named(root, place):
    found = entries(root)
    forged = (0, found[0][1], "lose", "nobody", "{}", "", "0" * 64)
    moved = [*found[: place - 1], forged, *found[place - 1 :]]
    put(root, [(number, *entry[1:]) for number, entry in enumerate(moved, start=1)])
    assert any(f"entry {place} " in problem for problem in problems(root))


def test_an_entry_of_a_kind_that_nobody_knows_is_not_made_and_one_that_is_there_is_named(root):
    with pytest.raises(ValueError, match="of kind 'bribe'; known: cap, reserve"):
        chain.append(duckdb.connect(), "bribe", "somebody", {})  # pyright: ignore
    found = entries(root)
    spend = next(subject for _, _, kind, subject, *_ in found if kind == "settle")
    put(root, chained([*found, (0, found[-1][1], "bribe", spend, "{}", "", "")]))
    assert any("(bribe) cannot be read" in problem for problem in problems(root))


@pytest.mark.parametrize(("one", "two"), [(1, 2), (3, 4), (2, 9)])
def test_swapped_entries_are_named(root, one, two):
    found = entries(root)
    found[one - 1], found[two - 1] = found[two - 1], found[one - 1]
    put(root, [(number, *entry[1:]) for number, entry in enumerate(found, start=1)])
    assert any(f"entry {one} " in problem for problem in problems(root))


def test_cutting_out_an_entry_that_changed_a_table_shows_even_in_a_chain_computed_anew(
    original, root
):
    found = entries(original)
    (root / "artifacts" / NOTE).unlink()  # which would tell of any
    for place, entry in enumerate(found):
        if entry[2] == "refuse" and any(e[2] == "reserve" for e in found[place + 1 :]):
            continue  # the step has started since
        if entry[2] == "cap" and any(e[2:4] == entry[2:4] for e in found[place + 1 :]):
            continue  # a cap that has been replaced since
        shutil.copy(original / "ledger.duckdb", root / "ledger.duckdb")
        put(root, chained([*found[:place], *found[place + 1 :]]))
        assert problems(root), (place, entry)


def test_a_tail_cut_off_with_what_it_did_shows_only_to_who_noted_the_head(tmp_path):
    """The note beside the artifacts does; without it nobody, unless they kept the head."""
    ledger = open_ledger(tmp_path)
    publish(ledger, reserve(ledger), "one")
    kept = ledger.head()
    spend = reserve(ledger)
    noted = ledger.head()
    edit(tmp_path, "DELETE FROM entry WHERE seq > ?", [kept[0]])
    edit(tmp_path, "DELETE FROM share WHERE spend = ?", [spend])
    edit(tmp_path, "DELETE FROM spend WHERE id = ?", [spend])
    [problem] = ledger.verify()
    assert "it is an older ledger, or another one" in problem
    (tmp_path / "artifacts" / NOTE).unlink()
    assert ledger.verify() == []
    assert ledger.head() == kept != noted
    assert ledger.verify(kept[1]) == []
    [problem] = ledger.verify(noted[1])
    assert noted[1] in problem


def test_a_chain_computed_anew_over_changed_tables_shows_only_to_who_noted_the_head(root):
    noted = open_ledger(root).head()
    found = entries(root)
    place = next(i for i, entry in enumerate(found) if entry[2] == "lose")
    spend, body = found[place][3], json.loads(found[place][4]) | {"flops": 0.0}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    found[place] = (*found[place][:4], text, *found[place][5:])
    put(root, chained(found))
    edit(root, "UPDATE spend SET flops = 0 WHERE id = ?", [spend])
    assert len(problems(root)) == 1
    (root / "artifacts" / NOTE).unlink()
    assert problems(root) == []
    assert open_ledger(root).head()[0] == noted[0]
    assert len(open_ledger(root).verify(noted[1])) == 1


@contextmanager
def only_while_running(budget: Spending, spend: str) -> Iterator[None]:
    """Expect the refusal of what is done to a spend that is over."""
    running = budget.beat(spend, Amount())
    with nullcontext() if running else pytest.raises(NotRunning):
        yield


operations = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("reserve", "extend", "beat", "settle", "lose", "expire", "resume"),
                *("publish", "raise", "refuse"),
            ]
        ),
        st.floats(0, 1e15, allow_subnormal=False),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations)
def test_a_ledger_that_only_its_own_code_has_written_verifies(tmp_path_factory, done):
    root = tmp_path_factory.mktemp("random")
    ledger = open_ledger(root)
    budget, running = ledger.spending, []
    for number, (operation, size) in enumerate(done):
        if operation == "reserve":
            free = Spender(
                *("free", "free/é\x1b", "all", "run", "cpu"),
                usd_per_device_hour=0.1,
                holder=ELSEWHERE,
            )
            running.append(budget.reserve(free, Amount(size, size)))
        elif operation == "refuse":
            with pytest.raises(OverCap):
                budget.reserve(STEP, Amount(1e20, 0.0))
        elif operation == "raise":
            cap = Cap("flops", 101.0 + size + number)
            if (stands := budget.standing("small")) is None or stands.cap != cap:
                budget.raise_cap(
                    "small", cap, actor="me", reason="it's \u2013 \U0001f600 \x1b worth it"
                )
        elif operation == "publish":
            publish(ledger, running.pop() if running else None, f"{number}")  # lost or not
        elif not running:
            continue
        elif operation == "extend":
            with only_while_running(budget, running[-1]):
                budget.extend(running[-1], Amount(size, 0.1))
        elif operation == "beat":
            budget.beat(running[-1], Amount(size, 0.1))
        elif operation == "settle":
            with only_while_running(budget, running[0]):
                budget.settle(running.pop(0), Cost(size, "detailed", "cpu", size / 3, 1.0))
        elif operation == "lose":
            budget.lose(spend=running[0], begun=Amount(size, size))
        elif operation == "resume":
            with suppress(NotRunning):  # it runs
                running[-1], _ = budget.resume(running[-1], Amount(size, size))
        elif operation == "expire":
            budget.beat(running[-1], Amount(1.0, 0.1), lease=timedelta(seconds=-1))
            assert budget.lose_expired() <= 1
        assert ledger.verify() == []
    assert ledger.verify() == []  # which makes the file where nothing has
    written = entries(root)
    assert written == chained(written)
    assert ledger.head() == ((written[-1][0], written[-1][-1]) if written else (0, "0" * 64))
