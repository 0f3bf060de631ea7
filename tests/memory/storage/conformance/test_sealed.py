"""Sealed messages are found as open ones are, whatever pages they are on, in every dialect."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, select

from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import (
    banks,
    embeddings,
    integrity,
    messages,
    open_messages,
    pages,
    sizes,
    trash,
)
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.open_messages import SealedPart
from foxing.memory.storage.repositories.pages import PageParts, SpanRow
from foxing.memory.storage.repositories.sealed import changes, lookup, neighbours

from .conftest import NOW, insert_rows, new_message, new_page

pytestmark = pytest.mark.both_databases

THREADS = ("one", "two", "three")
COUNT = 90


def filled(connection: Connection, bank_id: int, seed: int) -> list[Message]:
    """Messages of three threads and another bank's between them, most of them on pages; all of the bank, by id."""
    random = Random(seed)
    other = banks.get_or_create(connection, "other", NOW, {}).id
    ids: list[int] = []
    for number in range(COUNT):
        for bank in [bank_id, other][: 1 + (random.random() < 0.3)]:
            thread = banks.thread_ids(connection, bank, [random.choice(THREADS)])
            row = new_message(bank, next(iter(thread.values())), f"k{number}", random.randrange(60))
            if random.random() < 0.5:
                row["key"] = None
            row["metadata"] = random.choice([None, {"level": 1}, {"level": True}, {"level": 2.0, "tag": "☂"}])
            row["passages"] = random.choice([1, 1, 3])
            found = insert_rows(connection, bank, [row])
            ids += found if bank == bank_id else []
    before = messages.by_ids(connection, bank_id, ids)
    waiting = sorted(ids, key=lambda i: (before[i].created_at, i))[: COUNT * 3 // 4]
    for start in range(0, len(waiting), 20):
        part = waiting[start : start + 20]
        random.shuffle(part)
        seal(connection, bank_id, f"p{start}", [before[i] for i in part])
    return [before[i] for i in ids]


def seal(connection: Connection, bank_id: int, key: str, on_it: Sequence[Message]) -> None:
    """A page with these messages, of which the last stays open."""
    times = [message.created_at for message in on_it]
    page = replace(new_page(bank_id, key), first_at=min(times), last_at=max(times), messages=len(on_it))
    spans: list[SpanRow] = []
    for number, message in enumerate(on_it):
        stop = message.chars if number < len(on_it) - 1 else message.chars // 2
        at = 40 * number
        spans.append(SpanRow(page.id, number, message.id, at, at + 2, at + 2 + stop, 0, stop))
    pages.insert(connection, page, pages.PageContent(b"t", b"x"), PageParts(spans), on_it)
    parts = [SealedPart(span.message_id, span.char_stop, True) for span in spans[:-1]]
    open_messages.mark_sealed(connection, [*parts, SealedPart(spans[-1].message_id, spans[-1].char_stop, False)])


def facts(message: Message) -> tuple[object, ...]:
    """What a message is, whether or not it is sealed."""
    who = (message.id, message.key, message.thread, message.thread_id, message.role, message.name)
    return (*who, message.created_at, message.chars, message.parts, message.metadata, message.passages)


FILTERS = (
    {},
    {"since": NOW + timedelta(minutes=20)},
    {"since": NOW + timedelta(minutes=10), "until": NOW + timedelta(minutes=31)},
    {"thread": "two"},
    {"metadata": {"level": 1}},
    {"metadata": {"level": 2, "tag": "☂"}, "thread": "one"},
)


def admits(message: Message, wanted: dict[str, object]) -> bool:
    since, until, held = wanted.get("since"), wanted.get("until"), dict(message.metadata or {})
    asked = wanted.get("metadata")
    return (
        (not isinstance(since, datetime) or message.created_at >= since)
        and (not isinstance(until, datetime) or message.created_at < until)
        and wanted.get("thread", message.thread) == message.thread
        and (
            not isinstance(asked, dict)
            or all(
                key in held and held[key] == value and isinstance(held[key], bool) == isinstance(value, bool)
                for key, value in asked.items()
            )
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_messages_are_what_they_were(database: Database, bank_id: int, seed: int) -> None:
    with database.write() as connection:
        every = filled(connection, bank_id, seed)
    with database.read() as connection:
        ids = [message.id for message in every]
        found = messages.by_ids(connection, bank_id, [*ids, 10**9])
        assert [facts(found[i]) for i in ids] == [facts(message) for message in every]
        assert sum(not message.open for message in found.values()) > COUNT / 2
        by_key = messages.by_keys(connection, bank_id, [*(message.key for message in every), "nobody"])
        assert {key: message.id for key, message in by_key.items()} == {m.key: m.id for m in every}
        assert messages.times(connection, bank_id, ids) == {m.id: m.created_at for m in every}
        assert messages.passage_counts(connection, bank_id, ids) == {m.id: 3 for m in every if m.passages == 3}
        assert messages.count(connection, bank_id) == COUNT
        assert messages.newest_id(connection, bank_id) >= max(ids)
        assert messages.ids_after(connection, bank_id, ids[30], 25) == ids[31:56]
        assert embeddings.pending(connection, bank_id, None, 0, COUNT + 5) == ids
        other = banks.find(connection, "other")
        assert other is not None
        assert messages.by_ids(connection, other.id, ids) == {}


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_a_filter_lets_the_same_through(database: Database, bank_id: int, wanted: dict[str, object]) -> None:
    with database.write() as connection:
        every = filled(connection, bank_id, 7)
    with database.read() as connection:
        thread = banks.find_thread(connection, bank_id, str(wanted["thread"])) if "thread" in wanted else None
        given = {key: value for key, value in wanted.items() if key != "thread"}
        within = MessageFilter(thread_id=thread, **given)  # type: ignore[arg-type]
        expected = sorted((m for m in every if admits(m, wanted)), key=lambda m: (m.created_at, m.id))
        ids = [message.id for message in expected]
        assert 0 < len(ids) <= COUNT
        assert messages.ids_within(connection, bank_id, within) == set(ids)
        assert messages.filter_ids(connection, bank_id, [m.id for m in every], within) == set(ids)
        assert [m.id for m in messages.latest(connection, bank_id, within, 7)] == ids[-7:]
        assert [m.id for m in messages.fetch_ordered(connection, bank_id, within, [m.id for m in every])] == ids
        listed: list[Message] = []
        while rows := messages.window(
            connection,
            bank_id,
            within,
            after=(listed[-1].created_at, listed[-1].id) if listed else None,
            limit=11,
        ):
            listed += rows
        assert [m.id for m in listed] == ids


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_those_of_the_thread(database: Database, bank_id: int, seed: int) -> None:
    with database.write() as connection:
        every = filled(connection, bank_id, seed)
    threads = {name: [message.id for message in every if message.thread == name] for name in THREADS}
    with database.read() as connection:
        for reach in (1, 3):
            found = neighbours.around(connection, bank_id, [message.id for message in every], reach).of
            for message in every:
                ids = threads[message.thread]
                place = ids.index(message.id)
                before, after = ids[max(0, place - reach) : place][::-1], ids[place + 1 : place + 1 + reach]
                assert (list(found[message.id].before), list(found[message.id].after)) == (before, after), message.id


def check_neighbours(database: Database, bank_id: int, ids: Sequence[int]) -> None:
    """`ids`: those of the messages of a bank, all of them in one thread."""
    with database.read() as connection:
        found = neighbours.around(connection, bank_id, ids, 2).of
        assert {i: (list(near.before), list(near.after)) for i, near in found.items()} == {
            i: (list(ids[max(0, place - 2) : place][::-1]), list(ids[place + 1 : place + 3]))
            for place, i in enumerate(ids)
        }
        assert sorted(lookup.read(connection, bank_id, ids)) == sorted(
            set(ids) & lookup.ids_within(connection, bank_id, MessageFilter())
        )


def test_what_is_held_of_a_bank_follows_its_pages(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        thread = next(iter(banks.thread_ids(connection, bank_id, ["one"]).values()))
        ids = insert_rows(connection, bank_id, [new_message(bank_id, thread, f"k{n}", n) for n in range(30)])
        every = messages.by_ids(connection, bank_id, ids)
    check_neighbours(database, bank_id, ids)
    for start in (10, 0, 20):  # a page is added before another, and after it
        with database.write() as connection:
            seal(connection, bank_id, f"p{start}", [every[i] for i in ids[start : start + 10]])
        check_neighbours(database, bank_id, ids)
    with database.read() as earlier:
        assert len(neighbours.around(earlier, bank_id, ids, 2).rows) == len(ids)
        with database.write() as connection:
            page = pages.get(connection, bank_id, "p10")
            trash.delete_page(connection, page)
        left = ids[:10] + ids[19:]  # the last message of a page is open, too
        check_neighbours(database, bank_id, left)
        assert len(neighbours.around(earlier, bank_id, ids, 2).rows) == len(ids)
    with database.read() as later:
        assert len(neighbours.around(later, bank_id, ids, 2).rows) == len(left)


@pytest.mark.parametrize("packed", [False, True])
def test_codes_that_are_stored_already_are_no_change(database: Database, bank_id: int, packed: bool) -> None:
    def version() -> int:
        with database.read() as connection:
            return embeddings.version(connection, bank_id, "tests", 8).version

    with database.write() as connection:
        thread = next(iter(banks.thread_ids(connection, bank_id, ["one"]).values()))
        ids = insert_rows(connection, bank_id, [new_message(bank_id, thread, f"k{n}", n) for n in range(3)])
        embedder = embeddings.embedder_id(connection, "tests", 8)
    for codes, changes_ in (({ids[1]: b"a", ids[2]: b"b"}, 0), ({ids[2]: b"b"}, 0), ({ids[0]: b"c", ids[1]: b"a"}, 1)):
        before = version()
        with database.write() as connection:
            embeddings.replace(connection, bank_id, embedder, codes)
            if packed:
                embeddings.pack(connection, bank_id)
        assert version() - before == changes_
    with database.read() as connection:
        stored = {row.message_id: row.code for row in embeddings.codes_after(connection, bank_id, embedder, 0)}
        assert stored == dict(zip(ids, (b"c", b"a", b"b"), strict=True))


def test_packed_codes_are_those_of_the_messages(
    database: Database, bank_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "SEGMENT", 4)
    with database.write() as connection:
        thread = next(iter(banks.thread_ids(connection, bank_id, ["one"]).values()))
        ids = insert_rows(connection, bank_id, [new_message(bank_id, thread, f"k{n}", n) for n in range(COUNT)])
        codes = {i: b"" if n == 2 else bytes([n]) * 64 * (1 + n % 3) for n, i in enumerate(ids)}
        embedder = embeddings.embedder_id(connection, "tests", 8)
        for start in range(0, COUNT, 3):  # segments that are not full are opened again
            part = ids[start : start + 3]
            embeddings.add(connection, bank_id, embedder, {i: codes[i] for i in part if i != ids[5]})
            embeddings.pack(connection, bank_id)
        assert connection.execute(select(schema.embeddings.c.message_id)).all() == []
        assert embeddings.pending(connection, bank_id, embedder, 0, COUNT) == [ids[5]]
        embeddings.replace(connection, bank_id, embedder, {ids[5]: codes[ids[5]], ids[0]: codes[ids[0]]})
        assert embeddings.count_pending(connection, bank_id, embedder) == 0
    for packed in (False, True):
        with database.write() as connection:
            if packed:
                embeddings.pack(connection, bank_id)
            stored = embeddings.codes_after(connection, bank_id, embedder, 0)
            assert [tuple(row) for row in stored] == [(i, code) for i, code in codes.items() if code]
            assert [row.message_id for row in embeddings.codes_after(connection, bank_id, embedder, ids[6])] == ids[7:]
            assert embeddings.newest(connection, bank_id, embedder) == ids[-1]
            assert embeddings.has_codes(connection, bank_id, "tests", 8)
            assert not embeddings.has_codes(connection, bank_id, "tests", 9)
    size = sum(map(len, codes.values()))
    with database.write() as connection:
        assert size < sizes.totals(connection, [bank_id])["embeddings"][bank_id] < size + COUNT * 60
        assert sum(segment.messages for segment in integrity.code_segments(connection, bank_id)) == COUNT
        gone = [*ids[:5], ids[-1]]
        embeddings.remove(connection, bank_id, gone)
        assert embeddings.pending(connection, bank_id, embedder, 0, COUNT) == gone
        embeddings.remove(connection, bank_id, ids)
        assert not embeddings.has_any(connection, bank_id)
        assert list(integrity.code_segments(connection, bank_id)) == []


def test_passages_and_digests_of_sealed_messages_change(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        every = filled(connection, bank_id, 3)
        sealed = [m for m in messages.by_ids(connection, bank_id, [m.id for m in every]).values() if not m.open]
        assert all(message.digest for message in sealed)
        changes.set_passages(connection, bank_id, {message.id: 9 for message in every})
        on = pages.spans_of_messages(connection, bank_id, [sealed[0].id])[sealed[0].id][0].page_id
        changes.forget_digests(connection, bank_id, [on])
    with database.read() as connection:
        after = messages.by_ids(connection, bank_id, [message.id for message in every])
        assert {message.passages for message in after.values()} == {9}
        assert after[sealed[0].id].digest  # its page keeps the exact text
    with database.write() as connection:
        page = pages.by_ids(connection, [on])[on]
        lower = replace(page, tier="tiny", text_bytes=0, text_kept=False)
        pages.swap(connection, page, lower, pages.PageContent(b"lo", None))
        changes.forget_digests(connection, bank_id, [on])
        left = messages.by_ids(connection, bank_id, [message.id for message in sealed])
        on_page = lookup.messages_on(connection, [on])
        assert all(bool(message.digest) == (message.id not in on_page) for message in left.values())
