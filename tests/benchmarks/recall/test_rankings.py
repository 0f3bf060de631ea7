"""Rank of the evidence, by message and by session."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.search_doubles import HashingEmbedder

from benchmarks.key_audit import CORRECTED, PUBLISHED, UNKNOWN, read_audit
from benchmarks.locomo import Conversation, Question, read_locomo
from benchmarks.rankings import measure_stored, ndcg, recall_share
from benchmarks.recall import main
from foxing.memory import Memory, MemoryOptions, NewMessage

START = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS = {
    "D1:1": "I adopted a parrot called Zebedee.",
    "D1:2": "The train to Bremen was late again.",
    "D2:1": "We are having soup tonight.",
    "D2:2": "The parrot sings to the parrot next door.",
}
MESSAGES = [
    NewMessage(id=key, role="user", name="Ada", content=text, created_at=START + number * timedelta(days=1))
    for number, (key, text) in enumerate(TEXTS.items())
]


def test_ndcg_is_that_of_longmemeval() -> None:
    assert ndcg({"a"}, ["a", "b"], 5) == 1
    assert ndcg({"a"}, ["b", "a"], 5) == 1  # the second rank is not discounted
    assert ndcg({"a"}, ["b", "c", "a"], 5) == pytest.approx(0.63093)
    assert ndcg({"a", "b"}, ["c", "a", "d", "b"], 5) == pytest.approx(0.75)
    assert ndcg({"a", "b", "c"}, ["a", "b"], 2) == 1  # no more than two fit
    assert ndcg({"a"}, ["b", "c", "a"], 2) == 0


def test_recall_is_the_share_of_the_evidence() -> None:
    assert recall_share({"a", "b"}, ["a", "c", "b"], 2) == 0.5
    assert recall_share({"a", "b"}, ["a", "c", "b"], 3) == 1
    assert recall_share({"a"}, [], 5) == 0


def test_each_system_is_ranked_by_message_and_by_session(database_path: Path) -> None:
    embedder = HashingEmbedder()
    questions = [
        Question("Which parrot did Ada adopt?", frozenset({"D1:1", "D2:2"}), category=1),
        Question("Was the train late?", frozenset({"D1:2"}), category=2),
        Question("Who is not asked about?", frozenset({"D1:2"}), category=3),
    ]
    sessions = {key: key.partition(":")[0] for key in TEXTS}
    with Memory(database_path, options=MemoryOptions(embedder=embedder)) as memory:
        memory.store("bank", MESSAGES)
        conversation = Conversation(MESSAGES, questions, sessions)
        rows = measure_stored(memory, ["bank"], [conversation], {1: "several", 2: "one"}, embedder)
    assert {(row.unit, row.system) for row in rows} == {
        *((unit, system) for unit in ("message", "session") for system in ("foxing", "bm25", "embeddings")),
        *(("session", f"{system}, whole sessions") for system in ("bm25", "embeddings")),
    }
    assert [row.questions for row in rows if row.system == "foxing"] == [2, 2, 1, 1, 1, 1]
    assert {row.category for row in rows} == {"all", "several", "one"}
    for row in rows:  # everything is among the first five of four messages
        assert (row.recall_5, row.recall_any_10, row.recall_all_5) == (1, 1, 1)
        assert 0.5 < row.ndcg_10 <= 1


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """An audit that moves the evidence to the train."""
    rows = [
        {"question": "Which parrot did Ada adopt?", "cited_evidence": ["D7:1"], "correct_evidence": ["D1:3"]},
        {
            "question": "Which parrot did Ada adopt?",
            "cited_evidence": ["D1:1; D1:4", "D8:8"],
            "correct_evidence": ["D1:2", "D9:9"],
        },
        {"question": "Something else?", "cited_evidence": ["D1:1"], "correct_evidence": ["D1:3"]},
    ]
    path = tmp_path / "audit" / "errors_conv_0.json"
    path.parent.mkdir()
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("folder", [True, False])
def test_locomo_is_measured_with_both_keys(
    folder: bool, locomo_file: Path, audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = audit.parent if folder else audit
    common = ["--locomo", str(locomo_file), "--tier", "open", "--embedder", "none"]
    main([*common, "--audit", str(place), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["key"], result["evidence"]) == ("published", 1.0)
    corrected = result["other_key"]
    assert (corrected["key"], corrected["questions"], corrected["bm25_evidence"]) == ("corrected", 1, 0.0)
    first = {row["system"]: row for row in corrected["rankings"] if row["unit"] == "message"}
    assert first["foxing"]["recall_5"] == 1  # a neighbour
    assert first["bm25"]["recall_5"] == 0
    main([*common, "--audit", str(place)])
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["key", "published"] in shown
    assert ["key", "corrected"] in shown


def test_a_file_may_have_the_corrected_key(locomo_file: Path, audit: Path) -> None:
    published = read_locomo(locomo_file)
    found = read_audit(audit)
    assert found.key_of(published) == PUBLISHED
    corrected = found.with_key(published, CORRECTED)
    assert found.key_of(corrected) == CORRECTED
    assert corrected[0].questions[0].evidence == {"conv-1/D1:2"}
    assert found.with_key(corrected, PUBLISHED) == published
    assert found.with_key(corrected, CORRECTED) == corrected
    assert found.key_of([]) == UNKNOWN


@pytest.mark.parametrize("content", ["{", "[{}]", "[1]", '[{"question": "?", "cited_evidence": 1}]'])
def test_an_audit_of_another_kind_is_named(content: str, locomo_file: Path, audit: Path, tmp_path: Path) -> None:
    audit.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"errors_conv_0\.json is not a file of the audit .*github\.com/dial481"):
        main(["--locomo", str(locomo_file), "--audit", str(audit)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"has no errors_conv_\*\.json; .*github\.com/dial481"):
        main(["--locomo", str(locomo_file), "--audit", str(tmp_path / "empty")])


@pytest.mark.parametrize("arguments", [["--audit", "errors.json"], ["--all-turns"]])
def test_options_of_other_datasets_exit_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert f"{arguments[0]} needs --" in capsys.readouterr().err
