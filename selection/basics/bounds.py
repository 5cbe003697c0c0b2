"""How large may the numbers be that configurations and methods' options share?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What numpy, torch and transformers all take."""

Epochs = Annotated[int, Field(ge=1, le=1_000)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
LoraRank = Annotated[int, Field(ge=1, le=4_096)]
RowCount = Annotated[int, Field(ge=1, le=1_000_000_000)]
