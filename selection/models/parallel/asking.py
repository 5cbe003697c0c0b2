"""A meter that another process of this machine holds: asked by a line of JSON, step by step.

Through a socket that is a file in a folder of its owner alone, so that nobody else can ask.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from selection.budget.meter import BudgetExhausted, Meter


class AskingMeter:
    """Asks the process that has started this one.

    When that one is gone it raises, so that nothing is spent that nobody counts.
    """

    def __init__(self, address: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(address))
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def affords(self, flops: float) -> bool:
        """Whether a part of this size may be begun now."""
        return self._ask({"affords": flops})["yes"]

    def charge(self, flops: float) -> None:
        """Count a part that is begun now.

        Raises
        ------
        BudgetExhausted
            When it may not be.
        """
        answer = self._ask({"charge": flops})
        if not answer["yes"]:
            raise BudgetExhausted(answer["why"])

    def _ask(self, question: dict[str, float]) -> dict[str, Any]:
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        answer = self._lines.readline()
        if not answer:
            raise ConnectionError("the process that counts what is spent is gone")
        return json.loads(answer)


class Answering:
    """Answers for a meter, one process after the other.

    Parameters
    ----------
    address : of a file that is not there yet, whose name is short.
    meter : that is asked.

    Attributes
    ----------
    charged : parts that were begun.
    refused : what the meter raised, if it did.
    """

    def __init__(self, address: Path, meter: Meter) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(address))
        self._listening.listen(1)
        self._asking: socket.socket | None = None
        self._read = b""
        self._meter = meter
        self.charged = 0
        self.refused: BudgetExhausted | None = None

    def wait(self, seconds: float) -> None:
        """Answer what is asked within so long, or return sooner."""
        try:
            if self._asking is None:
                self._listening.settimeout(seconds)
                self._asking, _ = self._listening.accept()
            else:
                self._asking.settimeout(seconds)
                self._hear(self._asking)
        except TimeoutError:
            return

    def _close_asking(self) -> None:
        """Forget who has asked until now."""
        if self._asking is not None:
            self._asking.close()
        self._asking, self._read = None, b""

    def close(self) -> None:
        """Answer no more."""
        self._close_asking()
        self._listening.close()

    def _hear(self, asking: socket.socket) -> None:
        try:
            found = asking.recv(65_536)
            *lines, self._read = (self._read + found).split(b"\n")
            for line in lines:
                asking.sendall(json.dumps(self._answer(json.loads(line))).encode() + b"\n")
        except (ConnectionResetError, BrokenPipeError):
            found = b""
        if not found:  # that process has ended
            self._close_asking()

    def _answer(self, question: dict[str, float]) -> dict[str, Any]:
        if "affords" in question:
            return {"yes": self._meter.affords(question["affords"])}
        try:
            self._meter.charge(question["charge"])
        except BudgetExhausted as error:
            self.refused = error
            return {"yes": False, "why": str(error)}
        self.charged += 1
        return {"yes": True}
