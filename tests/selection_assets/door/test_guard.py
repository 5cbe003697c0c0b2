"""What gets past the guard: nothing that another site's page can send, and what the UI sends."""

import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from asgi import Answer, ask, shake_hands
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from selection_assets.door.addresses import plan_door
from selection_assets.door.guard import LONGEST_BODY, REPORTS, Guard

HOST = "127.0.0.1:3000"
OWN = {"host": HOST, "origin": f"http://{HOST}"}
JSON = OWN | {"content-type": "application/json"}
QUERY = "query Look { runsOrError { __typename } }"
LAUNCH = "mutation Go { launchRun(executionParams: {}) { __typename } }"
REPORT = "mutation R { reportRunlessAssetEvents(eventParams: {}) { __typename } }"
TOKEN = "a-token-that-is-long-enough"

foreign_hosts = st.one_of(
    st.sampled_from(
        [
            *("127.0.0.1", "127.0.0.1:3001", "127.0.0.1:30000", "localhost", "localhost.:3000"),
            *("127.0.0.1:3000.evil.test", "evil.test:3000", "[::ffff:127.0.0.1]:3000", "0:3000"),
            *("127.0.0.1:3000,evil.test", "evil.test#127.0.0.1:3000", "a@127.0.0.1:3000", "null"),
            *("127.1:3000", "http://127.0.0.1:3000"),
        ]
    ),
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=30),
).filter(lambda host: host.lower() not in {HOST, "localhost:3000", "[::1]:3000"})
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
changing = st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
paths = st.sampled_from(["/", "/graphql", "/server_info", "/report_asset_check/a", "/runs/1"])


async def dagster(scope: Scope, receive: Receive, send: Send) -> None:
    """In place of Dagster's server: says which body it was given."""
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.accept(subprotocol="graphql-ws")
        return
    body = await Request(scope, receive).body()
    await PlainTextResponse(b"passed:" + body)(scope, receive, send)


LOCAL = Guard(dagster, plan_door("127.0.0.1", 3000, []))


def passes(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: str | bytes = b"",
    guard: Guard = LOCAL,
) -> bool:
    """Whether a request reaches the server; if not, it is told why."""
    sent = body.encode() if isinstance(body, str) else body
    answer = ask(guard, target, headers.items(), method=method, body=sent)
    if answer.status == 200:
        return answer.body == b"passed:" + sent
    assert_is_a_refusal(answer)
    return False


def assert_is_a_refusal(answer: Answer) -> None:
    assert answer.status == 403
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("refused: ") and answer.text.count("\n") == 1


def posted(document: object, **headers: str) -> bool:
    return passes("POST", "/graphql", JSON | headers, json.dumps({"query": document}))


@given(host=foreign_hosts, method=methods, path=paths)
def test_a_name_that_was_not_allowed_is_refused_whatever_it_asks(figures, host, method, path):
    assert not passes(method, path, JSON | {"host": host}, json.dumps({"query": QUERY}))
    figures.record("P12", hosts_refused=1)


@pytest.mark.parametrize("host", [HOST, "localhost:3000", "[::1]:3000", "LOCALHOST:3000"])
def test_the_names_of_this_machine_are_let_in(host):
    assert passes("GET", "/", {"host": host})
    own = {"host": host, "origin": f"http://{host.lower()}", "content-type": "application/json"}
    assert passes("POST", "/graphql", own, json.dumps({"query": LAUNCH}))


@given(
    origin=st.one_of(
        st.none(),
        foreign_hosts.map(lambda host: f"http://{host}"),
        st.sampled_from(["null", f"https://{HOST}", HOST, "http://localhost:3000", "file://"]),
    ),
    method=changing,
    path=paths,
)
def test_nothing_is_changed_from_another_origin_or_from_none(figures, origin, method, path):
    headers = JSON | {"origin": origin or ""}
    if origin is None:
        del headers["origin"]
    assert not passes(method, path, headers, json.dumps({"query": LAUNCH}))
    figures.record("P12", origins_refused=1)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_may_link_here_and_neither_ask_nor_show(site):
    link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert passes("GET", "/runs", OWN | link)
    assert not passes("GET", "/runs", OWN | link | {"sec-fetch-dest": "iframe"})
    assert not passes("GET", "/server_info", {"host": HOST, "sec-fetch-site": site})
    assert not posted(LAUNCH, **{"sec-fetch-site": site})
    assert posted(LAUNCH, **{"sec-fetch-site": "same-origin"})


