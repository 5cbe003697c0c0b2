"""Trainings that end without a look for garbage through everything that lives.

Before it trains, the Trainer has accelerate collect garbage of every age: for the trainings of
tests, which have a few rows, that takes longer than to train. What has just come to be is looked
through instead; Python looks through the rest when it thinks fit.
"""

import gc
from types import SimpleNamespace

from accelerate.utils import memory

memory.gc = SimpleNamespace(collect=lambda: gc.collect(1))  # pyright: ignore
