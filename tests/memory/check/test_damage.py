"""A database is damaged in several ways at once; each is found by its own check, and set right where it can be."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

import pytest
from support.databases import execute
from support.operations.checks import check, examples, problems

from foxing.encoder import VisionTokens
from foxing.memory.check.report import CheckReport
from foxing.memory.storage.manifest import PageManifest, Place

LATE = "9000-01-01 00:00:00.000000"


class Damage(NamedTuple):
    """A change behind the memory's back, and what is said of it."""

    check: str
    said: str
    change: Callable[[str], object]


def sql(check: str, said: str, statement: str, **values: object) -> Damage:
    """A statement."""
    return Damage(check, said, lambda url: execute(url, statement, **values))


def tokens(check: str, said: str, page: int, change: Callable[[bytes], bytes]) -> Damage:
    """Other tokens of a page."""

    def damage(url: str) -> None:
        ((old,),) = execute(url, "SELECT tokens FROM page_contents WHERE page_id = :page", page=page)
        execute(url, "UPDATE page_contents SET tokens = :new WHERE page_id = :page", new=change(bytes(old)), page=page)

    return Damage(check, said, damage)


def manifest(check: str, said: str, page: int, change: Callable[[bytes], bytes]) -> Damage:
    """Another manifest of a page."""

    def damage(url: str) -> None:
        ((old,),) = execute(url, "SELECT manifest FROM page_manifests WHERE page_id = :page", page=page)
        statement = "UPDATE page_manifests SET manifest = :new, stamp = stamp + 1 WHERE page_id = :page"
        execute(url, statement, new=change(bytes(old)), page=page)

    return Damage(check, said, damage)


def with_cell(place: int, field: str, number: int) -> Callable[[bytes], bytes]:
    """A manifest with another number in one of its places."""

    def changed(packed: bytes) -> bytes:
        old = PageManifest.unpack(packed)
        cells = old.cells.copy()
        cells[place, Place._fields.index(field)] = number
        return replace(old, cells=cells).pack()

    return changed


def of_another_thread(packed: bytes) -> bytes:
    old = PageManifest.unpack(packed)
    return replace(old, threads=old.threads + 70).pack()


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def of_other_weights(data: bytes) -> bytes:
    return replace(VisionTokens.from_bytes(data), weights="0" * 12).to_bytes()


def of_another_codec(data: bytes) -> bytes:
    return replace(VisionTokens.from_bytes(data), codec="lost").to_bytes()


def garbled(data: bytes) -> bytes:
    """Intact tokens that no page was encoded to."""
    intact = VisionTokens.from_bytes(data)
    return replace(intact, data=bytes(byte ^ 0xA5 for byte in intact.data)).to_bytes()


#: Sets of damages that do not touch each other. Nothing but a backup helps.
LOST = {
    "pages and what they say": (
        tokens("page-tokens", "checksum mismatch", 1, flipped),
        sql("page-tokens", "'base', ", "UPDATE pages SET tier = 'base' WHERE id = 2"),
        sql("page-tokens", ", 1, ", "UPDATE pages SET vision_tokens = 1 WHERE id = 3"),
        tokens("page-weights", "written by weights 000000000000", 4, of_other_weights),
        sql("page-places", "outside its message", "UPDATE keepsakes SET stop = stop + 9000"),
    ),
    "what tokens hold, and texts": (
        tokens("page-weights", "'lost'", 1, of_another_codec),
        tokens("page-decoding", "does not decode", 2, garbled),
        sql("page-text", "7 bytes of text", "UPDATE pages SET text_bytes = 7 WHERE id = 3"),
        manifest("page-places", "overlap", 4, with_cell(1, "header_start", 0)),
        sql("message-text", "digest", "UPDATE messages SET content = replace(content, 'tea', 'ink')"),
        sql("trash", "damaged", "UPDATE trash SET tokens = :tokens WHERE id = 2", tokens=b"FXV\x02 no"),
    ),
    "places and numbers": (
        manifest("page-places", "100000", 1, with_cell(2, "stop", 100_000)),
        sql("page-places", "9 messages", "UPDATE pages SET messages = 9 WHERE id = 2"),
        sql("page-places", "other times", "UPDATE pages SET first_at = last_at WHERE id = 3"),
        manifest("message-places", "one after the other", 4, with_cell(0, "char_start", 1)),
        sql("message-text", "characters in place of", "UPDATE messages SET chars = chars + 1 WHERE id = 18"),
        sql("references", "thread of another", "UPDATE messages SET bank_id = 3 - bank_id, key = 'x' WHERE id = 17"),
    ),
    "manifests": (
        manifest("page-manifests", "is damaged", 1, flipped),
        sql("page-manifests", "is missing", "DELETE FROM page_manifests WHERE page_id = 2"),
        manifest("page-manifests", "names a thread", 3, of_another_thread),
    ),
    "messages that are open and sealed": (
        sql(
            "message-places",
            "open from character 0 on",
            "INSERT INTO messages (id, bank_id, key, thread_id, role, created_at, arrived_at, content, digest, chars)"
            " SELECT min(first_message), bank_id, '0-0', thread_id, 'user', '2026-01-05 08:00:00.000000', "
            "'2026-01-05 08:00:00.000000', 'tea', x'', 3 FROM message_ranges WHERE bank_id = 1",
        ),
    ),
}

