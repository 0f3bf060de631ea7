"""Number of processors that this process may use, which in a container is less than that of the machine."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
#: Folders of the CPU controller of version 1, in the order in which they are tried.
_CONTROLLERS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


@cache
def usable_processors() -> int:
    """Returns how many processors this process may use: those it may run on, and no more than the CPU time that its
    control groups allow. At least 1. Sizes of thread pools start from it. It is determined once in a process."""
    counted = getattr(os, "process_cpu_count", None)  # from Python 3.13 on; respects PYTHON_CPU_COUNT
    if counted is not None:
        available = counted() or 1
    elif hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, available if quota is None else min(available, ceil(quota)))


def cpu_quota(groups: Path = _GROUPS, own: Path = _OWN_GROUPS) -> float | None:
    """Returns the CPU time that control groups of version 1 or 2 allow this process, in processors; None without a
    limit. The least of its group and the groups above counts.

    `groups`: where control groups are mounted. `own`: file that names the groups of this process.
    """
    return min(_quotas(groups, own), default=None)


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    try:
        lines = own.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, line = line.partition(":")
        controllers, _, place = line.partition(":")
        if not controllers:
            mounts = [groups, groups / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [groups / name for name in _CONTROLLERS]
        else:
            continue
        path = PurePosixPath(place.lstrip("/"))
        for mount in mounts:
            # A container may see its own group as the root while the file names it as the host does.
            for folder in (path, *path.parents) if ".." not in path.parts else (PurePosixPath(),):
                quota = _quota(mount / folder)
                if quota is not None:
                    yield quota


def _quota(group: Path) -> float | None:
    """Returns the limit of a group in processors; None if it has none."""
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else _share(int(quota), int(period))
    with suppress(OSError, ValueError):
        quota_us, period_us = (
            int((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii")) for name in ("quota", "period")
        )
        return _share(quota_us, period_us)
    return None


def _share(quota_us: int, period_us: int) -> float | None:
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
