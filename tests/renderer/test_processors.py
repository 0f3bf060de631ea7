"""The number of processors is that of the container, not of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foxing.renderer import processors
from foxing.renderer.processors import cpu_quota, usable_processors


def control_groups(folder: Path, own: str, files: dict[str, str]) -> float | None:
    """Quota of a process in `own`, with these files of control groups."""
    groups = folder / "cgroup"
    for name, content in files.items():
        path = groups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    (folder / "own").write_text(own, encoding="ascii")
    return cpu_quota(groups, folder / "own")


def test_version_2_as_a_container_sees_it(tmp_path: Path) -> None:
    assert control_groups(tmp_path, "0::/\n", {"cpu.max": "150000 100000\n"}) == 1.5


def test_version_2_without_a_limit(tmp_path: Path) -> None:
    assert control_groups(tmp_path, "0::/\n", {"cpu.max": "max 100000\n"}) is None


def test_the_least_limit_of_the_groups_above_counts(tmp_path: Path) -> None:
    files = {"pods/one/cpu.max": "400000 100000\n", "pods/cpu.max": "50000 100000\n"}
    assert control_groups(tmp_path, "0::/pods/one\n", files) == 0.5


def test_version_1_under_the_name_of_the_host(tmp_path: Path) -> None:
    files = {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}
    assert control_groups(tmp_path, "5:memory:/x\n4:cpu,cpuacct:/docker/0123\n0::/\n", files) == 2.0


def test_version_1_without_a_limit(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert control_groups(tmp_path, "1:cpu:/\n0::/\n", files) is None


@pytest.mark.parametrize("content", ["", "many 100000", "100000 0", "0 100000", "100000"])
def test_a_limit_that_says_nothing_is_none(tmp_path: Path, content: str) -> None:
    assert control_groups(tmp_path, "0::/\n", {"cpu.max": content}) is None


def test_no_control_groups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "expected"), [(0.25, 1), (1.0, 1), (1.5, 2), (64.0, 3), (None, 3)])
def test_the_number_is_at_most_the_quota_and_at_least_one(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
    monkeypatch.setattr(processors, "cpu_quota", lambda: quota)
    usable_processors.cache_clear()
    try:
        assert usable_processors() == expected
    finally:
        usable_processors.cache_clear()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_pools_have_no_more_threads_than_processors_of_this_process() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.cpu_count = lambda: 64\n"
        "from foxing.encoder.native.parallel import _workers\n"
        "from foxing.encoder import drawing\n"
        "print(_workers('decode')._max_workers, drawing.WORKERS)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
