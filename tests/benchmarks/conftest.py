"""Small inputs for the benchmark scripts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.processes import ForkedProcess, start_python

from benchmarks.load import mixed, processes, stores

FOXING = """
import os, resource
os.dup2(os.open({log!r}, os.O_WRONLY | os.O_APPEND), 2)
if {descriptors!r}:
    resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors!r}, {descriptors!r}))
from foxing.api.cli.main import main
main()
"""


@pytest.fixture(autouse=True)
def _words_alone(words_alone: None) -> None:
    """Nothing is embedded unless a test asks for it."""


@pytest.fixture
def locomo_file(tmp_path: Path) -> Path:
    """One conversation of four turns, and a question with evidence among others without any."""
    turns: list[dict[str, Any]] = [
        {"speaker": "Ada", "dia_id": "D1:1", "text": "I adopted a parrot called Zebedee."},
        {"speaker": "Ben", "dia_id": "D1:2", "text": "The train to Bremen was late again."},
        {"speaker": "Ada", "dia_id": "D1:3", "text": "We are having soup tonight."},
        {"speaker": "Ben", "dia_id": "D1:4", "text": "Look at this!", "blip_caption": "a green parrot"},
    ]
    sample = {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": turns,
        },
        "qa": [
            {
                "question": "Which parrot did Ada adopt?",
                "answer": "Zebedee, the green one, in 2021",
                "category": 4,
                "evidence": ["D1:1; D1:4"],
            },
            {"question": "What is the capital of Peru?", "evidence": ["D9:9"]},
            {"question": "Who sings?"},
        ],
    }
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([sample]), encoding="utf-8")
    return path


@pytest.fixture
def forked_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forks the services and workers of benchmarks from a process that has loaded what they need, and waits for
    fractions of the seconds that a measurement gives them to come to rest."""

    def fork(
        arguments: Sequence[str], log_path: Path, environment: Mapping[str, str], descriptors: int | None
    ) -> ForkedProcess:
        log_path.touch()
        return start_python(FOXING.format(log=str(log_path), descriptors=descriptors), *arguments, **environment)

    monkeypatch.setattr(processes, "start_foxing", fork)
    monkeypatch.setattr(processes, "IDLE_S", 0.2)
    monkeypatch.setattr(mixed, "START_S", 0.2)
    monkeypatch.setattr(stores, "START_S", 0.2)
