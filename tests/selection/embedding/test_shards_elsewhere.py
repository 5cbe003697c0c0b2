"""Shards that workers of Ray have embedded are those that this process embeds."""

from importlib.util import find_spec

import numpy as np
import pytest
from random_static import random_static
from real_texts import generated_texts

from selection.basics.engine import HERE, Engine
from selection.basics.ray_engine import RayEngine
from selection.budget.meter import Meter
from selection.embedding.shards import encode_in_shards
from selection.embedding.static import StaticEmbedder

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: the extra `ray`")

WIDTH, SIZE = 16, 20


class Counted(Meter):
    """A meter that notes what it is charged."""

    def __init__(self) -> None:
        self.charges: list[float] = []

    def affords(self, flops: float) -> bool:
        return True

    def charge(self, flops: float) -> None:
        self.charges.append(flops)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    return random_static(tmp_path_factory.mktemp("static"), WIDTH)


def test_vectors_charges_and_progress_are_the_same(embedder, tmp_path):
    texts = [text for topic in generated_texts(50).values() for text in topic]

    def embedded(engine: Engine) -> tuple[list, list[float], int]:
        taken, seen, meter = [], [], Counted()
        encode_in_shards(
            embedder,
            texts,
            version="v",
            folder=tmp_path / type(engine).__name__,
            take=lambda vectors, has_vector: taken.append((vectors.copy(), has_vector.copy())),
            size=SIZE,
            report=seen.append,
            meter=meter,
            engine=engine,
        )
        return taken, meter.charges, sum(seen)

    here, there = embedded(HERE), embedded(RayEngine(workers=2))
    assert here[1:] == there[1:] and here[2] == len(texts)
    for (vectors, has), (vectors_there, has_there) in zip(here[0], there[0], strict=True):
        assert np.array_equal(vectors, vectors_there) and np.array_equal(has, has_there)
