"""Undo: pages come back as they were before ageing changed them, byte for byte, as long as their undo window lasts."""

from datetime import UTC, datetime, timedelta

import pytest
from support.databases import execute
from support.texts import chat

from foxing.memory import Forgotten, InvalidTime, Memory, NotFound

from .conftest import COUNT, DAY, START, age, messages, said, stored

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

PAGEFUL = 80  # messages of which words fade


@pytest.mark.both_databases
@pytest.mark.parametrize("memory", ["use"], indirect=True, ids=["embedded"])
@pytest.mark.parametrize("index", [pytest.param("recognise", marks=pytest.mark.slow), "faded"])
@pytest.mark.slow
def test_undo_brings_back_every_byte(memory: Memory, database_url: str, index: str) -> None:
    memory.set_policy("ana", {"undo_window": "P500D", "age_from": "message", "index": index})
    memory.store("ana", [*chat(PAGEFUL, START), *messages([PAGEFUL])])
    memory.seal("ana")
    before = stored(database_url)
    age(memory, 8, 31, 400)
    faded = stored(database_url)
    assert all(faded[table] != before[table] for table in ("page_contents", "page_manifests", "keepsakes"))
    assert len(before["embeddings"]) == PAGEFUL + 1
    assert all((faded[table] != before[table]) == (index == "faded") for table in ("postings", "embeddings"))

    report = memory.undo("ana", now=START + 401 * DAY)

    assert stored(database_url) == before
    [page] = memory.pages("ana").pages
    assert (page.tier, page.text_kept, page.pinned) == ("base", True, True)
    [restored] = report.restored
    assert (restored.from_tier, restored.to_tier, restored.text_restored) == ("micro", "base", True)
    assert restored.dropped_at == START + 8 * DAY
    assert (report.bytes_after, report.vision_tokens_after) == (page_bytes(database_url), page.vision_tokens)
    assert report.bytes_before == restored.bytes_before < restored.bytes_after
    assert (report.purged, report.busy, report.unreadable) == ([], [], [])
    assert execute(database_url, "SELECT count(*) FROM trash")[0][0] == 0
    assert memory.recall("ana", f"crate {7 * PAGEFUL}").spans[0].text == said(PAGEFUL)


def page_bytes(url: str) -> int:
    return int(execute(url, "SELECT sum(token_bytes + text_bytes) FROM pages")[0][0])


def test_undoing_again_does_nothing_and_the_page_stays(memory: Memory, database_url: str) -> None:
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    age(memory, 8)
    assert len(memory.undo("ana", now=START + 9 * DAY).restored) == 1
    before = stored(database_url)
    assert memory.undo("ana", now=START + 9 * DAY).restored == []
    age(memory, 10)  # it is pinned
    assert stored(database_url) == before
    [page] = memory.pages("ana").pages
    memory.pin("ana", page.id, pinned=False)
    age(memory, 11)
    assert memory.page("ana", page.id).tier == "small"


@pytest.mark.slow
def test_since_restores_what_was_dropped_after_it(memory: Memory, database_url: str) -> None:
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    age(memory, 8)
    small = stored(database_url)
    age(memory, 31)

    report = memory.undo("ana", since=START + 20 * DAY, now=START + 40 * DAY)

    assert stored(database_url) == small
    assert [page.to_tier for page in report.restored] == ["small"]
    assert memory.undo("ana", since="2 days ago", now=START + 40 * DAY).restored == []
    assert [page.to_tier for page in memory.undo("ana", now=START + 40 * DAY).restored] == ["base"]
    for since in ("whenever", datetime(2026, 1, 1)):  # noqa: DTZ001
        with pytest.raises(InvalidTime):
            memory.undo("ana", since=since)


@pytest.mark.slow
def test_what_is_purged_is_said_and_the_rest_comes_back(memory: Memory, database_url: str) -> None:
    memory.set_policy("ana", {"undo_window": "P10D", "age_from": "message"})
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    age(memory, 8)
    small = stored(database_url)
    age(memory, 31)
    [page] = memory.pages("ana").pages

    report = memory.undo("ana", page=page.id, now=START + 40 * DAY)

    restored = {
        **stored(database_url),
        "page_manifests": small["page_manifests"],
    }  # digests of what is purged are gone
    assert restored == small
    assert ([p.to_tier for p in report.restored], report.purged) == (["small"], [page.id])
    with pytest.raises(Forgotten, match="purged"):
        memory.undo("ana", page=page.id, now=START + 50 * DAY)
    assert memory.undo("ana", now=START + 50 * DAY).purged == [page.id]
    with pytest.raises(NotFound, match="nowhere"):
        memory.undo("ana", page="nowhere")


@pytest.mark.slow
def test_a_window_that_ends_earlier_for_what_was_dropped_later(memory: Memory, database_url: str) -> None:
    memory.set_policy("ana", {"undo_window": "P500D", "age_from": "message"})
    memory.store("ana", chat(PAGEFUL, START))
    memory.seal("ana")
    before = stored(database_url)
    age(memory, 8)  # can be restored until day 508
    memory.set_policy("ana", {"undo_window": "P1D", "age_from": "message"})
    age(memory, 400, 410)  # words fade; the places of the others before that are needed to restore what is older
    assert execute(database_url, "SELECT count(*) FROM trash")[0][0] == 2
    assert [page.to_tier for page in memory.undo("ana", now=START + 411 * DAY).restored] == ["base"]
    assert stored(database_url) == before
    age(memory, 600)  # the page is pinned
    assert execute(database_url, "SELECT count(*) FROM trash")[0][0] == 0


@pytest.mark.slow
def test_one_page_of_several(memory: Memory) -> None:
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    memory.store("ana", messages(range(COUNT, COUNT + 20)))
    memory.seal("ana")
    age(memory, 8)
    first, second = memory.pages("ana").pages
    assert [page.page_id for page in memory.undo("ana", page=second.id, now=START + 9 * DAY).restored] == [second.id]
    assert [(page.tier, page.pinned) for page in memory.pages("ana").pages] == [("small", False), ("base", True)]
    assert memory.page("ana", first.id).tier == "small"


def test_a_damaged_version_is_left_and_reported(memory: Memory, database_url: str) -> None:
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    age(memory, 8)
    execute(database_url, "UPDATE trash SET tokens = :blob", blob=b"damaged")
    before = stored(database_url)
    report = memory.undo("ana", now=START + 9 * DAY)
    assert (len(report.unreadable), report.restored) == (1, [])
    assert stored(database_url) == before


def test_a_page_that_another_process_holds_is_reported(memory: Memory, database_url: str) -> None:
    memory.store("ana", messages(range(COUNT)))
    memory.seal("ana")
    age(memory, 8)
    [page] = memory.pages("ana").pages
    held = "UPDATE pages SET lease_owner = 'other', lease_until = :until"
    execute(database_url, held, until=str(datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=50)))
    assert memory.undo("ana", now=START + 9 * DAY).busy == [page.id]
    execute(database_url, "UPDATE pages SET lease_until = NULL")
    assert memory.undo("ana", now=START + 9 * DAY).busy == []
