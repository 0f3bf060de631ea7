"""Pages that are encoded make way for pages that are decoded."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from foxing.encoder.native import parallel
from foxing.encoder.native.parallel import map_parallel

TIMEOUT_S = 60.0


@pytest.mark.parametrize(("yield_s", "order"), [(TIMEOUT_S, ["decoded", "encoded"]), (0.0, ["encoded", "decoded"])])
def test_what_is_deferrable_waits_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, yield_s: float, order: list[str]
) -> None:
    monkeypatch.setattr(parallel, "YIELD_S", yield_s)
    started, may_end, deferred = Event(), Event(), Event()
    done: list[str] = []

    def decode(part: str) -> str:
        started.set()
        assert may_end.wait(TIMEOUT_S)
        done.append(part)
        return part.upper()

    def encode(part: str) -> str:
        done.append(part)
        deferred.set()
        return part.upper()

    with ThreadPoolExecutor(2) as callers:
        decoded = callers.submit(map_parallel, decode, ["decoded"])
        assert started.wait(TIMEOUT_S)
        encoded = callers.submit(map_parallel, encode, ["encoded"], deferrable=True)
        if yield_s == 0:
            assert deferred.wait(TIMEOUT_S)
        may_end.set()
        assert (decoded.result(), encoded.result()) == (["DECODED"], ["ENCODED"])
    assert done == order
