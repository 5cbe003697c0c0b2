"""Forks runs of `selection`, or of a script, from a process that has imported everything.

A run that starts in milliseconds can be killed hundreds of times. The process only imports: no
tensor is computed and no thread of ours started before a fork. It reads one order a line and
answers with the run's process number, then with how it ended.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from typing import Any

IMPORTED = (
    *("dagster", "torch", "transformers", "sentence_transformers", "peft", "ot", "faiss"),
    *("sklearn", "datasets", "matplotlib.pyplot", "model2vec", "selection_assets.command.run"),
    *("selection_assets.definitions", "quick_storage", "distilled_once", "quick_probes"),
    "quick_trainings",
)


def main() -> None:
    """Serve orders until the input ends."""
    import_everything()
    _answer("ready")
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        _answer(child)
        _, status = os.waitpid(child, 0)
        _answer(os.waitstatus_to_exitcode(status))


def import_everything() -> None:
    """Import what studies use, which no collection of garbage then looks through again.

    Every training collects garbage, and most of what lives is imported modules.
    """
    # Some packages print when they are imported, and our output is for answers.
    with contextlib.redirect_stdout(sys.stderr):
        for name in IMPORTED:
            importlib.import_module(name)
        # What every run asks of the code itself, its versions, is then known.
        sys.modules["selection_assets.definitions"].build_definitions()
    gc.collect()
    gc.freeze()


def _run(order: dict[str, Any]) -> None:
    """Become a process of its own, of the `selection` command or of a script; never returns."""
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        printed = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.environ.update(order["environment"])
        sys.argv = ["selection", *order["arguments"]]
        runpy.run_path(order["script"], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(word: object) -> None:
    print(word, flush=True)


if __name__ == "__main__":
    main()
