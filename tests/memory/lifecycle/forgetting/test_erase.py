"""Erasure: what was erased is found nowhere, in no row, answer or file, and everything else is as it was."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from support.databases import execute
from support.texts import chat

from foxing.memory import Conflict, Forgotten, Memory, MemoryOptions, NotFound, Unreadable

from .conftest import DAY, START, said
from .traces import blobs, in_answers, in_files, in_rows

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

#: Days before the present on which a page was said, and how its bank ages.
AGES = {"base": 1, "small": 10, "tiny": 40, "micro": 400}
NOW = START + 500 * DAY
WORDS = ("Zaubernuss", "zauber@nuss.example", "Quellwolke")
SECRET = "My secret keyword is Zaubernuss, my address zauber@nuss.example, my street Quellwolke 9."


@pytest.fixture
def memory(database_url: str, request: pytest.FixtureRequest) -> Iterator[Memory]:
    options = MemoryOptions(embedder=getattr(request, "param", "none"))
    with Memory(database_url, clock=lambda: NOW, options=options) as opened:
        yield opened


def fill(memory: Memory, bank: str, policy: dict[str, str]) -> list[str]:
    """A bank with a page at each tier and open messages, each with a secret; ids of the secrets."""
    memory.set_policy(bank, {"undo_window": "P7D", "age_from": "message", **policy})
    secrets = []
    for tier, days in [*reversed(AGES.items()), ("open", 0)]:
        at = NOW - days * DAY - timedelta(hours=1)
        for n in range(6):
            secret = n == 3
            message = {"role": "user", "content": f"{SECRET} ({tier})" if secret else said(n + days)}
            message |= {
                "id": f"{tier}-{n}",
                "created_at": at + timedelta(minutes=n),
                "thread": "secret" if secret else "a",
            }
            memory.store(bank, [message], idempotency_key=f"{tier}-{n}")
            secrets += [f"{tier}-{n}"] if secret else []
        if tier != "open":
            memory.seal(bank)
    return secrets


def others(memory: Memory, bank: str) -> dict[str, object]:
    """What is left of the other messages, without how sure it is read: pages that are drawn again may read surer."""
    unsure = {"confidence": 0.0, "uncertain": []}
    kept = (span for span in memory.export(bank) if not span.message_id.endswith("-3"))
    return {span.message_id: span.model_copy(update=unsure) for span in kept}


@pytest.mark.both_databases
@pytest.mark.parametrize("memory", ["use"], indirect=True, ids=["embedded"])
@pytest.mark.slow
def test_an_erased_message_is_found_nowhere(memory: Memory, database_url: str) -> None:
    check_erasure(memory, database_url, "fresh")


@pytest.mark.slow
def test_an_erased_message_is_found_nowhere_where_text_is_kept(memory: Memory, database_url: str) -> None:
    check_erasure(memory, database_url, "always")


def check_erasure(memory: Memory, database_url: str, keep_text: str) -> None:
    """Erases a message at each tier, and an open one."""
    secrets = fill(memory, "ana", {"keep_text": keep_text})
    memory.age("ana")
    assert {page.tier for page in memory.pages("ana").pages} == set(AGES)
    before, old = others(memory, "ana"), blobs(database_url)
    rows = {*in_rows(database_url, memory, WORDS)}
    assert rows >= {"page_contents.tokens", "trash.tokens", "keepsakes.text", "messages.content", "postings"}
    assert {*in_answers(memory, "ana", WORDS)} == {"export", "recall", *(f"page {tier}" for tier in AGES)}

    reports = [memory.erase_message("ana", key) for key in secrets]

    assert [*in_rows(database_url, memory, [*WORDS, *(f'"{key}"' for key in secrets)])] == []
    assert execute(database_url, "SELECT name FROM threads") == [("a",)]
    assert execute(database_url, "SELECT count(*) FROM idempotency_keys")[0][0] == 25
    assert [*in_answers(memory, "ana", WORDS)] == []
    assert [*in_files(database_url, WORDS, old)] == []
    assert others(memory, "ana") == before
    assert [report.messages for report in reports] == [1] * len(secrets)
    assert {page.tier for report in reports for page in report.pages} == set(AGES)
    assert all(page.changed == 0 and not page.deleted for report in reports for page in report.pages)
    assert all(report.log_erased for report in reports)
    with pytest.raises(NotFound, match=secrets[0]):
        memory.erase_message("ana", secrets[0])
    with pytest.raises(NotFound, match="nobody"):
        memory.erase_message("nobody", secrets[0])


@pytest.mark.slow
def test_what_is_left_of_a_faded_page_stays(memory: Memory) -> None:
    memory.set_policy("ana", {"age_from": "message"})
    memory.store("ana", chat(80, NOW - 400 * DAY))
    memory.seal("ana")
    memory.age("ana")
    [page] = memory.pages("ana").pages
    before = {span.message_id: (span.text, span.gaps) for span in memory.export("ana")}
    assert sum(len(gaps) for _, gaps in before.values()) > 30
    for number in (79, 3, 20):  # the last one first: the page gets shorter
        report = memory.erase_message("ana", f"1-{number}")
        assert all(item.changed < 0.005 for item in report.pages)
        assert report.bytes_after < report.bytes_before
        del before[f"1-{number}"]
    after = {span.message_id: (span.text, span.gaps) for span in memory.export("ana")}
    assert after.keys() == before.keys()
    changed = [key for key in after if after[key] != before[key]]
    assert len(changed) <= 1  # a word that does not decode in its new place is a gap
    assert all(set(after[key][0].split()) - {"…"} < set(before[key][0].split()) for key in changed)
    now = memory.page("ana", page.id)
    assert (now.tier, now.messages, now.vision_tokens <= page.vision_tokens) == ("micro", 77, True)
    assert now.last_at == page.last_at - timedelta(minutes=1)


@pytest.mark.both_databases
def test_an_erased_bank_is_found_nowhere_and_no_other_one_is_touched(memory: Memory, database_url: str) -> None:
    fill(memory, "ana", {})
    memory.age("ana")
    memory.records.write("ana", [{"op": "put", "namespace": ["n"], "key": "k", "value": WORDS[0]}])
    memory.store("bo", [{"id": "1", "role": "user", "content": said(1)}])
    memory.seal("bo")
    old, kept = blobs(database_url), memory.bank("bo")

    report = memory.erase_bank("ana")

    assert (report.messages, report.pages, report.bytes_after, report.log_erased) == (30, [], 0, True)
    assert report.bytes_before > 0
    assert [*in_rows(database_url, memory, [*WORDS, "ana"])] == []
    assert [*in_files(database_url, [*WORDS, said(400)], old)] == []
    assert memory.bank("bo") == kept
    assert memory.message("bo", "1").text == said(1)
    for call in (memory.erase_bank, memory.bank):
        with pytest.raises(NotFound, match="ana"):
            call("ana")
    memory.store("ana", [{"id": "base-3", "role": "user", "content": "hello"}])
    assert [span.text for span in memory.export("ana")] == ["hello"]
    assert memory.records.search("ana").records == []


@pytest.mark.slow
def test_an_erased_thread_is_found_nowhere(memory: Memory, database_url: str) -> None:
    secrets = fill(memory, "ana", {})
    memory.store("ana", [{"id": "whole", "role": "user", "content": SECRET * 260, "thread": "secret"}])  # two pages
    memory.seal("ana")
    memory.age("ana")
    before, old = others(memory, "ana"), blobs(database_url)
    steps: list[tuple[int, int]] = []

    report = memory.erase_thread("ana", "secret", progress=lambda done, total: steps.append((done, total)))

    assert report.messages == len(secrets) + 1
    assert [page.deleted for page in report.pages].count(True) == 1
    assert steps[-1] == (6, 6)
    assert [*in_rows(database_url, memory, WORDS)] == []
    assert [*in_answers(memory, "ana", WORDS)] == []
    assert [*in_files(database_url, WORDS, old)] == []
    assert others(memory, "ana") == {key: span for key, span in before.items() if key != "whole"}
    with pytest.raises(NotFound, match="secret"):
        memory.erase_thread("ana", "secret")


@pytest.mark.slow
def test_another_process_gives_nothing_back(memory: Memory, database_url: str) -> None:
    secrets = fill(memory, "ana", {})
    memory.age("ana")
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(embedder="use")) as other:
        other.operations.reindex("ana")
        assert {*in_answers(other, "ana", WORDS)} >= {"export", "recall"}  # it has read and cached everything
        other.recall_images("ana", WORDS[0], reader="claude")
        for key in secrets:
            memory.erase_message("ana", key)
        assert [*in_answers(other, "ana", WORDS)] == []
        shown = other.recall_images("ana", WORDS[0], reader="claude")
        assert not {*secrets} & {key for image in shown.images for key in image.message_ids}
        memory.erase_bank("ana")
        memory.store("bo", [{"id": "1", "role": "user", "content": "other"}])
        other.store("ana", [{"id": "2", "role": "user", "content": "hello"}])
        assert [span.text for span in other.recall("ana", "my keyword").spans] in (["hello"], [])


def test_ids_are_never_given_again(memory: Memory, database_url: str) -> None:
    def highest() -> list[int]:
        queries = ("max(id) FROM banks", "max(last_message) FROM message_ranges", "max(id) FROM pages")
        return [execute(database_url, f"SELECT {query}")[0][0] or 0 for query in queries]

    memory.store("ana", [{"id": "1", "role": "user", "content": "one"}])
    memory.seal("ana")
    first = highest()
    memory.erase_message("ana", "1")
    memory.store("ana", [{"id": "1", "role": "user", "content": "another"}])
    memory.seal("ana")
    second = highest()
    assert second[1:] > first[1:]
    memory.erase_bank("ana")
    memory.store("ana", [{"id": "1", "role": "user", "content": "a third"}])
    memory.seal("ana")
    assert all(now > then for now, then in zip(highest(), second, strict=True))


@pytest.mark.slow
def test_a_message_that_is_sealed_in_part_goes_as_a_whole(memory: Memory, database_url: str) -> None:
    memory.store("ana", [{"id": "first", "role": "user", "content": said(1)}])
    memory.store("ana", [{"id": "long", "role": "tool", "content": f"{SECRET} {said(2)} " * 90}])
    assert memory.tick().sealed_pages == 1
    assert memory.bank("ana").open_messages == 1
    memory.erase_message("ana", "long")
    assert [*in_rows(database_url, memory, WORDS)] == []
    assert [(span.message_id, span.text) for span in memory.export("ana")] == [("first", said(1))]
    assert memory.seal("ana").messages == 0


@pytest.mark.slow
def test_what_was_erased_can_be_stored_again_and_neighbours_cannot_be_undone(memory: Memory) -> None:
    secrets = fill(memory, "ana", {})
    memory.age("ana")
    memory.erase_message("ana", secrets[0])
    again = {"id": secrets[0], "role": "user", "content": "something else", "thread": "secret"}
    assert memory.store("ana", [again]).stored == 1
    assert memory.recall("ana", WORDS[0]).spans[0].message_id != secrets[0]
    micro = memory.pages("ana", tier="micro").pages[0]
    with pytest.raises(Forgotten):
        memory.undo("ana", page=micro.id)
    with pytest.raises(Conflict):
        memory.store("ana", [{**again, "content": "not that"}])


@pytest.mark.slow
def test_a_page_that_cannot_be_read_keeps_its_messages(memory: Memory, database_url: str) -> None:
    secrets = fill(memory, "ana", {})
    memory.age("ana")
    micro = memory.pages("ana", tier="micro").pages[0]
    where = "page_id = (SELECT id FROM pages WHERE key = :key)"
    execute(database_url, f"UPDATE page_contents SET tokens = :blob WHERE {where}", blob=b"damaged", key=micro.id)
    before = execute(database_url, "SELECT * FROM page_manifests")
    with pytest.raises(Unreadable, match=micro.id):
        memory.erase_message("ana", secrets[0])
    assert execute(database_url, "SELECT * FROM page_manifests") == before
    with pytest.raises(Unreadable, match=f"4 messages were erased.*{micro.id}"):
        memory.erase_thread("ana", "secret")
    assert [span.message_id for span in memory.export("ana") if span.thread == "secret"] == [secrets[0]]
    for n in range(5, -1, -1):
        if n != 3:
            with pytest.raises(Unreadable):
                memory.erase_message("ana", f"micro-{n}")
    memory.erase_bank("ana")
