"""`selection ui` as a person starts it: alone, for others, and when its daemon dies."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import BIN, PATIENCE, Server, browsing, free_port, missing_browser, started
from command_line import selection
from hostile_page import LAUNCH, TRIED, hostile_site, outcomes
from reservations import wait_until
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from tiny_project import write_tiny_project

from resources.processes import is_alive
from resources.project import ROOT_VARIABLE

pytestmark = [
    pytest.mark.study,
    pytest.mark.skipif(missing_browser() is not None, reason=str(missing_browser())),
]

NAME = "box.test"
"""By which others open the UI; the browser is told that it is this machine."""
TOKEN = "only-for-those-who-may-come-in"
UI = [BIN / "selection", "ui"]
IN_THE_BACKGROUND = ["bash", "-c", 'trap "" INT; exec "$@"', "bash"]
"""What `&` makes of a command in a script: it ignores Ctrl-C, which is for others."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A UI that is open to others by a name and a token, over a project in which nothing ran."""
    root = tmp_path_factory.mktemp("opened")
    project = write_tiny_project(root / "project").root
    command = [*UI, "--allow-host", f"http://{NAME}:{{port}}"]
    variables = {ROOT_VARIABLE: str(project), "SELECTION_UI_TOKEN": TOKEN}
    with started(command, project / "dagster_home", root / "log", **variables) as opened:
        yield opened


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    rule = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    with browsing(tmp_path_factory.mktemp("profile"), rule) as driver:
        yield driver


def asked(chrome: Chrome, document: str) -> str:
    """What the UI's own page is answered."""
    return chrome.execute_async_script(
        "const done = arguments[1];"
        "fetch('/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        " body: JSON.stringify({query: arguments[0]})}).then(r => r.text())"
        ".then(done, error => done(String(error)));",
        document,
    )


def page(chrome: Chrome) -> str:
    return chrome.find_element(By.TAG_NAME, "body").text


def test_others_come_in_by_name_and_token_and_their_cookie_serves_no_other_page(
    figures, server, chrome
):
    own = server.url.replace("127.0.0.1", NAME)
    for address in (own, server.url):
        chrome.get(address)
        assert page(chrome).startswith("refused: this UI is open to other machines and asks for")

    chrome.get(f"{own}/?token={TOKEN}")
    WebDriverWait(chrome, PATIENCE).until(lambda _: "Deployment" in page(chrome), "the UI")
    assert TOKEN not in chrome.current_url
    assert chrome.execute_script("return document.cookie") == ""
    runs = "{ runsOrError { ... on Runs { results { runId } } } }"
    assert asked(chrome, runs) == '{"data":{"runsOrError":{"results":[]}}}'

    # A page of the same machine, to which browsers send the UI's cookie along.
    with hostile_site(own) as other:
        chrome.get(other.replace("127.0.0.1", NAME))
        WebDriverWait(chrome, PATIENCE).until(lambda _: outcomes(chrome), "its attempts")
        assert len(outcomes(chrome) or {}) == TRIED
    chrome.get(f"{own}/server_info")
    assert asked(chrome, runs) == '{"data":{"runsOrError":{"results":[]}}}'
    figures.record("P12", attempts_of_a_real_page=TRIED)
    assert "LaunchRunSuccess" in asked(chrome, LAUNCH)


def test_a_ui_whose_daemon_died_ends_and_says_so(server):
    """Else what people launch would wait for ever. Last, since it ends the server."""
    daemon = server.daemon()
    assert daemon is not None
    os.kill(daemon, signal.SIGKILL)
    assert server.process.wait(PATIENCE) == 1
    printed = server.log.read_text()
    assert f"Dagster on http://{NAME}:" in printed and "?token=$SELECTION_UI_TOKEN" in printed
    assert TOKEN not in printed
    assert "dagster-daemon ended by itself, with exit code -9" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(UI, id="alone", marks=pytest.mark.slow),
        pytest.param([*IN_THE_BACKGROUND, *UI], id="of a script"),
    ],
)
def test_a_ui_that_is_asked_to_end_takes_its_daemon_with_it(tmp_path: Path, command: list):
    project = write_tiny_project(tmp_path / "project").root
    home = project / "dagster_home"
    with started(command, home, tmp_path / "log", **{ROOT_VARIABLE: str(project)}) as server:
        daemon = server.daemon()
        assert daemon is not None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(daemon, 0)
    printed = server.log.read_text()
    assert printed.endswith("stopped\n") and "Traceback" not in printed


def test_a_second_ui_is_refused_and_a_daemon_outlives_no_ui(tmp_path: Path):
    """Two daemons take runs from each other, and start them by each other's code servers."""
    project = write_tiny_project(tmp_path / "project").root
    home, variables = project / "dagster_home", {ROOT_VARIABLE: str(project)}
    with started(UI, home, tmp_path / "log", **variables) as server:
        daemon = server.daemon()
        assert daemon is not None
        environment = {**os.environ, "DAGSTER_HOME": str(home), **variables}
        second = subprocess.run(
            [*UI, "--port", str(free_port())], env=environment, capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"another `selection ui` runs its daemon on {home}: end that one" in second.stderr
        server.process.kill()
        wait_until(lambda: not is_alive(daemon), PATIENCE)


def test_a_port_in_use_is_said_before_anything_is_loaded(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = selection("ui", "--port", str(port))
    assert result.exit_code == 2
    assert f"127.0.0.1 port {port} cannot be listened on: Address already in use" in result.output
    assert "give another --port" in result.output
