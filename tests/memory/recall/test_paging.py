"""Pages of an answer while the memory changes between the calls: no message twice, none skipped."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from foxing.memory import InvalidCursor, Memory, RecallResult
from foxing.memory.cursors import encode_cursor

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SUBJECTS = ("apple", "bridge", "candle", "dragon", "engine", "forest", "garden", "harbour", "island", "jacket")


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """Twenty messages about Titan, of different lengths, in two threads."""
    with Memory(database_url, clock=lambda: NOW) as opened:
        opened.store(
            "ana",
            [
                {
                    "id": str(number),
                    "thread": "even" if number % 2 == 0 else "odd",
                    "role": "user",
                    "content": f"Titan and the {SUBJECTS[number % 10]}: " + "we are late again, " * (number % 7),
                    "created_at": NOW - 20 * DAY + number * timedelta(hours=1),
                }
                for number in range(20)
            ],
        )
        yield opened


def read_all(page: Callable[[str | None], RecallResult], between: list[Callable[[], object]]) -> list[str]:
    """Ids in the order of the answer, with a change of the memory after each page."""
    seen: list[str] = []
    cursor = None
    changes = iter(between)
    while True:
        part = page(cursor)
        seen += [span.message_id for span in part.spans]
        cursor = part.next_cursor
        if cursor is None:
            return seen
        next(changes, lambda: None)()


@pytest.mark.slow
@pytest.mark.parametrize("query", ["Titan", "are we late for Titan?", None])
def test_every_message_comes_once_while_others_are_stored_sealed_and_aged(memory: Memory, query: str | None) -> None:
    def newcomer() -> None:
        memory.store("ana", [{"id": "new", "role": "user", "content": "Titan Titan", "created_at": NOW - 40 * DAY}])

    changes = [
        newcomer,
        lambda: memory.seal("ana"),
        lambda: memory.age("ana"),
        lambda: memory.age("ana", now=NOW + 20 * DAY),
        lambda: memory.age("ana", now=NOW + 400 * DAY),
    ]
    seen = read_all(lambda cursor: memory.recall("ana", query, limit=3, cursor=cursor), changes)
    assert sorted(seen, key=int) == [str(number) for number in range(20)]


def test_pages_may_have_any_size(memory: Memory) -> None:
    whole = [span.message_id for span in memory.recall("ana", "Titan late").spans]
    sizes = iter([1, 7, 2, 5, 500])
    seen = read_all(lambda cursor: memory.recall("ana", "Titan late", limit=next(sizes), cursor=cursor), [])
    assert seen == whole


@pytest.mark.parametrize("query", ["Titan", None])
def test_images_show_every_message_once_while_pages_age(memory: Memory, query: str | None) -> None:
    seen: list[str] = []
    cursor = None
    memory.seal("ana")
    memory.store("ana", [{"id": f"open {n}", "role": "user", "content": "Titan", "created_at": NOW} for n in range(5)])
    while True:
        part = memory.recall_images("ana", query, limit=2, cursor=cursor)
        seen += [span.message_id for span in part.open_spans]
        seen += [key for image in part.images for key in image.message_ids]
        cursor = part.next_cursor
        if cursor is None:
            break
        memory.age("ana", now=NOW + 20 * DAY)
    assert len(seen) == len(set(seen)) == 25


def test_a_time_in_the_question_means_the_same_on_every_page(database_url: str) -> None:
    moment = [NOW]
    with Memory(database_url, clock=lambda: moment[0]) as memory:
        memory.store(
            "ana",
            [
                {
                    "id": str(n),
                    "role": "user",
                    "content": "Titan",
                    "created_at": NOW - 21 * DAY + n * timedelta(hours=1),
                }
                for n in range(4)
            ],
        )
        first = memory.recall("ana", "Titan 3 weeks ago", limit=2)
        moment[0] = NOW + 300 * DAY  # nothing was said three weeks before this
        rest = memory.recall("ana", "Titan 3 weeks ago", cursor=first.next_cursor)
    assert sorted(span.message_id for span in first.spans + rest.spans) == ["0", "1", "2", "3"]


def test_what_exceeds_the_budget_is_passed_over_and_comes_later(database_url: str) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:
        for key, length in (("short", 1), ("long", 58), ("shorter", 0), ("medium", 5)):
            text = "Titan " * 8 if key == "long" else "Titan"
            memory.store("ana", [{"id": key, "role": "user", "content": text + " and more words" * length}])
        whole = memory.recall("ana", "Titan")
        for query in ("Titan", None):
            part = memory.recall("ana", query, max_tokens=120)
            assert {span.message_id for span in part.spans} == {"short", "shorter", "medium"}
            assert [(left.message_id, left.reason) for left in part.left_out] == [("long", "max_tokens")]
            assert part.text_tokens <= 120
            rest = memory.recall("ana", query, cursor=part.next_cursor)
            assert [span.message_id for span in rest.spans] == ["long"]
            ranked = {"score": rest.spans[0].score, "relevance": rest.spans[0].relevance}
            assert rest.spans[0] in [span.model_copy(update=ranked) for span in whole.spans]
            assert rest.next_cursor is None


def test_the_first_is_cut_when_nothing_fits(memory: Memory) -> None:
    seen = read_all(lambda cursor: memory.recall("ana", "Titan", limit=4, max_tokens=1, cursor=cursor), [])
    assert sorted(seen, key=int) == [str(number) for number in range(20)]
    part = memory.recall("ana", "Titan", limit=4, max_tokens=2)
    assert len(part.spans) == 1
    assert part.text_tokens <= 2
    assert [left.reason for left in part.left_out] == ["max_tokens"] * 3


def test_messages_without_exact_text_are_named(memory: Memory) -> None:
    memory.seal("ana")
    memory.age("ana", now=NOW)
    memory.store("ana", [{"id": "exact", "role": "user", "content": "Titan", "created_at": NOW}])
    part = memory.recall("ana", "Titan", fidelity="verbatim", limit=5)
    assert [span.message_id for span in part.spans] == ["exact"]
    assert len(part.left_out) == 5
    assert {left.reason for left in part.left_out} == {"not_verbatim"}


def test_a_forged_cursor_shows_nothing_of_another_bank(memory: Memory) -> None:
    memory.store("secret", [{"id": "secret", "role": "user", "content": "Titan", "created_at": NOW}])
    fingerprint = _fingerprint(memory.recall("ana", limit=1).next_cursor)
    every_id = [1] * 30
    forged = encode_cursor(fingerprint, [None] * 4 + [NOW.isoformat(), 0, every_id])
    assert "secret" not in {span.message_id for span in memory.recall("ana", cursor=forged).spans}
    at = NOW.isoformat()
    for wrong in ([at, 0, 5], [at, 0, [-1]], [], [1, 1]):
        with pytest.raises(InvalidCursor):
            memory.recall("ana", cursor=encode_cursor(fingerprint, [None] * 4 + wrong))


def test_a_cursor_of_another_bank_is_refused(memory: Memory) -> None:
    memory.store("bo", [{"role": "user", "content": f"Titan {n}"} for n in range(3)])
    for bank in ("ana", "bo"):
        for _ in range(3):
            memory.store(bank, [{"role": "user", "content": "Titan"}])
            memory.seal(bank)
        for name in ("a", "b"):
            memory.records.write(bank, [{"op": "put", "namespace": [name], "key": name, "value": {"a": name}}])
    lists: dict[str, Callable[[str, str | None], Any]] = {
        "recall": lambda bank, cursor: memory.recall(bank, "Titan", limit=1, cursor=cursor),
        "window": lambda bank, cursor: memory.recall(bank, limit=1, cursor=cursor),
        "images": lambda bank, cursor: memory.recall_images(bank, "Titan", limit=1, cursor=cursor),
        "pages": lambda bank, cursor: memory.pages(bank, limit=1, cursor=cursor),
        "records": lambda bank, cursor: memory.records.search(bank, limit=1, cursor=cursor),
        "namespaces": lambda bank, cursor: memory.records.namespaces(bank, limit=1, cursor=cursor),
    }
    for name, page in lists.items():
        cursor = page("ana", None).next_cursor
        assert page("ana", cursor), name
        with pytest.raises(InvalidCursor):
            page("bo", cursor)


def _fingerprint(cursor: str | None) -> str:
    assert cursor is not None
    fields = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    return str(fields[0])


def _bank_with_history(url: str) -> tuple[Memory, list[Callable[[], object]], set[str]]:
    """A memory, what changes it in a random order, and the ids of messages that are there, which erasing keeps up."""
    random = Random(3)
    moment = [NOW]
    memory = Memory(url, clock=lambda: moment[0])
    memory.set_policy("ana", {"undo_window": "P90D", "seal_after": "P300D", "age_from": "message"})
    for number in range(20):
        length = random.choice([1, 1, 2, 8])
        text = "\n\n".join(
            f"Titan and the {random.choice(SUBJECTS)}: " + "we are late again. " * 8 for _ in range(length)
        )
        at = NOW - 40 * DAY + number * timedelta(hours=1)
        memory.store("ana", [{"id": str(number), "role": "user", "content": text, "created_at": at}])
        if number % 7 == 6:
            memory.seal("ana")
    there = {str(number) for number in range(20)}

    def age() -> None:
        moment[0] += random.choice([1, 10, 40, 400]) * DAY
        memory.age("ana")

    def undo() -> None:
        memory.undo("ana")
        for page in memory.pages("ana", limit=500).pages:
            memory.pin("ana", page.id, pinned=False)

    def erase() -> None:
        key = random.choice(sorted(there))
        memory.erase_message("ana", key)
        there.remove(key)

    def store_and_seal() -> None:
        at = NOW - 60 * DAY
        memory.store("ana", [{"role": "user", "content": f"Titan {n}. " * 90, "created_at": at} for n in range(3)])
        memory.seal("ana")

    steps = (age, age, undo, erase, erase, store_and_seal)
    return memory, [random.choice(steps) for _ in range(8)], there


@pytest.mark.slow
@pytest.mark.both_databases
@pytest.mark.parametrize("query", ["Titan", "late garden", None])
def test_messages_come_once_while_others_are_erased_and_undone(database_url: str, query: str | None) -> None:
    memory, changes, there = _bank_with_history(database_url)
    with memory:
        seen: list[str] = []
        passages: list[tuple[str, tuple[int, int] | None]] = []

        def page(cursor: str | None) -> RecallResult:
            part = memory.recall("ana", query, limit=3 if query is None else 6, cursor=cursor)
            passages.extend((span.message_id, span.passage) for span in part.spans)
            return part

        seen = read_all(page, changes)
        old = {str(number) for number in range(20)}
        matching = there if query != "late garden" else there & set(seen)
        assert matching <= set(seen)
        assert query != "Titan" or set(seen) <= old
        twice = {key for key in seen if query is None and seen.count(key) > 1}
        assert twice == set()
        assert len(passages) == len(set(passages))


@pytest.mark.slow
@pytest.mark.both_databases
def test_pages_come_once_while_messages_are_erased_and_others_sealed(database_url: str) -> None:
    memory, changes, _ = _bank_with_history(database_url)
    with memory:
        always = {page.id for page in memory.pages("ana", limit=500).pages}
        seen: list[str] = []
        cursor = None
        steps = iter(changes)
        while True:
            part = memory.pages("ana", limit=1, cursor=cursor)
            seen += [page.id for page in part.pages]
            cursor = part.next_cursor
            if cursor is None:
                break
            next(steps, lambda: None)()
            always &= {page.id for page in memory.pages("ana", limit=500).pages}
        assert len(seen) == len(set(seen))
        assert always <= set(seen)


def test_a_page_that_erasure_moves_is_listed(memory: Memory) -> None:
    for first in (0, 10):
        given = [0, 30] if first else [10, 20]
        messages = [
            {"id": f"{first}-{hours}", "role": "user", "content": "late", "created_at": NOW - 2 * DAY + hours * HOUR}
            for hours in given
        ]
        memory.store("bo", messages)
        memory.seal("bo")
    first, second = memory.pages("bo").pages
    part = memory.pages("bo", limit=1)
    assert [page.id for page in part.pages] == [first.id]
    memory.erase_message("bo", "10-30")
    assert [page.id for page in memory.pages("bo").pages] == [second.id, first.id]
    assert [page.id for page in memory.pages("bo", limit=1, cursor=part.next_cursor).pages] == [second.id]
