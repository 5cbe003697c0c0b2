"""How fast this machine is: measured once for each kind of work, then remembered."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selection.basics.whole_files import write_whole
from selection.planning.measuring import Probed
from selection.planning.rates import Rate, known_kind


class Throughput:
    """Rates of one device, each in a JSON file of its own.

    Parameters
    ----------
    folder : where the files are; made when the first is written. It may be removed at any time.
    device_name : the hardware, as `Device.model_name` names it: another one has other rates.

    Attributes
    ----------
    flops_spent : float
        On measurements by this object; a rate that is remembered costs nothing.
    """

    def __init__(self, folder: Path, device_name: str) -> None:
        self._folder, self._device_name = folder, device_name
        self.flops_spent = 0.0

    def rate(self, kind: str, key: Mapping[str, Any], measure: Callable[[], Probed]) -> Rate:
        """Give the rate of a kind of work on this device, measuring it the first time.

        Parameters
        ----------
        kind : what is done, such as "training".
        key : everything that the rate depends on besides the device, as JSON values.
        measure : called when no measurement of them is found.

        Raises
        ------
        ValueError
            For a kind that nobody knows, and when a file found is damaged.
        """
        known = self.known(kind, key)
        if known is not None:
            return known
        file, about = self._place(kind, key)
        probed = measure()
        self.flops_spent += probed.flops
        record = {
            **about,
            "rate": asdict(probed.rate),
            "flops": probed.flops,
            "seconds": probed.seconds,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(record, indent=2, sort_keys=True, allow_nan=False)
        write_whole(file, lambda to: to.write(content.encode()))
        return probed.rate

    def known(self, kind: str, key: Mapping[str, Any]) -> Rate | None:
        """Give a rate that was measured before, or None.

        Raises
        ------
        ValueError
            As `rate`.
        """
        file, about = self._place(kind, key)
        return _read(file, about) if file.is_file() else None

    def _place(self, kind: str, key: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """File of a rate, and what it is the rate of."""
        about = {"device": self._device_name, "kind": known_kind(kind), "key": dict(key)}
        text = json.dumps(about, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        # As it will be read again: tuples become lists.
        return self._folder / f"{kind}_{digest}.json", json.loads(text)


def _read(file: Path, about: Mapping[str, Any]) -> Rate:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if {name: record[name] for name in about} != about:
            raise ValueError("it is of another device, kind or key")
        return Rate(**record["rate"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: not a measured rate ({error}); delete it to measure again"
        ) from error
