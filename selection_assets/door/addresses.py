"""At which addresses does the UI answer, and who must show a token?"""

import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from selection.config.files import ConfigurationError

TOKEN_VARIABLE = "SELECTION_UI_TOKEN"
HOST_PATTERN = r"[a-z0-9_.:-]+"
"""Names as browsers write them, and addresses of IPv4 and IPv6."""
TOKEN_PATTERN = r"[A-Za-z0-9_-]{20,}"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Door:
    """Who is let in.

    Attributes
    ----------
    origins : addresses of the UI as a browser writes them, such as `http://127.0.0.1:3000`.
    shown : those that a person is told.
    token : what every request must show; None where only this machine is let in.
    """

    origins: tuple[str, ...]
    shown: tuple[str, ...]
    token: str | None = None

    def origins_of(self, host: str) -> list[str]:
        """Addresses with this value of the header `Host`; none where it is not let in."""
        return [origin for origin in self.origins if host_of(origin) == host.lower()]


def plan_door(host: str, port: int, allowed: Sequence[str]) -> Door:
    """Decide who is let in by a server that listens on `host` and `port`.

    As soon as anybody but this machine is, all must show the token: the name by which a request
    asks for the server is the request's own word, and a proxy's requests come from this machine.
    A token in `$SELECTION_UI_TOKEN` is asked for in any case.

    Parameters
    ----------
    allowed : further addresses: `https://selection.example`, or `box:3000` for `http://box:3000`.

    Raises
    ------
    ConfigurationError
        When others could reach it and no address is given for them, an address is none, or the
        token that the environment gives is too short.
    """
    local = is_loopback(host)
    if not local and not allowed:
        raise ConfigurationError(
            f"--host {host} lets other machines in: say by which address they open the UI, such as"
            f" --allow-host http://my-machine:{port}; it then asks for a token"
        )
    names = [_bracketed(host), *LOOPBACK] if local else LOOPBACK
    here = [parse_origin(f"http://{name}:{port}") for name in names]
    further = [parse_origin(address) for address in allowed]
    return Door(
        origins=tuple(dict.fromkeys([*here, *further])),
        shown=(*here[:local], *further),
        token=_token(wanted=bool(allowed)),
    )


def parse_origin(address: str) -> str:
    """Write an address as browsers do: scheme, host in lower case, and the port unless usual.

    Raises
    ------
    ConfigurationError
        When it is not the address of a host.
    """
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    whole = parts.scheme in DEFAULT_PORTS and parts.hostname and parts.path in ("", "/")
    extra = parts.query or parts.fragment or parts.username is not None
    if not whole or extra or not re.fullmatch(HOST_PATTERN, parts.hostname or ""):
        raise ConfigurationError(
            f"--allow-host has value {address!r}: give the address that a browser shows, without a"
            " path, such as https://selection.example or http://my-machine:3000"
        )
    given = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}{given}"


def host_of(origin: str) -> str:
    """What browsers put into the header `Host` for an origin."""
    return origin.partition("://")[2]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    """A host as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _token(*, wanted: bool) -> str | None:
    given = os.environ.get(TOKEN_VARIABLE)
    if given is None:
        return secrets.token_urlsafe(32) if wanted else None
    if not re.fullmatch(TOKEN_PATTERN, given):
        raise ConfigurationError(
            f"${TOKEN_VARIABLE} must have at least 20 characters that nobody can guess, letters,"
            " digits, `-` and `_` only; leave it away to have one drawn"
        )
    return given
