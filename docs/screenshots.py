"""Take the README's pictures from a finished study: its asset graph in the UI, and its frontier.

Run by hand, through `make screenshots`, after `make run`.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

# The browser is driven as the tests drive it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/helpers"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import BIN, PATIENCE, asset_graph, browsing, missing_browser, serving

from resources.project import project_root
from resources.store.artifacts import UNPARTITIONED
from resources.workspace import Workspace
from selection_assets.studies import load_study

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
GRAPH = "svg[class*=AssetGraphExplorer_svgContainer]"


def main() -> None:
    """Write `asset_graph.png` and `frontier.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="quickstart")
    parser.add_argument("--url", help="of a running UI; without it one is started, read-only")
    given = parser.parse_args()
    lacking = missing_browser()
    if lacking is not None:
        parser.error(lacking)
    study = load_study(given.study)
    frontier = Workspace().ledger.current(f"{study.name}/pareto_frontier", UNPARTITIONED)
    if frontier is None:
        parser.error(f"study {study.name!r} has not run: `selection run {study.name}` first")

    IMAGES.mkdir(exist_ok=True)
    shutil.copyfile(frontier.path("frontier.png"), IMAGES / "frontier.png")
    with (
        tempfile.TemporaryDirectory() as scratch,
        _ui(given.url, Path(scratch)) as url,
        browsing(Path(scratch) / "profile") as chrome,
    ):
        chrome.set_window_size(2800, 1500)
        asset_graph(chrome, url, [study.pool, study.name])
        _wait_until_settled(chrome)
        chrome.find_element(By.CSS_SELECTOR, GRAPH).screenshot(str(IMAGES / "asset_graph.png"))
    for picture in ("asset_graph.png", "frontier.png"):
        print(IMAGES / picture)


@contextmanager
def _ui(url: str | None, scratch: Path) -> Iterator[str]:
    """Address of the UI to photograph."""
    if url is not None:
        yield url.rstrip("/")
        return
    home = Path(os.environ.get("DAGSTER_HOME", project_root() / "dagster_home"))
    command = [BIN / "selection", "ui", "--read-only"]
    with serving(command, home, scratch / "server.log") as started:
        yield started


def _wait_until_settled(chrome: Chrome) -> None:
    """Wait until every asset is drawn with its state, and the picture stays as it is."""
    seen = [""]

    def settled(_: Chrome) -> bool:
        graphs = chrome.find_elements(By.CSS_SELECTOR, GRAPH)
        markup = graphs[0].get_attribute("outerHTML") if graphs else ""
        before, seen[0] = seen[0], markup or ""
        return bool(markup) and markup == before

    WebDriverWait(chrome, PATIENCE, poll_frequency=4).until(settled, "the graph never came to rest")


if __name__ == "__main__":
    main()
