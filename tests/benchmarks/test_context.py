"""The benchmark of context."""

import json
from pathlib import Path

import pytest

from benchmarks.context import agent, history, speed
from benchmarks.context.__main__ import main
from benchmarks.context.reading import words_read


def test_evidence_is_shown_within_each_budget(
    locomo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "context.svg"
    readers = ("--reader", "text", "--reader", "gemini-2", "--budget", "300", "--budget", "2000")
    assert main(["--locomo", str(locomo_file), *readers, "--tier", "open", "--plot", str(plot), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["context"]
    assert [(row["reader"], row["budget"], row["show"]) for row in rows] == [
        *(("text", budget, show) for budget in (300, 2000) for show in ("text", "newest")),
        *(
            ("gemini-2", budget, show)
            for budget in (300, 2000)
            for show in ("best", "text", "images", "newest", "random")
        ),
    ]
    assert all(0 <= row["evidence"] <= 1 and row["billed_tokens"] <= row["budget"] for row in rows)
    # messages that are open have no page
    assert all(row["evidence"] == 1 for row in rows if row["show"] not in ("images", "random"))
    assert all(row["images"] == 0 for row in rows if row["show"] in ("text", "newest"))
    assert b"</svg>" in plot.read_bytes()


def test_images_are_really_read_by_an_engine(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tesserocr", reason="tesserocr is not installed")
    arguments = ("--locomo", str(locomo_file), "--reader", "gemini-2", "--budget", "2000", "--engine", "tesseract")
    assert main([*arguments, "--tier", "small", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["context"]
    read = [row for row in rows if row["show"] not in ("newest", "random")]
    assert all(row["evidence_read"] <= row["evidence"] for row in read)
    assert next(row for row in rows if row["show"] == "text")["evidence_read"] == 1.0


def test_words_are_read_if_their_letters_are() -> None:
    said = "The pump failed at nine."
    assert words_read(said, "▶ user: Hello. The pu\nmp failed at nine. And then") == said
    assert words_read(said, "Hello. The pump tailed at nine.") == "The pump at nine."
    assert words_read(said, "") == ""
    assert words_read("", "anything") == ""
    assert "pump" not in words_read(said, "nothing like it stands here")


def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, locomo_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--locomo", str(tmp_path / "none.json")]) == 1
    assert "is not a LoCoMo file" in capsys.readouterr().err
    assert main(["--locomo", str(locomo_file), "--reader", "cluade", "--tier", "open"]) == 1
    assert "did you mean 'claude'" in capsys.readouterr().err


def test_planted_facts_are_in_the_context_of_an_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": "tool" if n % 3 else "user", "content": f"Step {n}: the build passed."} for n in range(60)]
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps({"id": "run", "messages": turns}) + "\n", encoding="utf-8")
    assert agent.main(["--texts", str(file), "--turns", "60", "--reader", "text", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["agent"]
    assert (row["turns"], row["last_turns"], row["images"]) == (100, 1, 0)
    assert row["facts"] >= 0.95
    assert row["billed_tokens"] <= agent.BUDGET
    assert sum(fact.identifier for fact in agent.planted()) == 20
    assert agent.main(["--texts", str(file), "--turns", "61"]) == 1
    assert "60 messages; 61 are needed" in capsys.readouterr().err


def test_a_history_costs_less_as_images_where_its_type_is_dense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "the ferry to Naxos leaves from pier E and takes four hours, as order 7f3a9c21 of the harbour says; "
    turns = [{"role": "user", "content": f"Step {n}: {words * 4}"} for n in range(120)]
    turns.append({"role": "user", "content": "여우가 쪽지를 읽었다."})
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps({"id": "run", "messages": turns}) + "\n", encoding="utf-8")
    readers = ("--reader", "claude-fable-5", "--reader", "claude-opus-5", "--reader", "native")
    assert history.main(["--texts", str(file), *readers, "--json"]) == 0
    dense, legible, native = json.loads(capsys.readouterr().out)["history"]
    assert dense["messages"] == 121
    assert (dense["as_text"], legible["as_text"], native["as_text"]) == (1, 1, 0)
    assert dense["ratio"] > 3 > legible["ratio"] > 1
    assert dense["identifiers_once"] * 4 < dense["identifiers_each"]
    assert native["identifiers_once"] == native["identifiers_each"] == 0
    assert dense["ratio_each"] < dense["ratio"] < dense["ratio_alone"]
    assert history.main(["--texts", str(file), "--reader", "text"]) == 1
    assert "accepts no images" in capsys.readouterr().err


def test_context_is_timed_in_a_large_bank(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--messages", "200", "--different", "100", "--reader", "gemini-3", "--questions", "2", "--json")
    assert speed.main(arguments) == 0
    (row,) = json.loads(capsys.readouterr().out)["speed"]
    assert (row["reader"], row["messages"], row["questions"]) == ("gemini-3", 200, 2)
    assert min(row["first_p50_ms"], row["cached_p50_ms"]) > 0
    assert speed.main((*arguments, "--reader", "cluade")) == 1
    assert "did you mean 'claude'" in capsys.readouterr().err
