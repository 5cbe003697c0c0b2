"""Any file name becomes a partition of its own, or is refused."""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.basics.file_names import LONGEST, printable_name
from selection.config.names import PARTITION_PATTERN
from selection.corpus.naming import MAX_BYTES, RESERVED, partition_name

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=18)
raw_names = st.binary(min_size=1, max_size=60) | texts.map(str.encode)
plain_names = st.from_regex(PARTITION_PATTERN, fullmatch=True).filter(
    lambda name: "..." not in name and name != RESERVED
)


@given(raw_names)
def test_a_name_s_bytes_come_back_from_its_partition(raw):
    assert unquote_to_bytes(partition_name(os.fsdecode(raw))) == raw


@given(st.lists(raw_names, unique=True, max_size=20))
def test_two_names_never_share_a_partition(names):
    assert len({partition_name(os.fsdecode(raw)) for raw in names}) == len(names)


@given(plain_names)
def test_names_that_were_partitions_before_stay_as_they_are(name):
    assert partition_name(name) == name


@given(raw_names)
def test_a_partition_is_one_for_dagster_for_a_file_system_and_for_a_shell(raw):
    name = partition_name(os.fsdecode(raw))
    assert re.fullmatch(r"[A-Za-z0-9%][A-Za-z0-9%_.-]*", name)
    assert name not in {RESERVED, ".", ".."}
    assert len(name) <= MAX_BYTES
    assert printable_name(name) == name
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("sources", [name])
        assert instance.get_dynamic_partitions("sources") == [name]


@given(raw_names)
def test_what_is_printed_of_a_name_drives_no_terminal(raw):
    assert printable_name(os.fsdecode(raw)).isprintable()


def test_of_a_long_name_beginning_and_end_are_printed():
    shown = printable_name("begin" + "x" * 10**6 + "end")
    assert len(shown) <= LONGEST + 1
    assert shown.startswith("begin") and shown.endswith("end")
    assert len(printable_name("\0" * 10**6)) < 10 * LONGEST


@pytest.mark.parametrize(
    ("name", "said"), [("", "empty"), ("x" * 241, "241"), ("\u00e9" * 81, "486")]
)
def test_a_name_that_cannot_be_a_partition_is_refused_with_its_length(name, said):
    with pytest.raises(ValueError, match=said):
        partition_name(name)


def test_the_longest_name_that_is_taken_can_be_a_folder(tmp_path: Path):
    (tmp_path / partition_name("\u00e9" * 40)).mkdir()
    (tmp_path / partition_name("x" * MAX_BYTES)).mkdir()
