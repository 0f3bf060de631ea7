"""The trial of wrapped clients, for a few turns."""

import pytest

from benchmarks.wrapped_clients.measurement import measure


@pytest.mark.slow
@pytest.mark.parametrize("client", ["anthropic", "async-responses", "chat"])
def test_each_turn_is_stored_once_although_agent_and_service_are_killed(client: str) -> None:
    trial = measure(client, turns=12, kill_agents=2, kill_services=1, seed=1)
    assert trial.passed, trial
    assert (trial.killed_agents, trial.killed_services) == (2, 1)
    assert trial.calls > 12
