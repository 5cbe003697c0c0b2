"""What this machine has, beside what computes."""

import os
import shutil
from pathlib import Path

from resources.project import store_root

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files that say how much memory a container may have: of today's control groups, and of older."""


def memory_bytes() -> int:
    """Memory of the machine, or of the container that this process is in."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in map(Path, LIMITS):
        said = file.read_text().strip() if file.is_file() else ""
        if said.isdecimal():
            most = min(most, int(said))
    return most


def free_disk_bytes() -> int:
    """Free where the project's store is."""
    return shutil.disk_usage(store_root()).free
