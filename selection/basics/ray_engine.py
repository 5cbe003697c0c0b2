"""Blocks computed by a Ray cluster: one that is there, or one of this machine's own."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

RETRIES = 3
"""So often a block is computed again whose worker has died."""

_SECONDS_TO_ANSWER = 10.0

_AHEAD = 2
"""Blocks under way for each processor; as many wait in memory at most."""


class NoRay(RuntimeError):
    """Ray is not installed, or there is no cluster at the address."""


@dataclass(frozen=True)
class RayEngine:
    """Workers of a Ray cluster, each of one processor.

    A worker that dies is replaced, and its block computed again. Workers get blocks and give
    results; what they cost is charged where the engine is asked, and nowhere else.

    Attributes
    ----------
    address : of a cluster that is there, as Ray writes it; None starts one on this machine, which
        only this process may use, and which ends with it.
    workers : processors of a cluster that is started; None for all of this machine's.
    """

    address: str | None = None
    workers: int | None = None

    @property
    def here(self) -> bool:
        """Never: even one worker is another process."""
        return False

    @property
    def near(self) -> bool:
        """Whether the cluster is of this machine."""
        return self.address is None

    @property
    def keeps(self) -> bool:
        """A worker unpickles it once."""
        return True

    def each(self, call: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """Give the results in order, see `Engine`; what fails in a worker is raised here.

        Raises
        ------
        NoRay
            With what to do.
        OtherCode
            When a worker has another version of this program.
        """
        ray = self._connected()
        run = ray.remote(num_cpus=1, max_retries=RETRIES)(_computed)
        given = [ray.put(call)]  # in a list, so that Ray does not unpickle it for each block
        most = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(run.remote(given, item, code_digest()))
                if len(waiting) >= most:
                    yield _result(ray, waiting)
            while waiting:
                yield _result(ray, waiting)
        finally:
            for unwanted in waiting:
                ray.cancel(unwanted, force=True)

    def _connected(self) -> Any:
        if find_spec("ray") is None:
            raise NoRay(
                "the engine of this project is Ray, which is not installed: `pip install"
                " 'selection-assets[ray]'`, or `engine: {kind: local}` in project.yaml"
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Of blocks that nobody waits for any more, after one that failed.
        os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
        if self.address is None:
            _guard_own_cluster()
        else:
            _require_there(self.address)
        import ray
        from ray.exceptions import RayError

        if ray.is_initialized():
            return ray
        own: dict[str, Any] = {
            "num_cpus": self.workers or len(os.sched_getaffinity(0)),
            "include_dashboard": False,
        }
        try:
            ray.init(
                self.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if self.address else own),
            )
        except (ConnectionError, ValueError, RuntimeError, RayError) as error:
            where = f"at {self.address}" if self.address else "on this machine"
            raise NoRay(f"no Ray cluster {where}: {error}") from error
        return ray


def _guard_own_cluster() -> None:
    """Let only this process and its workers use a cluster that is started here.

    Ray reads these when it is imported. Whoever reaches its ports may run programs: so it listens
    on the loopback alone, as it does on other systems, and asks for a token that is in no file.
    """
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # What does not fit in memory would else be tried for ever.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))


def _require_there(address: str) -> None:
    """See that somebody listens at an address: Ray itself would try for minutes.

    Raises
    ------
    NoRay
        When nobody does.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return  # `auto`, or another word that Ray itself knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise NoRay(f"no Ray cluster at {address}: {error}") from error


class OtherCode(RuntimeError):
    """A worker has another version of this program, whose blocks may be others."""


@cache
def code_digest() -> str:
    """Hash of this program's library, as this process has it."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _result(ray: Any, waiting: deque[Any]) -> Any:
    """Wait for the first block; it is no longer waited for once it is here."""
    from ray.exceptions import RayTaskError

    try:
        found = ray.get(waiting[0])
    except RayTaskError as error:
        raise error.cause from error
    waiting.popleft()
    return found


_unpickled: dict[bytes, Any] = {}
"""What this worker computes with, by the reference to it."""


def _computed(given: list[Any], item: Any, code: str) -> Any:
    import ray

    if code != code_digest():
        raise OtherCode(
            "a worker of the Ray cluster has another version of selection-assets than this process:"
            " its blocks may be others; install the same there"
        )
    [reference] = given
    key = reference.binary()
    if key not in _unpickled:
        _unpickled.clear()  # what an earlier step has computed with
        _unpickled[key] = ray.get(reference)
    return _unpickled[key](item)
