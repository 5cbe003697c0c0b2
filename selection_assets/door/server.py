"""Dagster's server behind the guard, and its daemon beside it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import uvicorn
import yaml
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import (
    DEFAULT_DB_STATEMENT_TIMEOUT,
    DEFAULT_POOL_MAX_OVERFLOW,
    DEFAULT_POOL_RECYCLE,
)
from dagster_webserver.version import __version__

from resources.store.held_folder import try_hold
from selection_assets.door.addresses import Door
from selection_assets.door.guard import Guard

CODE_LOG_LEVEL = "warning"
POLL_MS = 2000
"""How often a page asks for what is new; Dagster's own default."""
SECONDS_TO_END = 30
SECONDS_TO_ANSWER = 5


class DaemonEnded(RuntimeError):
    """The daemon, without which nothing that the UI launches starts, ended by itself."""


class DaemonThere(RuntimeError):
    """Another UI runs a daemon on the same history: two would take runs from each other."""


def listen(host: str, port: int) -> socket.socket:
    """Take the address, so that a port in use is known before anything is loaded.

    Raises
    ------
    OSError
        When it is not to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def serve(door: Door, listening: socket.socket, *, workspace: Path, read_only: bool) -> None:
    """Serve until asked to stop; what was started here is stopped with it.

    Parameters
    ----------
    workspace : `workspace.yaml`, which names the code location.
    read_only : change nothing, and run no daemon.

    Raises
    ------
    DaemonEnded
        When the daemon ends by itself.
    DaemonThere
        When another UI runs one on the same history.
    """
    # A server that is asked to end otherwise, as by a service manager, ends as by Ctrl-C; and one
    # that a script has started in the background, whose shell has it ignore that, ends as well.
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    home = Path(os.environ["DAGSTER_HOME"])
    hold = None if read_only else try_hold(home)
    if hold is None and not read_only:
        raise DaemonThere(
            f"another `selection ui` runs its daemon on {home}: end that one, or open this one with"
            " --read-only"
        )
    with dg.DagsterInstance.get() as instance, _code_servers(instance, workspace) as served:
        instance.optimize_for_webserver(
            DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW
        )
        with WorkspaceProcessContext(
            instance,
            WorkspaceFileTarget([str(served)]),
            version=__version__,
            read_only=read_only,
            code_server_log_level=CODE_LOG_LEVEL,
        ) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MS)
            config = uvicorn.Config(
                Guard(app, door),
                log_level="warning",  # a log of requests would keep the token
                lifespan="off",
                proxy_headers=False,  # what a request says of itself decides nothing
                timeout_graceful_shutdown=SECONDS_TO_ANSWER,
            )
            server = uvicorn.Server(config)
            if read_only:
                server.run(sockets=[listening])
            else:
                _run_beside_daemon(server, listening, served)


@contextmanager
def _code_servers(instance: dg.DagsterInstance, workspace: Path) -> Iterator[Path]:
    """Load the code location once for server and daemon, as `dg dev` does.

    Yields
    ------
    Path
        The file that tells both where it is served.
    """
    target = WorkspaceFileTarget([str(workspace)])
    with (
        ProxyServerManager(instance, target, code_server_log_level=CODE_LOG_LEVEL) as manager,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "workspace.yaml"
        specs = [dict(spec) for spec in manager.get_code_server_specs()]
        file.write_text(yaml.safe_dump({"load_from": specs}), encoding="utf-8")
        yield file


def _run_beside_daemon(server: uvicorn.Server, listening: socket.socket, workspace: Path) -> None:
    options = ["--workspace", str(workspace), "--code-server-log-level", CODE_LOG_LEVEL]
    daemon = subprocess.Popen(
        [sys.executable, "-P", "-m", "selection_assets.door.daemon", "run", *options],
        stdin=subprocess.PIPE,  # by whose end it knows ours
    )

    def end_with_it() -> None:
        daemon.wait()
        server.should_exit = True

    threading.Thread(target=end_with_it, daemon=True).start()
    try:
        server.run(sockets=[listening])
        if daemon.poll() is not None:
            raise DaemonEnded(f"dagster-daemon ended by itself, with exit code {daemon.returncode}")
    finally:
        daemon.terminate()
        try:
            daemon.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
