"""Small inputs for the benchmark scripts."""

import json
from pathlib import Path
from typing import Any

import pytest


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
