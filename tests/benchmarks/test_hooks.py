"""The benchmark of hooks."""

import json

import pytest

from benchmarks.hooks.__main__ import main
from benchmarks.hooks.sessions import SPLITS, Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_is_in_a_session(split: str) -> None:
    project = Project.read(split)
    said = "\n".join(text for _, messages in project.sessions for _, text in messages)
    assert [fact.question for fact in project.facts if not any(part in said for part in fact.answer)] == []


def test_facts_of_earlier_sessions_are_given_and_little_else(capsys: pytest.CaptureFixture[str]) -> None:
    main(["facts", "--json"])
    row = json.loads(capsys.readouterr().out)["facts"]
    assert row["given"] >= 0.9
    assert row["given_off_topic"] <= 0.1


def test_the_hook_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["prompts", "--messages", "200", "--prompts", "4", "--warm", "0", "--json"])
    row = json.loads(capsys.readouterr().out)["prompts"]
    assert row["messages"] == 200
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["max_ms"]


def test_kills_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["kills", "--turns", "24", "--services", "2", "--hooks", "0.3", "--json"])
    row = json.loads(capsys.readouterr().out)["kills"]
    assert row["killed_hooks"] > 0
    assert row["killed_services"] > 0
    assert (row["lost"], row["twice"], row["out_of_order"], row["failed_hooks"]) == (0, 0, 0, 0)
