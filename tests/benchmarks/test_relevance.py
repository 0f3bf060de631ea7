"""The benchmark of relevance."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.locomo import read_locomo
from benchmarks.relevance.__main__ import main
from benchmarks.relevance.measurement import area_under_curve, calibration_error, reliability, without_names

OTHER = (
    ("Cleo", "My grandmother's violin was restored in Cremona."),
    ("Dan", "The marathon starts at six on the old pier."),
)


@pytest.fixture
def two_conversations(locomo_file: Path) -> Path:
    """Two conversations, each with a question that only it answers."""
    (first,) = json.loads(locomo_file.read_text(encoding="utf-8"))
    turns = [
        {"speaker": speaker, "dia_id": f"D1:{n}", "text": text} for n, (speaker, text) in enumerate(OTHER, start=1)
    ]
    conversation = {
        "speaker_a": "Cleo",
        "speaker_b": "Dan",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": turns,
    }
    asked = {"question": "Where was Cleo's violin restored?", "answer": "Cremona", "category": 4, "evidence": ["D1:1"]}
    second = {"sample_id": "conv-2", "conversation": conversation, "qa": [asked]}
    locomo_file.write_text(json.dumps([first, second]), encoding="utf-8")
    return locomo_file


@pytest.mark.parametrize("embedder", ["use", "none"])
def test_questions_are_told_from_those_of_other_banks(
    embedder: str, two_conversations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--locomo", str(two_conversations), "--embedder", embedder, "--json"])
    row = json.loads(capsys.readouterr().out)["relevance"]
    assert (row["embedder"], row["conversations"], row["questions"]) == (embedder, 2, 2)
    assert (row["auc"], row["losing_evidence"], row["empty_elsewhere"]) == (1.0, 0.0, 1.0)
    assert sum(each["spans"] for each in row["bins"]) > 2
    main(["--locomo", str(two_conversations), "--embedder", embedder])
    assert "relevance  evidence" in capsys.readouterr().out


def test_names_are_taken_out_of_questions(two_conversations: Path) -> None:
    _, other = read_locomo(two_conversations)
    assert without_names("Where was Cleo's violin when Dan ran?", other) == "Where was  violin when  ran?"


def test_area_under_curve() -> None:
    assert area_under_curve([0.9, 0.8], [0.1, 0.2]) == 1
    assert area_under_curve([0.1], [0.9]) == 0
    assert area_under_curve([0.5, 0.5], [0.5]) == 0.5
    assert area_under_curve([], [0.5]) == 0


def test_calibration_error_is_the_difference_in_each_bin() -> None:
    bins = reliability(np.array([0.95, 1.0, 0.05, 0.05]), np.array([True, False, False, False]))
    assert [each.spans for each in bins] == [2, 2]
    assert calibration_error(bins) == pytest.approx((0.475 + 0.05) / 2)
    assert calibration_error([]) == 0
