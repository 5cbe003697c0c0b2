"""A page of another site that tries all that a page can send to drive the UI."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from selenium.webdriver import Chrome

LAUNCH = """
mutation {
  launchRun(executionParams: {
    selector: {
      repositoryName: "__repository__"
      repositoryLocationName: "selection_assets"
      pipelineName: "__ASSET_JOB"
      assetSelection: [{path: ["small", "target_examples"]}]
    }
    runConfigData: "{}"
  }) { __typename }
}
"""
"""Needs nothing of the page that sends it: what it does, any page could do."""

ATTACKS = """
const [ui, launch, report] = JSON.parse(document.getElementById("given").textContent);
const get = ui + "/graphql?query=" + encodeURIComponent(launch);
const body = JSON.stringify({query: launch});
const outcomes = {};
const settled = (name, promise) => promise.then(
  value => outcomes[name] = String(value), error => outcomes[name] = "failed: " + error.name);
const loaded = (element, place) => new Promise(resolve => {
  element.onload = () => resolve("loaded");
  element.onerror = () => resolve("error");
  place.append(element);
});
const picture = new Image(); picture.src = get;
const script = document.createElement("script"); script.src = get;
const frame = document.createElement("iframe"); frame.src = get;
const posted = (kind, target) => {
  const inside = document.createElement("iframe");
  inside.name = "frame-" + kind;
  document.body.append(inside);
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: target, enctype: kind, target: inside.name});
  const field = document.createElement("input");
  // In a form called text the body is `name=value`: this is JSON.
  field.name = '{"query": ' + JSON.stringify(launch) + ', "x": "';
  field.value = '"}';
  form.append(field);
  document.body.append(form);
  const answered = new Promise(resolve => inside.onload = () => resolve("answered"));
  form.submit();
  return answered;
};
const send = (target, options) => fetch(target, options).then(answer => answer.type);
const text = {"Content-Type": "text/plain; x=application/json"};
const socket = () => new Promise(resolve => {
  const opened = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
  opened.onopen = () => resolve("open");
  opened.onerror = () => resolve("refused");
});
Promise.all([
  settled("picture", loaded(picture, document.body)),
  settled("script", loaded(script, document.body)),
  settled("frame", loaded(frame, document.body)),
  settled("form", posted("application/x-www-form-urlencoded", get)),
  settled("text form", posted("text/plain", ui + "/graphql")),
  settled("file form", posted("multipart/form-data", get)),
  settled("get", send(get, {mode: "no-cors", credentials: "include"})),
  settled("post", send(get, {method: "POST", mode: "no-cors", credentials: "include"})),
  settled("text", send(ui + "/graphql", {method: "POST", mode: "no-cors", headers: text, body})),
  settled("json", send(ui + "/graphql",
    {method: "POST", headers: {"Content-Type": "application/json"}, body})),
  settled("beacon", Promise.resolve(navigator.sendBeacon(ui + "/graphql", body))),
  settled("report", send(report, {method: "POST", mode: "no-cors"})),
  settled("websocket", socket()),
]).then(() => document.title = JSON.stringify(outcomes));
"""
TRIED = 13


@contextmanager
def hostile_site(ui: str) -> Iterator[str]:
    """Serve the page on a port of its own, which is another origin.

    Parameters
    ----------
    ui : the address that it attacks.

    Yields
    ------
    str
        Address of the page.
    """
    report = f"{ui}/report_asset_materialization/small/target_examples"
    given = json.dumps([ui, LAUNCH, report])
    page = (
        f'<!doctype html><body><script type="application/json" id="given">{given}</script>'
        f"<script>{ATTACKS}</script>"
    ).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def outcomes(chrome: Chrome) -> dict[str, str] | None:
    """What became of each attempt, as the page saw it; None while it is still trying."""
    return json.loads(chrome.title) if chrome.title.startswith("{") else None
