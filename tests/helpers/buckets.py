"""A server of S3 on this machine, in a process of its own that can be stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import yaml

from resources.project import ROOT_VARIABLE

KEYS = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-prints"}


class Bucket:
    """One bucket of a server, which is there as long as the server is."""

    def __init__(self, process: subprocess.Popen, port: int, name: str) -> None:
        self._process, self._url = process, f"http://127.0.0.1:{port}"
        self.name = name
        self.environment = {
            **KEYS,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self._url,
            "AWS_ALLOW_HTTP": "true",
        }

    def make(self) -> None:
        """Make it; a second time changes nothing."""
        with urlopen(Request(f"{self._url}/{self.name}", method="PUT"), timeout=10):
            pass

    def put(self, key: str, content: bytes) -> None:
        """Put an object, whatever its key."""
        where = f"{self._url}/{self.name}/{quote(key)}"
        scope = f"{KEYS['AWS_ACCESS_KEY_ID']}/20261129/us-east-1/s3/aws4_request"
        said = {
            "Content-Type": "application/octet-stream",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",  # which is not checked
        }
        with urlopen(Request(where, data=content, headers=said, method="PUT"), timeout=10):
            pass

    def address(self, prefix: str) -> str:
        return f"s3://{self.name}/{prefix}"

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let the server answer nobody for a while."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def bucket(name: str = "shelf") -> Iterator[Bucket]:
    """Start a server with one bucket; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            made = Bucket(server, port, name)
            patient_until = time.monotonic() + 60
            while True:
                try:
                    made.make()
                    break
                except URLError:
                    assert server.poll() is None and time.monotonic() < patient_until
                    time.sleep(0.05)
            yield made
        finally:
            server.kill()


def share(project: Path, address: str) -> None:
    """Make this the project of this process and its children, which shares what it publishes."""
    (project / "project.yaml").write_text(yaml.safe_dump({"store": address}))
    os.environ[ROOT_VARIABLE] = str(project)
