"""Pages with their contents, spans and keepsakes, and the trash."""

from dataclasses import replace
from datetime import timedelta

import pytest

from foxing.memory import NotFound
from foxing.memory.storage import ages, schema
from foxing.memory.storage.ages import PageGroup
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages, sizes, trash
from foxing.memory.storage.repositories.pages import PageContent, PageParts
from foxing.memory.storage.repositories.sealed import lookup
from foxing.memory.values.policy import Age

from .conftest import NOW, ODD_TEXT, insert_messages, insert_page, new_page

pytestmark = pytest.mark.both_databases

DAY = timedelta(days=1)


def test_a_page_comes_back_as_it_was_inserted(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one", "two")
        page = insert_page(connection, new_page(bank_id, "p"), ids, keepsake=ODD_TEXT)
    with database.read() as connection:
        assert pages.get(connection, bank_id, "p") == page == pages.by_ids(connection, [page.id])[page.id]
        assert (page.layout, page.confidence, page.last_at) == ({"columns": 160, "rows": 80}, 0.5, NOW)
        assert (page.version, page.pinned) == (1, False)
        content = pages.contents(connection, [page.id])[page.id]
        assert (bytes(content.tokens), bytes(content.text or b"")) == (b"tok\0en", b"te\0t")
        assert [span.message_id for span in pages.spans_of_pages(connection, [page.id])[page.id]] == ids
        assert [span.ordinal for span in pages.spans_of_messages(connection, bank_id, ids)[ids[1]]] == [1]
        assert lookup.messages_on(connection, [page.id]) == set(ids)
        assert pages.kept_exactly(connection, bank_id, ids) == set(ids)
        assert [k.text for k in pages.keepsakes_of(connection, [page.id])[page.id]] == [ODD_TEXT]
        assert pages.keepsake_totals(connection, [page.id])[page.id].number == 1
        totals = sizes.totals(connection, [bank_id])
        assert totals["keepsakes"][bank_id] > 0
        assert totals["metadata"][bank_id] > 0
        with pytest.raises(NotFound, match="'q'"):
            pages.get(connection, bank_id, "q")


def test_pages_are_listed_in_time_order(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one")
        late, early, tiny = (
            insert_page(connection, new_page(bank_id, key, day=day, tier=tier), ids)
            for key, day, tier in (("late", 2, "base"), ("early", 1, "base"), ("tiny", 1, "tiny"))
        )
    with database.read() as connection:
        assert pages.ids_by_time(connection, bank_id) == [early.id, tiny.id, late.id]
        assert pages.ids_by_time(connection, bank_id, tier="tiny") == [tiny.id]
        assert pages.list_after(connection, bank_id, late.id, 5) == [early, tiny]
        assert pages.ageing_candidates(connection, bank_id, ["base"], NOW + DAY, 0, 5) == [early, tiny]
        assert {t.tier: t.pages for t in sizes.tier_totals(connection, [bank_id])[bank_id]} == {"base": 2, "tiny": 1}


def test_a_page_is_swapped_once_from_each_version(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        page = insert_page(connection, new_page(bank_id, "p"), insert_messages(connection, bank_id, "one"))
    with database.write() as connection:
        lower = replace(page, tier="tiny", vision_tokens=1, token_bytes=2, text_bytes=0, text_kept=False)
        assert pages.swap(connection, page, lower, PageContent(b"lo", None))
        assert not pages.swap(connection, page, lower, PageContent(b"no", None))
        now = pages.get(connection, bank_id, "p")
        assert (now.tier, now.version, now.text_bytes) == ("tiny", 2, 0)
        assert tuple(pages.contents(connection, [page.id])[page.id]) == (b"lo", None)
        pages.replace_parts(connection, page, PageParts([]))
        assert pages.spans_of_pages(connection, [page.id]) == {}


def test_a_lease_keeps_others_out_until_it_ends(database: Database, bank_id: int) -> None:
    later = NOW + timedelta(minutes=1)
    with database.write() as connection:
        page = insert_page(connection, new_page(bank_id, "p"), insert_messages(connection, bank_id, "one"))
        assert pages.lease(connection, page, "me", NOW, later)
        assert not pages.lease(connection, page, "other", NOW, later)
        assert pages.lease(connection, page, "other", later, later + timedelta(minutes=1))  # expired
        pages.release(connection, [page.id], "me")
        assert not pages.lease(connection, page, "me", later, later)
        pages.release(connection, [page.id], "other")
        pages.set_pinned(connection, page, True)
        pinned = pages.get(connection, bank_id, "p")
        assert pinned.pinned
        assert not pages.lease(connection, pinned, "me", NOW, later)
        assert pages.lease(connection, pinned, "me", NOW, later, pinned=True)


def test_groups_to_age_leave_pinned_pages_out(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one")
        insert_page(connection, new_page(bank_id, "new", day=3), ids)
        insert_page(connection, new_page(bank_id, "old", day=1), ids)
        insert_page(connection, new_page(bank_id, "bare", day=2, text_bytes=0), ids)
        pages.set_pinned(connection, insert_page(connection, new_page(bank_id, "pinned"), ids), True)
    with database.read() as connection:
        groups = ages.oldest_pages(connection, bank_id, "message")
        assert sorted(groups) == [PageGroup("base", False, Age(NOW + 2 * DAY)), PageGroup("base", True, Age(NOW + DAY))]
    with database.write() as connection:
        connection.execute(schema.pages.update().where(schema.pages.c.key == "bare").values(arrived_at=NOW + 9 * DAY))
    with database.read() as connection:
        groups = ages.oldest_pages(connection, bank_id, "arrival")
        assert sorted(groups) == [PageGroup("base", False, Age(NOW + 9 * DAY)), PageGroup("base", True, Age(NOW + DAY))]


def test_the_trash_is_purged_in_time(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        page = insert_page(connection, new_page(bank_id, "p"), insert_messages(connection, bank_id, "one"))
        assert trash.next_purge(connection, bank_id) is None
        for days in (1, 2):
            dropped = trash.DroppedPage(tokens=b"to\0", text=None, parts=b"p" if days == 2 else None)
            trash.drop(connection, page, dropped, dropped_at=NOW, purge_at=NOW + timedelta(days=days))
    with database.write() as connection:
        assert trash.next_purge(connection, bank_id) == NOW + DAY
        assert trash.latest_purge(connection, [page.id], NOW) == {page.id: NOW + 2 * DAY}
        assert sizes.totals(connection, [bank_id])["trash"][bank_id] == 7
        assert trash.count_expired(connection, bank_id, NOW + DAY) == 1
        assert trash.purge(connection, bank_id, NOW + DAY) == 1
        trash.empty(connection, page)
        assert trash.next_purge(connection, bank_id) is None


def test_what_was_dropped_is_read_back_and_taken_out(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one")
        page = insert_page(connection, new_page(bank_id, "p", text_bytes=0), ids, keepsake=ODD_TEXT)
        other = insert_page(connection, new_page(bank_id, "q", text_bytes=0, day=1), ids)
        parts = trash.pack_parts(connection, page)
        assert trash.unpack_parts(page.id, parts) == (2, pages.parts_of(connection, [page.id])[page.id])
        dropped = trash.DroppedPage(tokens=b"to\0", text=None, parts=parts)
        trash.drop(connection, page, dropped, dropped_at=NOW, purge_at=NOW + DAY)
    with database.write() as connection:
        [entry] = trash.entries(connection, bank_id)[page.id]
        assert (entry.tier, entry.version, entry.dropped_at, entry.purge_at) == ("base", 1, NOW, NOW + DAY)
        assert trash.entries(connection, bank_id, other.id) == {}
        assert trash.unrestorable_pages(connection, bank_id, NOW) == ["q"]
        assert trash.unrestorable_pages(connection, bank_id, NOW + DAY) == ["p", "q"]
        held = trash.dropped(connection, [entry.id, entry.id + 1])[entry.id]
        assert (bytes(held.tokens or b""), held.text, bytes(held.parts or b"")) == (b"to\0", None, parts)
        trash.remove(connection, [entry.id])
        assert trash.entries(connection, bank_id) == {}


def test_what_something_older_needs_is_not_purged_before_it(database: Database, bank_id: int) -> None:
    """Of three steps the second ends first: the first needs its tokens, and those of the third stay as well."""
    steps = [(b"text", None, None, 9), (None, b"two", None, 1), (None, b"three", b"places", 8)]
    with database.write() as connection:
        page = insert_page(connection, new_page(bank_id, "p"), insert_messages(connection, bank_id, "one"))
        for text, tokens, parts, days in steps:
            dropped = trash.DroppedPage(tokens=tokens, text=text, parts=parts)
            trash.drop(connection, page, dropped, dropped_at=NOW, purge_at=NOW + days * DAY)
        assert trash.next_purge(connection, bank_id) == NOW + 9 * DAY
        assert trash.purge(connection, bank_id, NOW + 8 * DAY) == 0
        held = trash.dropped(connection, [entry.id for entry in trash.entries(connection, bank_id)[page.id]])
        assert [[*map(_plain, contents)] for contents in held.values()] == [
            [None, b"text", None],
            [b"two", None, None],
            [b"three", None, b"places"],
        ]
        assert trash.purge(connection, bank_id, NOW + 9 * DAY) == 3
        assert trash.next_purge(connection, bank_id) is None


def _plain(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


def test_a_deleted_page_leaves_nothing_and_its_id_does_not_return(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        ids = insert_messages(connection, bank_id, "one")
        page = insert_page(connection, new_page(bank_id, "p"), ids, keepsake="k")
        dropped = trash.DroppedPage(tokens=b"t", text=None)
        trash.drop(connection, page, dropped, dropped_at=NOW, purge_at=NOW)
        trash.delete_page(connection, page)
        assert trash.entries(connection, bank_id) == {}
        assert pages.spans_of_pages(connection, [page.id]) == {}
        assert pages.keepsakes_of(connection, [page.id]) == {}
        assert pages.contents(connection, [page.id]) == {}
        assert insert_page(connection, new_page(bank_id, "q"), ids).id > page.id
