"""Arrays that are made once for an account, and mapped from then on."""

import os
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from foxing.renderer.array_files import Arrays, load_arrays

MADE: Arrays = {
    "table": np.arange(3000, dtype=np.uint8).reshape(3, 1000),
    "weights": np.linspace(0, 1, 7, dtype=np.float32),
    "none": np.empty((0, 4), np.float32),
    "one": np.array(3.5),
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if sys.platform != "linux":
        pytest.skip("another cache folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "foxing"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Maker:
    """Makes the arrays, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return MADE

    def check(self, key: str = "1") -> Arrays:
        arrays = load_arrays("test", key, self)
        assert list(arrays) == list(MADE)
        for name, array in arrays.items():
            assert array.dtype == MADE[name].dtype
            assert np.array_equal(array, MADE[name])
        return arrays


def test_arrays_are_made_once(cache: Path) -> None:
    make = Maker()
    for _ in range(3):
        assert not make.check()["table"].flags.writeable
    assert make.calls == 1
    file = cache / "test-1.arrays"
    assert names(cache) == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700
    make.check("2")
    assert make.calls == 2


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _garble(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:24] + b"\xff" * 100 + data[124:])


def _other(file: Path) -> None:
    file.write_bytes(b"another file")


def _open_to_others(file: Path) -> None:
    file.chmod(0o622)


@pytest.mark.parametrize("damage", [_cut, _empty, _garble, _other, _open_to_others])
def test_a_damaged_file_is_replaced(cache: Path, damage: Callable[[Path], None]) -> None:
    make = Maker()
    make.check()
    damage(cache / "test-1.arrays")
    make.check()
    make.check()
    assert make.calls == 2


def test_a_folder_that_cannot_be_written_is_done_without(cache: Path) -> None:
    cache.parent.write_text("not a folder")
    make = Maker()
    make.check()
    make.check()
    assert make.calls == 2


def test_a_full_disk_leaves_no_part_behind(cache: Path) -> None:
    make = Maker()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        make.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(cache) == []
    make.check()
    make.check()
    assert make.calls == 2


def test_processes_and_threads_may_write_at_once(cache: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(Maker().check) for _ in range(40)]:
            done.result()
    assert names(cache) == ["test-1.arrays"]


def test_files_of_other_versions_go_when_nothing_reads_them(cache: Path) -> None:
    make = Maker()
    make.check("old")
    make.check("used")
    os.utime(cache / "test-old.arrays", (1e9, 1e9))
    make.check("new")
    assert names(cache) == ["test-new.arrays", "test-used.arrays"]