@pytest.mark.parametrize(
    "path",
    ["/graphql", "/graphql/", "//graphql", "/GraphQL", "/%67raphql", "/graphql%0A", "/graphql%20"],
)
@pytest.mark.parametrize(
    "document",
    [
        LAUNCH,
        REPORT,
        f"{QUERY} {LAUNCH}",
        f"# only a query\n{LAUNCH}",
        "mutation{launchRun{__typename}}",
        "subscription { pipelineRunLogs { __typename } }",
        "fragment F on Mutation { launchRun { __typename } } mutation { ...F }",
        f"\ufeff{LAUNCH}",
        "fragment F on Query { version }",
        "{ unclosed",
        "[{}]",
        "",
        "{a" * 20_000,
    ],
)
def test_a_get_changes_nothing_however_the_path_and_the_document_are_spelt(figures, path, document):
    assert not passes("GET", f"{path}?query={quote(document)}", OWN)
    assert not passes("GET", f"{path}?query={quote(QUERY)}&query={quote(document)}", OWN)
    assert not passes("HEAD", f"{path}?query={quote(document)}&operationName=Look", OWN)
    assert not passes("GET", f"{path}?query={quote(document)}", OWN | {"accept": "text/html"})
    figures.record("P12", mutations_by_GET_refused=4)


def test_a_get_of_a_document_that_is_elsewhere_is_refused():
    assert not passes("GET", "/graphql?extensions=%7B%22persistedQuery%22%3A1%7D", OWN)
    assert passes("GET", "/graphql", OWN)  # the page in which a person writes documents
    assert passes("GET", f"/graphql?query={quote(QUERY)}", OWN)
    assert passes("GET", "/runs?query=mutation", OWN)  # a page's own parameter


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""),
        *("application/graphql", "text/plain; x=application/json", "application/jsonp"),
        *("application/json, text/plain", "application/json-patch+json"),
    ],
)
def test_a_document_that_is_not_sent_as_json_is_refused(figures, kind):
    query = f"/graphql?query={quote(LAUNCH)}"
    for path in ("/graphql", query):
        body = json.dumps({"query": LAUNCH})
        assert not passes("POST", path, OWN | {"content-type": kind}, body)
        figures.record("P12", forms_refused=1)
    assert not passes("POST", query, OWN)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([{"query": LAUNCH}]),
        json.dumps({"extensions": {"persistedQuery": {"sha256Hash": "0"}}}),
        json.dumps({"query": [QUERY]}),
        json.dumps({"query": "mutation {"}),
        "{",
        "",
        b"\xff",
        "[" * 100_000,
        b" " * (LONGEST_BODY + 1),
    ],
    ids=range(9),
)
def test_a_batch_and_what_nobody_can_read_are_refused(body):
    assert not passes("POST", "/graphql", JSON, body)


