"""Is a request to the UI from the UI itself, and may it do what it asks for?

Dagster's server asks nobody who they are, takes changes by GET, and looks at neither `Host` nor
`Origin`: any page that a browser on this machine shows could drive it. The guard stands before it.
"""

import json
import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selection_assets.door.addresses import Door
from selection_assets.door.documents import Document, UnreadableDocument, read_document

COOKIE = "selection_ui"
READS = ("GET", "HEAD")
GRAPHQL = "/graphql"
REPORTS = frozenset({"reportRunlessAssetEvents", "reportAssetCheckEvaluations"})
"""Mutations that note a materialization, or a check that passed, which never was."""
LONGEST_BODY = 16 * 2**20
HEADERS = {
    "content-security-policy": "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""What keeps other pages from showing the UI in a frame, or its answers as part of themselves."""

WELCOME = '<!doctype html><meta http-equiv="refresh" content="0; url=/"><a href="/">Dagster</a>'
"""The page itself leads on: after a redirect from elsewhere a strict cookie would not be sent."""


class Refused(Exception):
    """A request that is not passed on; the message says why, and what would be."""


class Guard:
    """An ASGI application that lets through what belongs to the UI, and answers the rest with 403.

    Parameters
    ----------
    app : Dagster's server.
    door : who is let in.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one websocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        try:
            origins = self._see_host(request)
            _see_who_leads_here(request)
            if self._brings_token(request):
                await self._welcome(scope, receive, _with_headers(send))
                return
            self._see_token(request)
            if scope["type"] == "websocket":
                _see_origin(request, origins)
            elif scope["method"] in READS:
                _see_that_it_reads(request)
            else:
                _see_origin(request, origins)
                receive = await _see_what_it_changes(request, receive)
        except Refused as refusal:
            answer = PlainTextResponse(f"refused: {refusal}\n", 403)
            await answer(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _see_host(self, request: HTTPConnection) -> list[str]:
        """See by which name it asks, and return the addresses with it.

        A name that somebody lets resolve to this machine gets a page past the browser's own walls.
        """
        hosts = request.headers.getlist("host")
        origins = self._door.origins_of(hosts[0]) if len(hosts) == 1 else []
        if not origins:
            raise Refused(
                f"the UI answers at {', '.join(self._door.origins)} and not at"
                f" {_shown(', '.join(hosts))}; to open it by another name, start it with"
                " `selection ui --allow-host ADDRESS`"
            )
        return origins

    def _brings_token(self, request: HTTPConnection) -> bool:
        token = self._door.token
        if token is None or request.scope.get("method") != "GET":
            return False
        return _same(request.query_params.get("token", ""), token)

    async def _welcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the token in a cookie, and lead to an address that does not show it."""
        assert self._door.token is not None
        page = HTMLResponse(
            WELCOME, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"}
        )
        [first, *_] = self._door.origins_of(HTTPConnection(scope).headers["host"])
        page.set_cookie(
            COOKIE,
            self._door.token,
            secure=first.startswith("https://"),
            httponly=True,
            samesite="strict",
        )
        await page(scope, receive, send)

    def _see_token(self, request: HTTPConnection) -> None:
        token = self._door.token
        if token is not None and not _same(request.cookies.get(COOKIE, ""), token):
            raise Refused(
                "this UI is open to other machines and asks for a token: open the address with"
                " `?token=` that `selection ui` printed when it started"
            )


def _see_who_leads_here(request: HTTPConnection) -> None:
    """Let another site's page lead here by a link, and neither ask nor show anything itself."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    a_link = (
        request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
        and request.scope.get("method") in READS
    )
    if site not in ("same-origin", "none") and not a_link:
        raise Refused(
            "another site's page asks (Sec-Fetch-Site says so), and only the UI's own pages may"
        )


def _see_origin(request: HTTPConnection, origins: list[str]) -> None:
    given = request.headers.getlist("origin")
    if len(given) != 1 or given[0] not in origins:
        raise Refused(
            f"what changes something must come from the UI's own pages, with `Origin:"
            f" {origins[0]}`, and this has {_shown(', '.join(given)) if given else 'none'}"
        )


def _see_that_it_reads(request: HTTPConnection) -> None:
    """See that a GET changes nothing: pages and pictures of other sites can make one."""
    # However it is spelt: whether a route matches is for the server to say.
    if request.scope["path"].strip("/ \t\r\n").lower() != GRAPHQL.strip("/"):
        return
    texts = request.query_params.getlist("query")
    if request.query_params and not texts:
        raise Refused("a GET of /graphql needs `query`, the whole document")
    for text in texts:
        if not _read(text).only_reads:
            raise Refused("a GET may only read; send mutations and subscriptions by POST")


async def _see_what_it_changes(request: HTTPConnection, receive: Receive) -> Receive:
    """See that a change is one document in JSON, and reports nothing that was never made.

    Returns
    -------
    Receive
        Gives the server the body, which has been read.
    """
    if request.scope["path"] != GRAPHQL or request.scope["method"] != "POST":
        raise Refused(
            f"only POST of {GRAPHQL} may change something; reports of assets from outside are off,"
            " since the ledger knows only what the pipeline has made"
        )
    kinds = request.headers.getlist("content-type")
    # A form, and JSON called text, are what other sites' pages may send without asking.
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != "application/json":
        raise Refused(
            f"a document must be sent as `Content-Type: application/json`, and this is"
            f" {_shown(', '.join(kinds)) if kinds else 'of no type'}"
        )
    body = await _body(receive)
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("the body is not JSON") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        raise Refused("the body must be one object with `query`, the whole document")
    if _read(asked["query"]).fields & REPORTS:
        raise Refused(
            "reports of assets from outside are off, since the ledger knows only what the pipeline"
            " has made; materialize the asset"
        )
    return _replayed(body, receive)


def _read(text: str) -> Document:
    try:
        return read_document(text)
    except UnreadableDocument as error:
        raise Refused(f"`query` is not a GraphQL document: {_shown(str(error))}") from error


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("the body ended early")
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            raise Refused(f"the body has more than {LONGEST_BODY:,} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                # Beside what Dagster itself sends: of two policies both hold.
                headers.append(name, value)
        await send(message)

    return sending


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _shown(text: str) -> str:
    """A value of the request, short and without what would drive a terminal."""
    return repr(text[:100])
