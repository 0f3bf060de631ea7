"""The script that fits relevance."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from foxing.memory.recall.relevance import FILE, load_models
from training.relevance import questions
from training.relevance.__main__ import Examples, fit, main
from training.relevance.questions import SOURCES, make_banks

SIZES, QUESTIONS = (40, 24, 8), 6
WORDS = [f"{a}{b}{c}" for a in ("bar", "dol", "kem", "nus") for b in ("a", "e", "i", "o") for c in ("rt", "ng", "x")]


@pytest.fixture
def dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small files with the names of the training texts, for few small banks with few questions."""
    monkeypatch.setattr(questions, "SIZES", SIZES)
    monkeypatch.setattr(questions, "QUESTIONS", QUESTIONS)
    chooser = random.Random(3)
    for source in SOURCES:
        lines = []
        for number in range(20):
            messages = [
                {"role": role, "content": " ".join(chooser.choices(WORDS, k=9)) + "?" * (role == "user")}
                for role in ("user", "assistant") * 8
            ]
            lines.append(json.dumps({"id": f"{source.name}/{number}", "messages": messages}) + "\n")
        with gzip.open(tmp_path / f"{source.name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(lines)
    return tmp_path


def test_questions_have_evidence_in_their_bank_alone(dialogues: Path) -> None:
    banks = make_banks(dialogues)
    assert [bank.questions for bank in make_banks(dialogues)] == [bank.questions for bank in banks]
    for bank in banks:
        ids = {str(message.id) for message in bank.messages}
        assert len(ids) == len(bank.messages)
        assert all(question.evidence <= ids for question in bank.questions)
        assert any(question.evidence for question in bank.questions)
        assert any(not question.evidence for question in bank.questions)


def test_fitting_finds_the_coefficients() -> None:
    generator = np.random.default_rng(5)
    signals = generator.normal(size=(4000, 2))
    probable = 1 / (1 + np.exp(-(0.5 + signals @ np.array([2.0, -1.0]))))
    found = fit(Examples(list(signals), list(generator.random(4000) < probable)), balanced=False)
    assert found["intercept"] == pytest.approx(0.5, abs=0.15)
    assert found["weights"] == pytest.approx([2.0, -1.0], abs=0.2)


@pytest.mark.slow
def test_the_command_writes_the_models(dialogues: Path, tmp_path: Path) -> None:
    path = tmp_path / "relevance.json"
    main(["--data", str(dialogues), "--out", str(path)])
    written, shipped = (json.loads(each.read_text(encoding="utf-8")) for each in (path, FILE))
    assert written.keys() == shipped.keys()
    for name in ("words", "words and meaning"):
        for part in ("answered", "part"):
            assert len(written[name][part]["weights"]) == len(shipped[name][part]["weights"])


def test_shipped_models_trust_words_and_meaning() -> None:
    for model in load_models():
        assert model.answered.weights[0] > 0, "share of the question"
        assert model.part.weights[0] > 0
        assert model.part.weights[2] < 0, "rank"
    assert load_models()[1].answered.weights[1] > 0, "closeness"
