"""The benchmark of hostile clients."""

import pytest

from benchmarks.hostile import measure_hostile


@pytest.mark.slow
@pytest.mark.parametrize("process", ["proxy", "service"])
def test_the_loop_is_watched_while_clients_attack(process: str) -> None:
    load = measure_hostile(process, 3.0)
    assert load.requests > 0
    assert load.iterations > 100
    assert load.longest_cpu_ms > 0
