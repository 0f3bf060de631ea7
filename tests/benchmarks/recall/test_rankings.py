"""Rank of the evidence, by message and by session."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.search_doubles import HashingEmbedder

from benchmarks.locomo import Conversation, Question
from benchmarks.rankings import measure_stored, ndcg, recall_share
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
