"""Paging through answers while the memory changes, and what recall does not decode."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from foxing.encoder import Reading, VisionTokens
from foxing.encoder.native.codec import NativeCodec
from foxing.memory import ContextRequest, InvalidCursor, Memory
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.search_index import SearchQuery
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

pytestmark = pytest.mark.usefixtures("words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Counting(NativeCodec):
    """The native codec, counting the token sequences that it decodes."""

    decoded = 0

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        self.decoded += len(tokens)
        return super().decode(tokens)


@pytest.fixture
def codec() -> Counting:
    codec = Counting.load(device="cpu")
    assert isinstance(codec, Counting)
    return codec


@pytest.fixture
def memory(database_url: str, codec: Counting) -> Iterator[Memory]:
    with Memory(database_url, codec=codec, clock=lambda: NOW) as opened:
        yield opened


def store(
    memory: Memory, keys: Sequence[object], text: str = "Titan is late", age: timedelta = DAY, thread: str = "main"
) -> None:
    memory.store(
        "ana",
        [
            {"id": str(key), "role": "user", "content": f"{text} {'again ' * number}", "created_at": NOW - age}
            for number, key in enumerate(keys)
        ],
        thread=thread,
    )


@pytest.mark.both_databases
@pytest.mark.parametrize("query", ["Titan", "is Titan late again and again?"])
def test_messages_stored_between_pages_do_not_shift_the_answers(memory: Memory, query: str) -> None:
    store(memory, range(20))
    whole = [span.message_id for span in memory.recall("ana", query).spans]
    seen: list[str] = []
    cursor = None
    for turn in range(50):
        part = memory.recall("ana", query, limit=3, cursor=cursor)
        seen += [span.message_id for span in part.spans]
        cursor = part.next_cursor
        if cursor is None:
            break
        store(memory, [f"new {turn}"], "Titan Titan Titan")  # would be the best answer
    assert seen == whole


@pytest.mark.both_databases
def test_a_window_includes_messages_stored_after_the_cursor_and_nothing_twice(memory: Memory) -> None:
    store(memory, range(4))
    part = memory.recall("ana", limit=2)
    store(memory, ["earlier"], age=2 * DAY)
    store(memory, ["later"], age=timedelta(0))
    rest = memory.recall("ana", cursor=part.next_cursor)
    assert [span.message_id for span in part.spans + rest.spans] == ["0", "1", "2", "3", "later"]


@pytest.mark.both_databases
def test_equal_scores_are_ordered_newest_first(memory: Memory) -> None:
    for number in range(5):
        store(memory, [number], "the same words", thread=str(number))
    assert [span.message_id for span in memory.recall("ana", "same words").spans] == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    "position",
    [["x", 1], [None, None], [[1], [2]], ["2026-01-01", 2**70], ["0001-01-01T00:00:00+14:00", 1], [-1, 5], [2**70, 1]],
)
@pytest.mark.parametrize("query", [None, "Titan"])
def test_forged_cursors_are_rejected(memory: Memory, position: list[object], query: str | None) -> None:
    store(memory, range(3))
    cursor = memory.recall("ana", query, limit=1).next_cursor
    assert cursor is not None
    fingerprint = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([fingerprint, *position]).encode()).decode()
    with pytest.raises(InvalidCursor):
        memory.recall("ana", query, cursor=forged)
    with pytest.raises(InvalidCursor):
        memory.recall("ana", query, cursor=base64.urlsafe_b64encode(b"[" * 100_000).decode())


def test_verbatim_decodes_only_what_is_exact(memory: Memory, codec: Counting) -> None:
    store(memory, ["kept"], age=timedelta(0))
    memory.seal("ana")
    store(memory, range(10), age=20 * DAY)
    memory.seal("ana")
    memory.age("ana")
    store(memory, ["open"], age=timedelta(0))
    codec.decoded = 0
    for query in (None, "Titan"):
        first = memory.recall("ana", query, fidelity="verbatim", limit=1)
        second = memory.recall("ana", query, fidelity="verbatim", limit=1, cursor=first.next_cursor)
        assert {span.message_id for span in first.spans + second.spans} == {"kept", "open"}
        assert second.next_cursor is None
    assert codec.decoded == 0  # the page whose tokens read as the exact text is known since it was sealed


def test_only_returned_messages_are_decoded(memory: Memory, codec: Counting) -> None:
    for number in range(4):
        store(memory, [number], age=20 * DAY)
        memory.seal("ana")
    memory.age("ana")
    codec.decoded = 0
    part = memory.recall("ana", limit=2)
    assert (len(part.spans), codec.decoded) == (2, 2)
    assert part.next_cursor is not None


def test_open_messages_count_towards_the_limit_of_images(memory: Memory) -> None:
    store(memory, range(10))
    seen: list[str] = []
    cursor = None
    while True:
        part = memory.recall_images("ana", limit=4, cursor=cursor)
        assert len(part.images) + len(part.open_spans) <= 4
        seen += [span.message_id for span in part.open_spans]
        cursor = part.next_cursor
        if cursor is None:
            break
    assert seen == [str(number) for number in range(10)]


def test_a_long_query_is_searched_by_its_rarest_words(memory: Memory, database_url: str) -> None:
    words = [f"w{number}x" for number in range(2000)]
    memory.store("ana", [{"id": str(n), "role": "user", "content": " ".join(words[n : n + 900])} for n in range(3)])
    memory.store("ana", [{"id": "rare", "role": "user", "content": words[1900]}])
    database = Database(database_url)
    with database.read() as connection:
        bank = banks.get(connection, "ana")
        terms = dict.fromkeys([*words[:900], words[1900]], 1)
        hits = PackedIndex().search(connection, SearchQuery(bank.id, terms), limit=100)
    database.close()
    assert len({hit.message_id for hit in hits}) == 4
    found = memory.recall("ana", " ".join(words[:1400]), limit=100).spans
    assert [span.message_id for span in found][-1] == "rare"  # it has none of the words
    assert len({span.message_id for span in found}) == 4


@pytest.mark.slow
def test_a_context_decodes_few_more_pages_than_it_shows(database_url: str, memory: Memory, codec: Counting) -> None:
    other = " ".join(f"The ferry to island {number} leaves at noon." for number in range(30))
    memory.set_policy("ana", {"fresh": "base", "steps": [{"after": "PT1H", "tier": "small"}]})
    for number in range(48):  # a match on each page, among what nobody asks for
        store(memory, [f"match {number}"], f"Titan {number} is late because the tower crane was out of order")
        store(memory, [f"other {number}"], other)
        memory.seal("ana")
    memory.age("ana")
    for reader in ("text", "claude"):
        with Memory(database_url, codec=codec, clock=lambda: NOW) as cold:
            codec.decoded = 0
            asked = ContextRequest(reader=reader, budget=300, query="is Titan late?", thread="new")
            shown = cold.context("ana", asked, track=False).message_ids
        assert len(shown) <= codec.decoded < 40
