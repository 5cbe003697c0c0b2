"""In which formats, and in which kinds of file, can rows go out?"""

from __future__ import annotations

from typing import Literal, get_args

ExportFormat = Literal["original", "messages", "sharegpt", "alpaca", "prompt-completion", "text"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

Container = Literal["jsonl", "parquet"]
CONTAINERS: tuple[Container, ...] = get_args(Container)
