"""The UI as a person meets it: the real Dagster server and a real browser without a window."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

PATIENCE = 180
"""Seconds a page, a server or a run may take before a wait gives up: two busy cores are slow."""

BIN = Path(sys.executable).parent


def missing_browser() -> str | None:
    """What the machine lacks to open a browser, or None when nothing does."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if not lacking:
        return None
    return f"{' and '.join(lacking)} not found; on Debian: apt-get install chromium-driver"


@dataclass(frozen=True)
class Server:
    """A running server: its address, its process, and the file with what it prints."""

    url: str
    process: subprocess.Popen
    log: Path

    def daemon(self) -> int | None:
        """Process id of the daemon that it has started."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            if "door.daemon" in Path(f"/proc/{child}/cmdline").read_text():
                return child
        return None


@contextmanager
def serving(
    command: Sequence[str | Path], home: Path, log: Path, **variables: str
) -> Iterator[str]:
    """Start a server as `started` does, for those who need its address only."""
    with started(command, home, log, **variables) as server:
        yield server.url


@contextmanager
def started(
    command: Sequence[str | Path], home: Path, log: Path, **variables: str
) -> Iterator[Server]:
    """Start a Dagster server on this machine only; stop it and its children at the end.

    Parameters
    ----------
    command : `selection ui`; host and port are added, and `{port}` in it is the port.
    home : `DAGSTER_HOME`.
    log : file for what the server prints.
    variables : further environment variables.

    Yields
    ------
    Server
    """
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(str(part).format(port=port) for part in command),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            env={**os.environ, "DAGSTER_HOME": str(home), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children share its group, so that none outlives it
        )
        try:
            server = Server(f"http://127.0.0.1:{port}", process, log)
            _wait_until_up(server)
            yield server
        finally:
            _stop(process)


@contextmanager
def browsing(profile: Path, *flags: str) -> Iterator[Chrome]:
    """Open Chromium without a window, with a new profile and further flags; close it at the end."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium is not None and driver is not None, missing_browser()
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",  # refused to root otherwise, which is who tests run as in a container
        "--disable-gpu",
        "--disable-dev-shm-usage",  # /dev/shm is tiny in a container
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1800,1000",
        f"--user-data-dir={profile}",
        *flags,
    ):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=ChromeService(executable_path=driver))
    try:
        chrome.set_page_load_timeout(PATIENCE)
        yield chrome
    finally:
        chrome.quit()


def asset_graph(chrome: Chrome, url: str, groups: Sequence[str]) -> None:
    """Open the graph of some asset groups, unfolded, from top to bottom."""
    # The page remembers how a person likes the graph; drawn downwards, a study fits one screen.
    chrome.get(f"{url}/server_info")
    chrome.execute_script(
        "localStorage.setItem('asset-graph-direction', JSON.stringify('vertical'));"
        "localStorage.setItem('asset-node-facets', JSON.stringify(['checks', 'status']));"
    )
    selection = urllib.parse.quote(" or ".join(f'group:"{group}"' for group in groups), safe="")
    unfolded = ",".join(f"global@global:{group}" for group in groups)
    chrome.get(f"{url}/asset-groups~{selection}?expanded={unfolded}")


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """Answer of the server's GraphQL interface."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json", "Origin": url},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/server_info", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it is up, and asks for more than this
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    printed = server.log.read_text(errors="replace")[-4000:]
    raise RuntimeError(f"the server did not come up; it printed:\n{printed}")


def _stop(process: subprocess.Popen) -> None:
    """Ask politely, as Ctrl-C would; then see that nothing of its group is left."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