@pytest.mark.parametrize("name", ["materialization", "check", "observation"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reports_of_assets_from_outside_are_off(figures, name, method):
    assert not passes(method, f"/report_asset_{name}/small/pareto_frontier", JSON, b"{}")
    assert not posted(REPORT)
    hidden = "mutation { ...F } fragment F on Mutation { a: reportRunlessAssetEvents { b } }"
    assert not posted(hidden)
    figures.record("P12", reports_refused=3)


def test_every_mutation_that_reports_something_is_off():
    """As Dagster's own schema lists them: a new one is seen here."""
    from dagster_graphql.schema import create_schema

    known = create_schema().graphql_schema.mutation_type.fields
    reports = {name for name in known if name.lower().startswith("report")}
    assert reports == REPORTS
    for name in reports:
        assert not posted(f"mutation {{ {name}(eventParams: {{}}) {{ __typename }} }}")


def test_the_body_reaches_the_server_as_it_was_sent():
    body = json.dumps({"query": LAUNCH, "variables": {"text": "ü" * 100_000}}).encode()
    answer = ask(LOCAL, "/graphql", JSON.items(), method="POST", body=body, parts=100)
    assert answer.body == b"passed:" + body


def test_what_is_said_twice_is_refused():
    for name, value in (("host", HOST), ("origin", OWN["origin"]), ("content-type", "text/plain")):
        headers = [*JSON.items(), (name, value)]
        body = json.dumps({"query": LAUNCH}).encode()
        assert_is_a_refusal(ask(LOCAL, "/graphql", headers, method="POST", body=body))


def test_a_websocket_is_opened_from_the_ui_only(figures):
    assert shake_hands(LOCAL, "/graphql", OWN.items()).status == 101
    for wrong in (
        {"host": HOST},
        {"host": "evil.test:3000", "origin": "http://evil.test:3000"},
        OWN | {"origin": "http://127.0.0.1:8000"},
        OWN | {"origin": "null"},
        OWN | {"sec-fetch-site": "same-site"},
    ):
        assert_is_a_refusal(shake_hands(LOCAL, "/graphql", wrong.items()))
        figures.record("P12", websockets_refused=1)


def test_no_page_of_another_site_can_show_the_ui_in_a_frame():
    answer = ask(LOCAL, "/", OWN.items())
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """The UI of a server that others may open through a proxy."""
    monkeypatch.setenv("SELECTION_UI_TOKEN", TOKEN)
    return Guard(dagster, plan_door("127.0.0.1", 3000, ["https://selection.example"]))


THERE = {"host": "selection.example", "origin": "https://selection.example"}


@pytest.mark.parametrize("host", ["selection.example", HOST, "localhost:3000"])
def test_once_others_are_let_in_everybody_shows_the_token(figures, opened, host):
    """A request's `Host` is its own word: one from outside may well name this machine."""
    for cookie in ("", "selection_ui=", f"selection_ui={TOKEN[:-1]}", f"other={TOKEN}"):
        headers = {"host": host, "cookie": cookie}
        for target in ("/", "/graphql", "/?token=", f"/?token={TOKEN}x", "/?token=%FF"):
            assert not passes("GET", target, headers, guard=opened)
            figures.record("P12", without_token_refused=1)
    headers = {"host": host, "cookie": f"selection_ui={TOKEN}"}
    assert passes("GET", "/", headers, guard=opened)


def test_the_token_is_kept_in_a_cookie_that_no_page_reads_and_no_other_site_sends(opened):
    first = ask(opened, f"/?token={TOKEN}", [("host", "selection.example")])
    assert first.status == 200 and not first.text.startswith("passed")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"selection_ui={TOKEN};")
    for attribute in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"):
        assert attribute in cookie
    assert TOKEN not in first.text
    assert first.headers["referrer-policy"] == "no-referrer"

    shown = JSON | THERE | {"cookie": cookie.partition(";")[0]}
    body = json.dumps({"query": LAUNCH})
    assert passes("POST", "/graphql", shown, body, opened)
    assert shake_hands(opened, "/graphql", shown.items()).status == 101
    for origin in ("http://selection.example", f"http://{HOST}", "https://evil.example"):
        assert not passes("POST", "/graphql", shown | {"origin": origin}, body, opened)
    without = JSON | THERE
    assert shake_hands(opened, "/graphql", without.items()).status == 403


def test_a_token_in_the_address_changes_nothing_by_itself(opened):
    body = json.dumps({"query": LAUNCH})
    assert not passes("POST", f"/graphql?token={TOKEN}", JSON | THERE, body, opened)
