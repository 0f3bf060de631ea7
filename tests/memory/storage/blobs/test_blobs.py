"""Pages whose tokens and texts are in object storage behave as those in the database do."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen
from support.databases import execute
from support.operations.blobs import DAY, START, Storage, fill, messages, said

from foxing.encoder import VisionTokens
from foxing.memory import DatabaseOptions, Memory, MemoryOptions, StorageError, TokensDamaged
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference, MissingBlob
from foxing.memory.storage.blobs.store import BlobStore
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories.blobs import contents
from foxing.memory.storage.repositories.blobs.erasure import find_orphans

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("no_decoding_in_transactions")]


def tokens(url: str) -> list[bytes]:
    return [bytes(row[0]) for row in execute(url, "SELECT tokens FROM page_contents ORDER BY page_id")]


def uses(url: str) -> list[int]:
    return sorted(row[0] for row in execute(url, "SELECT uses FROM blobs"))


@pytest.mark.slow
def test_a_memory_answers_the_same_wherever_its_blobs_are(
    memory: Memory, database_url: str, storage: Storage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("beside") / "foxing.db"
    with Memory(path, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as beside:
        for each in (memory, beside):
            fill(each)
            each.age("ana", now=START + 10 * DAY)
            each.undo("ana", now=START + 11 * DAY, page=each.pages("ana").pages[0].id)
            each.age("ana", now=START + 40 * DAY)

        assert all(len(blob) == REFERENCE_BYTES for blob in tokens(database_url))
        assert len(storage.files()) == len(uses(database_url)) > 3
        assert [m.text for m in memory.export("ana")] == [m.text for m in beside.export("ana")]
        ours, theirs = memory.bank("ana"), beside.bank("ana")
        assert ours.bytes.trash == theirs.bytes.trash
        assert ours.tiers == theirs.tiers


def test_a_blob_lives_as_long_as_anything_uses_it(memory: Memory, database_url: str, storage: Storage) -> None:
    for key in ("one", "two"):  # two pages that look the same
        memory.store("ana", [{**messages([7])[0], "id": key}])
        memory.seal("ana")
    memory.age("ana", now=START + 10 * DAY)
    assert max(uses(database_url)) >= 2

    memory.erase_message("ana", "one")
    assert memory.read_page("ana", memory.pages("ana").pages[0].id).text
    assert memory.message("ana", "two").text == said(7)
    memory.erase_message("ana", "two")

    assert (storage.files(), uses(database_url)) == ([], [])


def test_banks_share_no_blob(memory: Memory, database_url: str) -> None:
    for bank in ("ana", "bo"):
        memory.store(bank, messages([7]))
        memory.seal(bank)
    assert len(set(tokens(database_url))) == 2
    assert set(uses(database_url)) == {1}


@pytest.mark.slow
def test_what_is_erased_is_gone_from_the_storage(memory: Memory, database_url: str, storage: Storage) -> None:
    fill(memory)
    memory.age("ana", now=START + 10 * DAY)
    before = storage.contents()

    report = memory.erase_message("ana", "3")

    assert report.log_erased
    page = memory.pages("ana").pages[0]
    assert "Harbour Road 21," not in memory.read_page("ana", page.id).text
    kept = {BlobReference.read(blob).name for blob in _all_blobs(database_url) if BlobReference.read(blob)}  # type: ignore[union-attr]
    assert {path.name for path in storage.files()} == kept
    assert len(set(before) - set(storage.contents())) >= 2  # its tokens, and what the trash had
    memory.erase_bank("ana")
    assert storage.files() == []


def _all_blobs(url: str) -> list[bytes]:
    rows = [
        *execute(url, "SELECT tokens, text FROM page_contents"),
        *execute(url, "SELECT tokens, text, parts FROM trash"),
    ]
    return [bytes(value) for row in rows for value in row if value is not None]


def test_what_is_purged_is_gone_from_the_storage(memory: Memory, database_url: str, storage: Storage) -> None:
    fill(memory)
    memory.age("ana", now=START + 10 * DAY)
    assert len(storage.files()) > 3

    memory.tick(now=START + 30 * DAY)

    assert execute(database_url, "SELECT count(*) FROM trash") == [(0,)]
    assert len(storage.files()) == 3
    assert uses(database_url) == [1, 1, 1]
    assert [m.message_id for m in memory.export("ana")] == [str(n) for n in range(24)]


def test_objects_stay_while_a_transaction_may_still_read_them(
    memory: Memory, options: DatabaseOptions, storage: Storage
) -> None:
    fill(memory, pages=1)
    page = memory.pages("ana").pages[0].id
    with Database(options) as other, other.read() as connection:
        connection.exec_driver_sql("SELECT * FROM pages").all()

        report = memory.erase_bank("ana")

        assert not report.log_erased
        assert len(storage.files()) >= 1
        stored = connection.exec_driver_sql("SELECT tokens FROM page_contents").scalar_one()
        assert contents.get(connection, [(1, bytes(stored))])[0] is not None
    memory.tick()
    assert storage.files() == []
    assert page


def test_what_another_process_gives_up_meanwhile_waits_for_its_own_readers(
    memory: Memory, options: DatabaseOptions, storage: Storage
) -> None:
    fill(memory, pages=1)
    memory.store("bo", messages([30]))
    memory.seal("bo")
    with Database(options) as other, other.read() as connection:
        connection.exec_driver_sql("SELECT * FROM pages").all()
        assert not memory.erase_bank("ana").log_erased
    before = storage.files()
    with Database(options) as eraser, Database(options) as reader, ExitStack() as open_until_the_end:
        seen: list[Connection] = []

        def give_up_another(*event: Any) -> None:
            """Once nothing is in the way of the eraser, a reader begins, and another process erases what it sees."""
            if not seen and any(word in event[2] for word in ("wal_checkpoint", "pg_stat_activity")):
                seen.append(open_until_the_end.enter_context(reader.read()))
                seen[0].exec_driver_sql("SELECT * FROM pages").all()
                assert not memory.erase_bank("bo").log_erased

        listen(eraser.engine, "after_cursor_execute", give_up_another)
        assert eraser.purge_deleted()

        assert seen
        assert 0 < len(storage.files()) < len(before)
        query = "SELECT pages.bank_id, tokens FROM page_contents JOIN pages ON pages.id = page_id"
        ((bank_id, stored),) = seen[0].exec_driver_sql(query)
        assert not isinstance(contents.get(seen[0], [(bank_id, bytes(stored))])[0], MissingBlob)
    memory.tick()
    assert storage.files() == []


def _interrupted(database: Database) -> None:
    with database.write() as connection:
        contents.put(connection, 1, [b"x" * 200])
        raise KeyboardInterrupt


def test_an_upload_that_was_not_committed_is_an_orphan(
    options: DatabaseOptions, memory: Memory, storage: Storage
) -> None:
    fill(memory, pages=1)
    known = storage.files()
    with Database(options) as database:
        with pytest.raises(KeyboardInterrupt):
            _interrupted(database)
        assert len(storage.files()) == len(known) + 1
        assert find_orphans(database) == []  # it may belong to a transaction that is still open

        storage.make_old()

        (orphan,) = find_orphans(database)
        assert storage.folder / orphan not in known
    assert memory.message("ana", "3").text == said(3)


def test_a_missing_blob_is_an_error_of_its_page_alone(
    memory: Memory, options: DatabaseOptions, database_url: str, storage: Storage
) -> None:
    memory.set_policy("ana", {"keep_text": "until:large", "age_from": "message"})
    fill(memory, pages=2)
    first, second = memory.pages("ana").pages
    reference = BlobReference.read(tokens(database_url)[0])
    assert reference is not None
    for path in storage.files():
        if path.name == reference.name:
            path.unlink()

    with pytest.raises(TokensDamaged, match="missing from object storage"):
        memory.read_page("ana", first.id)

    assert memory.read_page("ana", second.id).text
    assert memory.message("ana", "12").text == said(12)
    with Memory(options, options=MemoryOptions(embedder="none")) as other:  # which has not sealed it
        report = other.age("ana", now=START + 10 * DAY)
    assert [page.page_id for page in report.unreadable] == [first.id]


def test_a_page_whose_tokens_are_missing_is_not_aged_from_its_text(
    memory: Memory, options: DatabaseOptions, database_url: str, storage: Storage
) -> None:
    """What ageing drops could not be restored, not even by putting the object back."""
    fill(memory, pages=1)
    page = memory.pages("ana").pages[0]
    (stored,) = tokens(database_url)
    reference = BlobReference.read(stored)
    assert reference is not None
    (path,) = [path for path in storage.files() if path.name == reference.name]
    (reading,) = memory.codec.decode([VisionTokens.from_bytes(path.read_bytes())])
    execute(database_url, "UPDATE page_contents SET text = :whole", whole=pack_text(reading.cells))
    path.rename(storage.folder.with_name("aside"))
    with Memory(options, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as other:
        report = other.age("ana", now=START + 10 * DAY)
        assert [(left.page_id, "missing from object storage" in left.reason) for left in report.unreadable] == [
            (page.id, True)
        ]
        assert tokens(database_url) == [stored]
        storage.folder.with_name("aside").rename(path)
        assert [moved.page_id for moved in other.age("ana", now=START + 10 * DAY).moved] == [page.id]
        other.undo("ana", now=START + 11 * DAY)
        assert other.page_tokens("ana", page.id).tier == page.tier
        assert other.message("ana", "3").text == said(3)


def test_a_changed_object_is_not_taken_for_the_blob(memory: Memory, storage: Storage) -> None:
    memory.set_policy("ana", {"keep_text": "until:large", "age_from": "message"})
    fill(memory, pages=1)
    for path in storage.files():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(TokensDamaged, match="missing from object storage"):
        memory.read_page("ana", memory.pages("ana").pages[0].id)


def test_a_database_without_its_storage_says_so(memory: Memory, database_url: str) -> None:
    fill(memory, pages=1)
    page = memory.pages("ana").pages[0].id
    with Memory(database_url) as other, pytest.raises(StorageError, match="object storage") as raised:
        other.page_tokens("ana", page)
    assert raised.value.settings == ("blobs_url",)


def test_what_was_in_the_database_stays_there(database_url: str, options: DatabaseOptions, storage: Storage) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as memory:
        fill(memory, pages=1)
    with Memory(options, clock=lambda: START + DAY) as memory:
        assert memory.message("ana", "3").text == said(3)
        assert storage.files() == []
        memory.age("ana", now=START + 10 * DAY)
        assert len(storage.files()) >= 2


def test_a_storage_that_does_not_answer_stops_nothing_but_what_needs_it(
    memory: Memory, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    fill(memory, pages=1)
    aside = storage.folder.with_name("aside")
    storage.folder.rename(aside)
    storage.folder.write_text("not a folder")
    try:
        with caplog.at_level(logging.WARNING):
            assert not memory.erase_bank("ana").log_erased
        assert "could not be deleted yet" in caplog.text
        memory.store("bo", messages([1]))
        with pytest.raises(StorageError, match="cannot be used"):
            memory.seal("bo")
        assert memory.bank("bo").open_messages == 1
    finally:
        storage.folder.unlink()
        aside.rename(storage.folder)
    memory.tick(now=START + timedelta(days=1))
    assert storage.files() == []


def test_writers_do_not_wait_while_contents_are_read_for_ageing(
    memory: Memory, options: DatabaseOptions, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(memory, pages=1)
    get, stored = BlobStore.get, list[int]()
    impatient = replace(options, busy_timeout_s=0.2)
    with Memory(impatient, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as other:

        def get_slowly(store: BlobStore, paths: Sequence[str]) -> dict[str, bytes]:
            if not stored:
                stored.append(other.store("ana", messages([30])).stored)
            return get(store, paths)

        def fail(store: BlobStore, paths: Sequence[str]) -> dict[str, bytes]:
            assert leases(database_url) == 1
            raise StorageError("the storage cannot be used")

        with monkeypatch.context() as patch:
            patch.setattr(BlobStore, "get", fail)
            with pytest.raises(StorageError, match="the storage cannot be used"):
                memory.age("ana", now=START + 10 * DAY)
        assert leases(database_url) == 0
        with monkeypatch.context() as patch:
            patch.setattr(BlobStore, "get", get_slowly)
            assert len(memory.age("ana", now=START + 10 * DAY).moved) == 1
    assert stored == [1]


def leases(url: str) -> int:
    ((number,),) = execute(url, "SELECT count(*) FROM pages WHERE lease_owner IS NOT NULL")
    return int(number)


def test_a_url_of_something_else_is_refused(database_url: str) -> None:
    with pytest.raises(StorageError, match="write it like s3://bucket/prefix") as raised:
        Memory(DatabaseOptions(database_url, blobs_url="ftp://server/folder"))
    assert raised.value.settings == ("blobs_url",)
