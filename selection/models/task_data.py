"""Are the rows of a task of the harness such as cannot change unnoticed, its metrics its own?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selection.basics.brevity import some_of

_COMMIT = re.compile(r"[0-9a-f]{40}")


def check_metrics(name: str, config: Mapping[str, Any]) -> None:
    """See that a task's metrics are the harness's own; ValueError otherwise."""
    import lm_eval.api.metrics  # noqa: F401  (registers them)
    from lm_eval.api.registry import metric_registry

    own_results = config.get("process_results") is not None
    for metric in config.get("metric_list") or []:
        asked = metric.get("metric")
        known = not isinstance(asked, str) or own_results or asked in metric_registry
        if not known or metric.get("hf_evaluate"):
            raise ValueError(
                f"task {name} asks for the metric {asked!r}, which is none of the harness's own: it"
                " would be code from the hub, which is never run"
            )


def check_data(name: str, config: Mapping[str, Any], folder: Path | None) -> None:
    """See that a task's rows cannot change unnoticed; ValueError saying why they could.

    Parameters
    ----------
    folder : `include_path`, where files of rows lie.
    """
    options = config.get("dataset_kwargs") or {}
    if config.get("custom_dataset") is not None:
        raise ValueError(f"task {name} makes its rows by code; write them to a file beside it")
    files = files_of(options.get("data_files"))
    if files:
        # A link that leads out of the folder lies outside.
        real = folder and folder.resolve()
        outside = [f for f in files if not real or not Path(f).resolve().is_relative_to(real)]
        if outside:
            raise ValueError(
                f"task {name} reads {', '.join(some_of(outside))}; its rows must lie in"
                f" `include_path` ({folder}), where a change is noticed"
            )
        return
    data_set = str(config.get("dataset_path"))
    if _is_builder(data_set) or Path(data_set).exists():
        raise ValueError(
            f"task {name} reads {data_set!r}, which is no data set of the hub, without naming its"
            " rows; give `dataset_path: json` and the files beside its own as"
            " `dataset_kwargs: {data_files: ...}`"
        )
    if not _COMMIT.fullmatch(str(options.get("revision"))):
        raise ValueError(
            f"task {name} reads the data set {data_set!r} at no pinned commit; add"
            f" `revisions: {{{data_set}: <full 40-digit commit hash>}}` to `evaluation.harness`"
        )


def _is_builder(name: str) -> bool:
    """Whether `datasets` reads by this name whatever files lie where the process runs."""
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

    return name in _PACKAGED_DATASETS_MODULES


def map_files(files: Any, beside: Path) -> Any:
    """Give `data_files` (a name, a list of names, or a dict of either) absolute names."""
    if isinstance(files, Mapping):
        return {split: map_files(names, beside) for split, names in files.items()}
    if isinstance(files, list | tuple):
        return [map_files(file, beside) for file in files]
    return str(beside / str(files))


def files_of(files: Any) -> list[str]:
    """Return the names in `data_files`."""
    if files is None:
        return []
    if isinstance(files, Mapping):
        return [file for names in files.values() for file in files_of(names)]
    return [str(file) for file in files] if isinstance(files, list | tuple) else [str(files)]
