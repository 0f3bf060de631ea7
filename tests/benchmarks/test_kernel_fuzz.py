"""The kernel of the native codec under sanitizers: damaged streams are refused, without touching foreign memory."""

from pathlib import Path

import pytest

from benchmarks.kernel_fuzz.fuzz import SanitizerMissing, build, run, write_corpus

#: Seconds of an idle core; `python -m benchmarks.kernel_fuzz` goes on for as long as it is told to.
INPUTS = 300


def test_damaged_streams_touch_no_memory_that_is_not_the_kernels(tmp_path: Path) -> None:
    try:
        harness = build(tmp_path)
    except SanitizerMissing as missing:
        pytest.skip(str(missing))
    write_corpus(tmp_path / "corpus")
    survived = run(harness, tmp_path / "corpus", seed=29, inputs=INPUTS)
    assert survived.inputs == INPUTS
    assert survived.accepted > INPUTS // 20
