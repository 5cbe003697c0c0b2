"""How is what an asset puts in a file written, so that it outlives a loss of power?"""

import json
import os
import shutil
from collections.abc import Mapping
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

# numpy and Arrow take a while to import, and who only asks the ledger does without.
if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Content: TypeAlias = "pa.Table | np.ndarray | dict | list | str | bytes | Path"
"""What an asset may put in a file; the file's name says how it is written."""


def write_content(target: Path, content: "Content | Mapping[str, np.ndarray]") -> None:
    """Write a file as its name and its content say."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(content, Path):
        shutil.move(content, target)
    elif isinstance(content, pa.Table):
        pq.write_table(content, target, compression="zstd")
    elif isinstance(content, np.memmap) and (file := _file_of(content)) is not None:
        shutil.copyfile(file, target)  # none of it is held
    elif isinstance(content, np.ndarray):
        np.save(target, content, allow_pickle=False)
    elif isinstance(content, bytes):
        target.write_bytes(content)
    elif isinstance(content, str):
        target.write_text(content, encoding="utf-8")
    elif target.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({k: np.ascontiguousarray(v) for k, v in dict(content).items()}, target)
    else:
        # NaN is not JSON: refuse it here rather than in the reader.
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
        target.write_text(text, encoding="utf-8")


def _file_of(mapped: "np.memmap") -> Path | None:
    """The `.npy` file that an array is a map of, if it is one of all of it."""
    if mapped.filename is None or not isinstance(mapped.base, mmap):
        return None
    file = Path(mapped.filename)
    whole = file.suffix == ".npy" and file.stat().st_size == mapped.offset + mapped.nbytes
    return file if whole else None


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