#: The same, where what is wrong can be set right.
REPAIRABLE = {
    "words and embeddings": (
        sql("postings", "cannot be read", "UPDATE posting_segments SET postings = x'00' WHERE bank_id = 1"),
        sql("terms", "message '0-1' of bank bo", "DELETE FROM posting_segments WHERE bank_id = 2"),
        sql("codes", "cannot be read", "UPDATE embedding_segments SET codes = x'010203' WHERE bank_id = 2"),
        sql("codes", "wrong size", "UPDATE embeddings SET code = x'010203' WHERE message_id = 13"),
    ),
    "ranges, keys and ids": (
        sql("lookup", "of bank ana", "DELETE FROM message_ranges WHERE bank_id = 1"),
        sql(
            "lookup",
            "of bank bo",
            "UPDATE message_ranges SET last_message = 1 + last_message WHERE bank_id = 2",
        ),
        sql("lookup", "3 messages of bank ana", "DELETE FROM message_keys WHERE message_id IN (1, 3, 17)"),
    ),
    "ranges of another bank": (
        sql("references", "page of another bank", "UPDATE message_ranges SET bank_id = 3 - bank_id"),
    ),
    "threads and counts of ranges": (
        sql("lookup", "of bank ana", "UPDATE message_ranges SET messages = messages + 1 WHERE bank_id = 1"),
        sql("lookup", "of bank bo", "UPDATE message_ranges SET thread_id = 3 - thread_id WHERE bank_id = 2"),
    ),
    "times of ranges": (sql("lookup", "of bank ana", "UPDATE message_ranges SET last_at = 1 WHERE bank_id = 1"),),
    "what is known of messages that do not exist": (
        sql(
            "codes",
            "of bank ana have the wrong size, or are of",
            "INSERT INTO embeddings (bank_id, message_id, embedder_id, code) SELECT 1, message_id, embedder_id, code "
            "FROM embeddings WHERE bank_id = 2 AND message_id < 18",
        ),
        sql("codes", "of bank bo have", "UPDATE embeddings SET message_id = 7700 WHERE message_id = 18"),
        sql("postings", "1 messages", "INSERT INTO recent_postings VALUES (1, 7700, x'')"),
    ),
    "postings of another bank": (
        sql(
            "postings",
            "do not exist",
            "UPDATE posting_segments SET postings = (SELECT other.postings FROM posting_segments AS other "
            "WHERE other.bank_id = 2) WHERE bank_id = 1",
        ),
    ),
}

ORPHANS = {
    "page_manifests": "DELETE FROM pages WHERE id = 1",
    "message_ranges": "UPDATE message_ranges SET bank_id = 77 WHERE bank_id = 1",
    "messages": "UPDATE messages SET thread_id = 77 WHERE id = 18",
    "jobs": "UPDATE jobs SET bank_id = 77 WHERE bank_id = 1",
    "schedule": "INSERT INTO schedule (bank_id, kind, due_at) VALUES (77, 'age', '2026-01-01 00:00:00.000000')",
    "recall_weights": "INSERT INTO recall_weights (bank_id, message_id, weight) VALUES (77, 7700, 1.0)",
    "erased_messages": "INSERT INTO erased_messages (bank_id, message_id) VALUES (77, 7700)",
    "recent_postings": "INSERT INTO recent_postings (bank_id, message_id, entries) VALUES (77, 7700, x'')",
}
BELONG_TO_PAGES = {"page_manifests", "messages"}


def said_by(report: CheckReport, name: str) -> Iterator[str]:
    return (example for part in report.parts if part.name == name for example in part.examples)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_named(filled_file: str, name: str) -> None:
    for damage in LOST[name]:
        damage.change(filled_file)
    found = check(filled_file, repair=True)
    for damage in LOST[name]:
        assert any(damage.said in example for example in said_by(found, damage.check)), (damage, examples(found))
    assert not found.sound
    left = problems(check(filled_file))
    assert {damage.check for damage in LOST[name]} <= set(left)


@pytest.mark.slow
@pytest.mark.parametrize("name", REPAIRABLE)
def test_what_can_be_made_again_is_repaired(filled_file: str, name: str) -> None:
    for damage in REPAIRABLE[name]:
        damage.change(filled_file)
    found = check(filled_file)
    for damage in REPAIRABLE[name]:
        assert any(damage.said in example for example in said_by(found, damage.check)), (damage, examples(found))
    repaired = check(filled_file, repair=True)
    assert repaired.sound, examples(repaired)
    assert problems(check(filled_file)) == {}


@pytest.mark.slow
def test_rows_that_belong_to_nothing_are_found(filled_file: str) -> None:
    with closing(sqlite3.connect(filled_file.removeprefix("sqlite:///"))) as connection, connection:
        for statement in ORPHANS.values():  # SQLite enforces references only for connections that ask for it
            connection.execute(statement)
    found = list(said_by(check(filled_file, repair=True), "references"))
    for table in ORPHANS:
        assert any(f" of {table}." in example for example in found), (table, found)
    left = list(said_by(check(filled_file), "references"))
    assert {table for table in ORPHANS if any(f" of {table}." in example for example in left)} == BELONG_TO_PAGES


@pytest.mark.slow
@pytest.mark.both_databases
def test_what_is_not_of_foxing_is_found(filled: str) -> None:
    if filled.startswith("sqlite"):
        execute(filled, "CREATE TRIGGER spy AFTER DELETE ON messages BEGIN DELETE FROM records; END")
        execute(filled, "CREATE VIEW spare AS SELECT content FROM messages")
    else:
        execute(filled, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        execute(filled, "CREATE TRIGGER spy BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION f()")
        execute(filled, "CREATE RULE spare AS ON DELETE TO records DO ALSO NOTHING")
    found = list(said_by(check(filled), "schema"))
    assert any("trigger spy on messages" in example for example in found)
    assert any("spare" in example for example in found)
