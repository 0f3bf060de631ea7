"""The circuit breaker."""

import pytest

from foxing.encoder.remote.circuit_breaker import OPEN_S, CircuitBreaker, CircuitOpen


def test_circuit_breaker_allows_one_probe_at_a_time() -> None:
    now = [0.0]
    breaker = CircuitBreaker(3, lambda: now[0])
    for _ in range(2):
        breaker.record_timeout()
    breaker.record_response()
    for _ in range(3):
        with breaker.page():
            breaker.record_timeout()
    with pytest.raises(CircuitOpen), breaker.page():
        pass
    now[0] += OPEN_S
    with breaker.page():
        with pytest.raises(CircuitOpen), breaker.page():
            pass
        breaker.record_timeout()
    with pytest.raises(CircuitOpen), breaker.page():
        pass
    now[0] += OPEN_S
    with pytest.raises(ZeroDivisionError), breaker.page():
        raise ZeroDivisionError
    with breaker.page():
        breaker.record_response()
        with breaker.page():
            pass
