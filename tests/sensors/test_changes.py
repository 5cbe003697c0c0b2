"""What has changed since the last tick: the pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.changes import Seen, changes_since, read_cursor, remember, run_key

fingerprints = st.dictionaries(st.sampled_from("abcde"), st.sampled_from("12345"))


@given(before=fingerprints, now=fingerprints)
def test_every_name_is_new_or_changed_or_gone_or_left_alone(before, now):
    to_read, gone = changes_since(Seen(before), now)
    assert set(gone) == set(before) - set(now)
    assert set(now) - set(before) <= set(to_read) <= set(now)
    assert all(before[name] != now[name] for name in set(to_read) & set(before))
    untouched = set(now) - set(to_read)
    assert all(before[name] == now[name] for name in untouched)


@given(before=fingerprints, now=fingerprints)
def test_what_was_asked_for_is_not_asked_for_again(before, now):
    seen = remember(Seen(before), now, asked=True)
    assert changes_since(seen, now)[0] == []
    assert read_cursor(seen.to_cursor()) == seen


@pytest.mark.parametrize("cursor", [None, "", "{}", "[]", "7", "null", "no json", '{"asked": 1}'])
def test_a_cursor_that_says_nothing_counts_as_a_first_tick(cursor):
    assert read_cursor(cursor) is None


def test_a_run_key_repeats_with_its_tick_and_never_after_it():
    first = Seen({"a": "1"})
    later = remember(first, {"a": "2"}, asked=True)
    assert run_key("a", "2", first) == run_key("a", "2", first)
    # The file was put back with its old date: its fingerprint is an old one.
    assert run_key("a", "2", first) != run_key("a", "2", remember(later, {"a": "1"}, asked=True))
