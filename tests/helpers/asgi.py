"""One request, or one websocket's handshake, given to an ASGI application as a server gives it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    """What came back; the status of an accepted websocket is 101."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    app: ASGIApp,
    target: str,
    headers: Iterable[tuple[str, str]],
    *,
    method: str = "GET",
    body: bytes = b"",
    parts: int = 1,
) -> Answer:
    """Make a request.

    Parameters
    ----------
    target : path and query as they stand in the request.
    parts : how many messages the body comes in.
    """
    size = max(1, -(-len(body) // parts))
    cut = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(cut)}
        for number, part in enumerate(cut, start=1)
    ]
    scope = _scope("http", target, headers) | {"method": method}
    sent = _exchange(app, scope, messages)
    return _answer(sent, "http.response")


def shake_hands(app: ASGIApp, target: str, headers: Iterable[tuple[str, str]]) -> Answer:
    """Ask for a websocket."""
    scope = _scope("websocket", target, headers) | {"subprotocols": ["graphql-ws"]}
    scope["extensions"] = {"websocket.http.response": {}}
    sent = _exchange(app, scope, [{"type": "websocket.connect"}])
    if sent[0]["type"] == "websocket.accept":
        return Answer(101, {}, b"")
    return _answer(sent, "websocket.http.response")


def _scope(kind: str, target: str, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 3000),
        "extensions": {},
    }


def _exchange(app: ASGIApp, scope: dict[str, Any], messages: list[dict[str, Any]]) -> list[Message]:
    sent: list[Message] = []
    waiting = iter(messages)
    gone = {"type": f"{scope['type']}.disconnect", "code": 1001}

    async def receive() -> Message:
        return next(waiting, gone)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # pyright: ignore
    return sent


def _answer(sent: list[Message], prefix: str) -> Answer:
    [start] = [message for message in sent if message["type"] == f"{prefix}.start"]
    headers: dict[str, str] = {}
    for raw_name, raw_value in start["headers"]:
        name, value = raw_name.decode(), raw_value.decode()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = b"".join(message["body"] for message in sent if message["type"] == f"{prefix}.body")
    return Answer(start["status"], headers, body)
