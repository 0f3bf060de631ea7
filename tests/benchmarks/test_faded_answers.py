"""The benchmark of answers that fade."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faded_answers import main, measure_faded_answers
from foxing.memory import Memory, RecalledMessage


def test_words_of_answers_are_looked_for_at_each_tier(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--locomo", str(locomo_file), "--tier", "micro", "--json"])
    # the evidence says Zebedee and green; "the", "one" and "in" are common, and 2021 is not said
    same = {"questions": 1, "words": 2, "kept": 1.0, "complete_answers": 1.0, "against_base": 1.0}
    assert json.loads(capsys.readouterr().out) == {
        "answers": [{"tier": "base", **same}, {"tier": "micro", **same}],
    }


def test_faded_words_are_not_kept(locomo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = json.loads(locomo_file.read_text(encoding="utf-8"))
    adversarial = {"question": "Who is green?", "answer": "parrot", "category": 5, "evidence": ["D1:4"]}
    unanswered = {"question": "What is green?", "answer": None, "category": 1, "evidence": ["D1:4"]}
    late = {"question": "What was late?", "answer": "Train to bremen", "category": 1, "evidence": ["D1:2"]}
    sample[0]["qa"] += [adversarial, unanswered, late]
    locomo_file.write_text(json.dumps(sample), encoding="utf-8")
    with Memory(tmp_path / "bank.db") as memory:
        export = memory.export

        def faded(bank: str) -> list[RecalledMessage]:
            held: dict[str, Any] = {"tiny": {"Zebedee": "⋯"}, "base": {"Bremen": "Bergen"}}
            messages = []
            for message in export(bank):
                text = message.text
                for word, left in held.get(message.tier or "", {}).items():
                    text = text.replace(word, left)
                messages.append(message.model_copy(update={"text": text}))
            return messages

        monkeypatch.setattr(memory, "export", faded)
        base, tiny = measure_faded_answers(memory, locomo_file, ["tiny"])
    assert (base.tier, base.questions, base.words, base.kept, base.complete_answers) == ("base", 2, 4, 0.75, 0.5)
    assert (tiny.tier, tiny.kept, tiny.complete_answers, tiny.against_base) == ("tiny", 0.75, 0.5, 1.0)


def test_results_are_shown_as_a_table(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--locomo", str(locomo_file)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[1:]] == ["base", "small", "tiny", "micro"]


def test_a_file_that_is_not_locomo_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[{}]", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"other\.json is not a LoCoMo file"):
        main(["--locomo", str(path)])
