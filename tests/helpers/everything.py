"""Publish one version of an artifact that holds every type of file; also run as a process."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from resources.ledger.ledger import open_ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.spends import Cost, Spender
from resources.store.artifacts import ArtifactStore
from selection.budget.amounts import Amount


def publish_everything(root: Path, tag: str) -> str:
    """Publish a version with this tag in every file; returns its hash."""
    ledger, store = open_ledger(root), ArtifactStore(root / "artifacts")
    checkpoint = root / f"checkpoint-{tag}"
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "config.json").write_text(tag)
    spender = Spender("small", "study/thing", "all", f"run-{tag}", "cpu")
    spend = ledger.spending.reserve(spender, Amount(10.0, 10.0))
    staged = store.stage(
        {
            "tag.md": tag,
            "facts.json": {"tag": tag},
            "rows.parquet": pa.table({"row_id": [tag]}),
            "vectors.npy": np.full(3, ord(tag[0])),
            "fitted.safetensors": {"f": np.full(3, float(ord(tag[0])))},
            "picture.png": b"png" + tag.encode(),
            "checkpoint": checkpoint,
        }
    )
    published = ledger.publish(
        Pending(
            staged,
            Identity("study/thing", "all", tag, "code"),
            campaign="small",
            inputs=[],
            run_id=f"run-{tag}",
            rows=1,
            started_at=datetime.now(UTC),
            cost=Cost(7.0, "detailed", "cpu", 1.0, 1.0),
            spend=spend,
        )
    )
    return published.version


if __name__ == "__main__":
    publish_everything(Path(sys.argv[1]), sys.argv[2])
