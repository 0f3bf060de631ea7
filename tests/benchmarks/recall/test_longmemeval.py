"""LongMemEval, read as its authors publish it."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.datasets.longmemeval import read_longmemeval
from benchmarks.recall import main
from foxing.memory import InvalidInput


def turn(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ENTRY: dict[str, Any] = {
    "question_id": "q1",
    "question_type": "single-session-user",
    "question": "Which parrot did I adopt?",
    "answer": "Zebedee",
    "question_date": "2023/05/30 (Tue) 23:40",
    "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 03:10", "2023/05/22 (Mon) 08:00"],
    "haystack_session_ids": ["sharegpt_1", "answer_1", "sharegpt_1"],
    "haystack_sessions": [
        [turn("user", "The train to Bremen was late."), turn("assistant", "That is annoying.")],
        [
            turn("user", "I adopted a parrot called Zebedee.", has_answer=True),
            turn("assistant", "A parrot called Zebedee!", has_answer=True),
            turn("user", "We are having soup tonight.", has_answer=False),
            turn("user", " "),
        ],
        [turn("user", "The train to Bremen was late.", has_answer=True), turn("assistant", "Again.")],
    ],
    "answer_session_ids": ["answer_1"],
}


def entry(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(ENTRY), **changes}


#: answered only by the assistant
BY_ASSISTANT = entry(
    question_id="q2",
    question_type="single-session-assistant",
    question="What did you call Zebedee?",
    haystack_sessions=[
        ENTRY["haystack_sessions"][0],
        [turn("user", "Hello.", has_answer=False), turn("assistant", "Zebedee the parrot.", has_answer=True)],
        ENTRY["haystack_sessions"][2],
    ],
)
UNANSWERED = entry(question_id="q3_abs", question="Which dog did I adopt?")


def written(folder: Path, document: object) -> Path:
    path = folder / "longmemeval_s.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_turns_of_the_user_are_read(tmp_path: Path) -> None:
    dataset = read_longmemeval(written(tmp_path, [ENTRY, BY_ASSISTANT, UNANSWERED]))
    first, second, third = dataset
    assert [(str(m.id), m.role, m.text) for m in first.messages] == [
        ("0/sharegpt_1_1", "user", "The train to Bremen was late."),
        ("1/answer_1_1", "user", "I adopted a parrot called Zebedee."),
        ("1/answer_1_3", "user", "We are having soup tonight."),
        ("2/sharegpt_1_1", "user", "The train to Bremen was late."),
    ]
    assert first.messages[1].created_at == datetime(2023, 5, 21, 3, 10, tzinfo=UTC)
    assert set(first.sessions.values()) == {"sharegpt_1", "answer_1"}
    (question,) = first.questions
    assert question.evidence == {"1/answer_1_1"}  # not a turn of another session, whatever it is marked as
    assert (question.category, question.answer) == ("single-session-user", "Zebedee")
    assert question.asked_at == datetime(2023, 5, 30, 23, 40, tzinfo=UTC)
    assert second.questions == []  # only the assistant answers
    assert third.questions == []
    assert dataset.abstentions == 1


def test_turns_of_the_assistant_are_read_on_request(tmp_path: Path) -> None:
    first, second = read_longmemeval(written(tmp_path, [ENTRY, BY_ASSISTANT]), user_only=False)
    assert [m.role for m in first.messages] == ["user", "assistant"] * 2 + ["user", "user", "assistant"]
    assert first.questions[0].evidence == {"1/answer_1_1", "1/answer_1_2"}
    assert second.questions[0].evidence == {"1/answer_1_2"}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "Expecting property name"),
        ({"questions": []}, "expected a list of questions"),
        (["question"], "expected a list of questions"),
        ([], "it has no questions"),
        ([{}], "question 1: it has no 'question_id'"),
        ([ENTRY, entry(haystack_dates=["2023/05/20 (Sat) 02:21"])], r"question 2: zip\(\) argument"),
        ([entry(question_date="yesterday")], "question 1: time data 'yesterday'"),
        ([entry(haystack_sessions=[[{"role": "user"}], [], []])], "question 1: it has no 'content'"),
        ([entry(haystack_sessions=[["hello"], [], []])], "question 1: "),
        ([entry(haystack_sessions=[[turn("user", "x")], None, []])], "question 1: "),
        ([entry(haystack_sessions=[[turn("narrator", "x")], [], []])], "question 1: role: Input should"),
        ([entry(answer_session_ids=None)], "question 1: "),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, document: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"longmemeval_s\.json is not .*{reason}.*https://huggingface"):
        list(read_longmemeval(written(tmp_path, document), user_only=False))


def test_a_missing_file_says_where_it_is_published(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read .*https://huggingface\.co/datasets/xiaowu0162"):
        read_longmemeval(tmp_path / "longmemeval_s.json")


def test_ranks_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, [ENTRY, BY_ASSISTANT, UNANSWERED])
    main(["--longmemeval", str(path), "--tier", "open", "--embedder", "none", "--json"])
    result = json.loads(capsys.readouterr().out)
    rankings = result.pop("rankings")
    assert result == {
        **{"dataset": "LongMemEval", "tier": "open", "turns": "user"},
        **{"questions": 1, "abstentions": 1, "without_evidence": 1},
    }
    assert [(row["category"], row["unit"], row["system"]) for row in rankings] == [
        (category, unit, system)
        for category in ("all", "single-session-user")
        for unit, system in (
            *(("message", "foxing"), ("session", "foxing"), ("message", "bm25"), ("session", "bm25")),
            ("session", "bm25, whole sessions"),
        )
    ]
    for row in rankings:
        assert {row["recall_5"], row["recall_any_10"], row["recall_all_10"], row["ndcg_10"]} == {1.0}
    main(["--longmemeval", str(path), "--tier", "open", "--embedder", "none", "--all-turns", "--json"])
    assert json.loads(capsys.readouterr().out)["questions"] == 2


def test_a_file_without_evidence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"longmemeval_s\.json has no questions with evidence"):
        main(["--longmemeval", str(written(tmp_path, [UNANSWERED])), "--tier", "open", "--embedder", "none"])
