"""What a person does in the UI, done by a real browser on a real server and a finished study."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg
import pytest
from browser import BIN, PATIENCE, ask, asset_graph, browsing, missing_browser, serving
from hostile_page import LAUNCH, TRIED, hostile_site, outcomes
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from small_project import Project, enter

from resources.project import ROOT_VARIABLE
from resources.store.artifacts import UNPARTITIONED
from selection.reports.tables import markdown_table
from selection_assets.refresh.partitions import register_sources, sources_of
from selection_assets.studies import load_pools

pytestmark = pytest.mark.skipif(missing_browser() is not None, reason=str(missing_browser()))

Shown = TypeVar("Shown")
ELSEWHERE = "rebound.test"
"""A name that the browser is told to look for on this machine, as its owner's server would say."""
LAUNCH_WITH_CONFIG = "mutation ($config: RunConfigData) " + LAUNCH.replace(
    "mutation", "", 1
).replace('"{}"', "$config").replace(
    "{ __typename }", "{ __typename ... on RunConfigValidationInvalid { errors { message } } }"
)
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
HOSTILE = (
    "<script>window.attacked = 1</script>"
    " <img src='nowhere' onerror='window.attacked = 1'>"
    " [click](javascript:window.attacked=1) **all** of this | is text"
)


@pytest.fixture(scope="module")
def used(finished_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the finished project: its study was edited since, and a hostile source came."""
    root = tmp_path_factory.mktemp("browser") / "project"
    shutil.copytree(finished_root, root)
    study = root / "studies/small.yaml"
    study.write_text(study.read_text().replace("train: 40", "train: 30"))
    (root / "drop/hostile.jsonl").write_text(json.dumps({"text": HOSTILE}) + "\n")
    with contextmanager(enter)(Project(root)) as project:
        yield project


@pytest.fixture(scope="module")
def reported(used: Project) -> str:
    """Text of the hostile row, as the pipeline read it and as a report on the frontier shows it."""
    with used.instance() as instance:
        pool = load_pools()["library"]
        register_sources(pool, sources_of(pool, used.ledger), instance)
        job = used.definitions.resolve_implicit_global_asset_job_def()
        corpus = dg.AssetKey(["library", "raw_corpus"])
        assert job.execute_in_process(
            asset_selection=[corpus], partition_key="hostile", instance=instance
        ).success
        artifact = used.ledger.current(corpus.to_user_string(), "hostile")
        assert artifact is not None
        [text] = artifact.table("rows.parquet")["text"].to_pylist()
        report = markdown_table(["row", "text"], [[1, text]])
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                ["small", "pareto_frontier"], metadata={"chosen": dg.MetadataValue.md(report)}
            )
        )
    return text


@pytest.fixture(scope="module")
def ui(used: Project, reported: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server that `make ui` starts, over the copy."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    command = [BIN / "selection", "ui"]
    home = used.root / "dagster_home"
    with serving(command, home, log, **{ROOT_VARIABLE: str(used.root)}) as url:
        yield url


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    rule = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
    with browsing(tmp_path_factory.mktemp("profile"), rule) as driver:
        yield driver


def test_the_asset_graph_shows_every_asset_of_a_study_by_its_name(used, ui, chrome):
    keys = used.definitions.resolve_asset_graph().get_all_asset_keys()
    names = {key.path[-1] for key in keys}
    assert {"raw_corpus", "ot_scores", "pareto_frontier"} <= names
    asset_graph(chrome, ui, ["library", "small"])
    _wait(chrome, lambda: not _unseen(names, _page_text(chrome)), f"assets {sorted(names)}")


def test_an_asset_materialized_from_the_page_succeeds_and_is_in_the_ledger(used, ui, chrome):
    before = used.ledger.current("small/target_examples", UNPARTITIONED)
    known = _run_ids(ui)
    asset_graph(chrome, ui, ["library", "small"])
    _element(chrome, "//*[text()='target_examples']").click()
    _element(chrome, "//button[contains(., 'Materialize selected')]").click()

    _wait(chrome, lambda: _run_ids(ui) - known, "a new run")
    [run_id] = _run_ids(ui) - known
    _wait(chrome, lambda: _status(ui, run_id) in FINISHED, f"the end of run {run_id}")
    assert _status(ui, run_id) == "SUCCESS"
    chrome.get(f"{ui}/runs/{run_id}")
    _wait(chrome, lambda: "Success" in _page_text(chrome), "the run's page to say Success")

    # Nothing followed by itself: automation is off until somebody turns it on.
    assert _run_ids(ui) - known == {run_id}
    after = used.ledger.current("small/target_examples", UNPARTITIONED)
    assert before is not None and after is not None
    assert before.version != after.version
    assert after.table("rows.parquet")["split"].to_pylist().count("train") == 30


def test_a_row_with_a_script_in_a_report_is_shown_as_text_and_does_not_run(reported, ui, chrome):
    assert "<script>" in reported
    chrome.get(f"{ui}/assets/small/pareto_frontier")
    cell = _element(chrome, "//td[contains(., 'attacked') and not(.//td)]")

    assert cell.text == reported
    assert cell.find_elements(By.CSS_SELECTOR, "script, img, a, strong") == []
    assert chrome.execute_script("return window.attacked") is None


def test_a_page_of_another_site_starts_nothing_and_reports_nothing(figures, ui, chrome):
    before = _run_ids(ui), _reported(ui)
    with hostile_site(ui) as page:
        for address in (page, page.replace("127.0.0.1", ELSEWHERE)):
            chrome.get(address)
            tried = _wait(chrome, lambda: outcomes(chrome), "end of its attempts")
            assert tried is not None and len(tried) == TRIED
            assert tried["websocket"] == "refused"
            assert tried["json"].startswith("failed")  # it may not even ask
            assert (_run_ids(ui), _reported(ui)) == before
            figures.record("P12", attempts_of_a_real_page=TRIED)

        # The same document, from the UI itself, starts a run.
        chrome.get(f"{ui}/server_info")
        body = json.dumps({"query": LAUNCH})
        answer = chrome.execute_async_script(
            "const done = arguments[1];"
            "fetch('/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'},"
            " body: arguments[0]}).then(r => r.text()).then(done, e => done(String(e)));",
            body,
        )
        assert "LaunchRunSuccess" in answer
    assert len(_run_ids(ui)) == len(before[0]) + 1


def test_a_name_that_was_let_resolve_to_this_machine_shows_nothing(ui, chrome):
    port = ui.rpartition(":")[2]
    chrome.get(f"http://{ELSEWHERE}:{port}/graphql?query=%7Bversion%7D")
    assert _page_text(chrome).startswith(f"refused: the UI answers at {ui}")
    assert f"not at '{ELSEWHERE}:{port}'" in _page_text(chrome)


def test_a_launch_that_names_another_store_is_refused_by_its_field(ui, tmp_path):
    before = _run_ids(ui)
    config = {"resources": {"workspace": {"config": {"root": str(tmp_path / "other")}}}}
    answer = ask(ui, LAUNCH_WITH_CONFIG, config=json.dumps(config))["launchRun"]
    assert answer["__typename"] == "RunConfigValidationInvalid"
    [error] = answer["errors"]
    assert 'unexpected config entry "root" at path root:resources:workspace' in error["message"]
    assert _run_ids(ui) == before
    assert not (tmp_path / "other").exists()


def _reported(url: str) -> list[str]:
    """When an asset that the page reports about was materialized, as the UI believes."""
    answer = ask(
        url,
        '{ assetOrError(assetKey: {path: ["small", "target_examples"]}) {'
        " ... on Asset { assetMaterializations { timestamp } } } }",
    )
    return [event["timestamp"] for event in answer["assetOrError"]["assetMaterializations"]]


def _runs(url: str) -> list[dict[str, str]]:
    answer = ask(url, "{ runsOrError { ... on Runs { results { runId status } } } }")
    return answer["runsOrError"]["results"]


def _run_ids(url: str) -> set[str]:
    return {run["runId"] for run in _runs(url)}


def _status(url: str, run_id: str) -> str:
    [status] = [run["status"] for run in _runs(url) if run["runId"] == run_id]
    return status


def _page_text(chrome: Chrome) -> str:
    return chrome.find_element(By.TAG_NAME, "body").text


def _unseen(names: set[str], text: str) -> set[str]:
    """Names that are not in the text; the graph cuts the middle out of long ones."""
    shown = text.split()
    cut = [line.split("…") for line in shown if "…" in line]
    return {
        name
        for name in names - set(shown)
        if not any(name.startswith(parts[0]) and name.endswith(parts[-1]) for parts in cut)
    }


def _element(chrome: Chrome, xpath: str) -> WebElement:
    """The first element that a person could click."""

    def ready() -> list[WebElement]:
        found = chrome.find_elements(By.XPATH, xpath)
        return [element for element in found if element.is_displayed() and element.is_enabled()]

    return _wait(chrome, ready, xpath)[0]


def _wait(chrome: Chrome, condition: Callable[[], Shown], what: str) -> Shown:
    """Wait for what the page or the server is to show; a failure says what it showed instead."""
    waiting = WebDriverWait(chrome, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
    try:
        return waiting.until(lambda _: condition())
    except TimeoutException as error:
        raise AssertionError(f"no {what} on the page:\n{_page_text(chrome)}") from error
