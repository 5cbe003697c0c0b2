"""Rates are measured once a device and key, and a damaged memory of one is an error."""

import json

import pytest

from resources.throughput import Throughput
from selection.planning.measuring import Probed
from selection.planning.rates import Rate

KEY = {"layers": 3, "labels": ("a", "b"), "recipe": {"batch_size": 16, "lora_rank": None}}


class Measured:
    """A measurement that counts how often it was asked for."""

    def __init__(self, seconds: float = 0.25) -> None:
        self.times, self.seconds = 0, seconds

    def __call__(self) -> Probed:
        self.times += 1
        return Probed(Rate(self.seconds, 1e-11), flops=5e9, seconds=2.0)


def test_a_rate_is_measured_once_and_read_again_by_another_process(tmp_path):
    measured = Measured()
    first, second = (Throughput(tmp_path / "rates", "CPU, 2 threads") for _ in range(2))
    rate = first.rate("training", KEY, measured)
    assert rate == Rate(0.25, 1e-11)
    assert first.rate("training", KEY, measured) == rate
    assert second.rate("training", KEY, measured) == rate
    assert measured.times == 1
    assert (first.flops_spent, second.flops_spent) == (5e9, 0)


@pytest.mark.parametrize(
    ("device", "kind", "key"),
    [
        ("NVIDIA H200", "training", KEY),
        ("CPU, 2 threads", "evaluation", KEY),
        ("CPU, 2 threads", "training", {**KEY, "layers": 4}),
    ],
)
def test_another_device_kind_or_key_is_measured_anew(device, kind, key, tmp_path):
    Throughput(tmp_path, "CPU, 2 threads").rate("training", KEY, Measured())
    measured = Measured(0.5)
    assert Throughput(tmp_path, device).rate(kind, key, measured).fixed_seconds == 0.5
    assert measured.times == 1


def test_the_order_of_a_key_s_names_does_not_matter(tmp_path):
    throughput, measured = Throughput(tmp_path, "CPU, 2 threads"), Measured()
    throughput.rate("training", KEY, measured)
    throughput.rate("training", dict(reversed(KEY.items())), measured)
    assert measured.times == 1


def test_the_file_says_what_was_measured_where_and_when(tmp_path):
    Throughput(tmp_path, "CPU, 2 threads").rate("training", KEY, Measured())
    (file,) = tmp_path.iterdir()
    record = json.loads(file.read_text())
    assert (record["device"], record["kind"], record["flops"]) == (
        "CPU, 2 threads",
        "training",
        5e9,
    )
    assert record["key"]["layers"] == 3
    assert record["measured_at"].endswith("+00:00")


def test_what_is_not_known_is_not_measured_when_only_asked_for(tmp_path):
    throughput = Throughput(tmp_path, "CPU, 2 threads")
    assert throughput.known("training", KEY) is None
    rate = throughput.rate("training", KEY, Measured())
    assert throughput.known("training", KEY) == rate
    assert Throughput(tmp_path, "NVIDIA H200").known("training", KEY) is None


@pytest.mark.parametrize("damage", ["", "{}", "[1]", "other device", "negative"])
def test_a_damaged_file_is_an_error_that_names_it_and_the_remedy(damage, tmp_path):
    throughput = Throughput(tmp_path, "CPU, 2 threads")
    throughput.rate("training", KEY, Measured())
    (file,) = tmp_path.iterdir()
    record = json.loads(file.read_text())
    if damage == "other device":
        damage = json.dumps({**record, "device": "another"})
    elif damage == "negative":
        damage = json.dumps({**record, "rate": {"fixed_seconds": -1, "seconds_per_flop": 0}})
    file.write_text(damage)
    with pytest.raises(ValueError, match=rf"{file.name}.*delete it to measure again"):
        throughput.rate("training", KEY, Measured())


def test_a_kind_of_work_that_nobody_knows_is_neither_measured_nor_looked_for(tmp_path):
    throughput = Throughput(tmp_path, "CPU, 2 threads")
    with pytest.raises(ValueError, match="no kind of work 'trianing'"):
        throughput.rate("trianing", KEY, Measured())
    with pytest.raises(ValueError, match="no kind of work 'trianing'"):
        throughput.known("trianing", KEY)
