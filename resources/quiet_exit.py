"""Why does no process end with a page about leaks?

With torch loaded, the interpreter's end leaves the constants of DuckDB 2.0's module alive, and its
binding (nanobind) then writes a page of "leaked instances" to standard error: of every command, and
of every process that Dagster starts. Nothing is leaked. The page cannot be turned off from Python,
and is written when everything else has had its say; so standard error ends before it does.
"""

import atexit
import os
import sys


def _end_standard_error() -> None:
    """Let what is written from here on go nowhere: only the interpreter's own end comes after."""
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def leave_quietly() -> None:
    """Have this process end without that page; functions are called at exit last in, first out."""
    atexit.unregister(_end_standard_error)
    atexit.register(_end_standard_error)
