"""Division of the processor cores of this machine among workers."""

import os
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")


def cores_of_workers(workers: int) -> list[list[int]]:
    """Return the numbers of the cores of each worker, even parts of those of this process.

    Threads of one physical core belong to one worker where Linux tells which they are. With more
    workers than cores, several workers share a core.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0), key=_place)
    else:
        cores = list(range(os.cpu_count() or 1))
    count = len(cores)
    if workers > count:
        return [[cores[rank % count]] for rank in range(workers)]
    part = count // workers
    return [cores[rank * part : (rank + 1) * part] for rank in range(workers)]


def _place(core):
    """Return (package, physical core, number) of a core."""
    folder = _TOPOLOGY / f"cpu{core}" / "topology"
    try:
        package, physical = (
            int((folder / name).read_text()) for name in ("physical_package_id", "core_id")
        )
    except (OSError, ValueError):
        return 0, core, core
    return package, physical, core
