"""Messages that lie across pages: what every answer says of them, and what is left of them at each tier."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from support.texts import chat

from foxing.memory import Memory
from foxing.renderer import typeset
from foxing.renderer.breaks import Edge

BANK = "ana"
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
CELLS = 160 * 80
HEADER = len("◆main ▶user 2026-03-02 09:15 ")
SAID = "The trip of 14 April 2026 cost $92.43 and Maria del Carmen Lopez met us at 3 pm by the old mill. "
TIERS = ["tiny", "micro"]


def old_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end wherever their room does, without a mark, as before page breaks were chosen."""
    monkeypatch.setattr(typeset, "best_break", lambda text, limit, cells, *, minimum: limit)
    monkeypatch.setattr(typeset, "edge_at", lambda text, place: Edge.WHOLE)


def talk(characters: int, first: int = 0) -> str:
    """About so many characters of many different words."""
    text = " ".join(str(message.content) for message in chat(first + characters // 30, START)[first:])
    return text[:characters].rsplit(" ", 1)[0] + "."


def filled(to: int) -> str:
    """Text that leaves `to` cells of a page, by itself under its header, for what comes after it."""
    return talk(CELLS + 100)[: CELLS - HEADER - to - 1] + "."


def said_words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[$\d.,]*\d", text))


@pytest.fixture
def memory(database_url: str) -> Memory:
    return Memory(database_url, clock=lambda: START)


def age(memory: Memory, tier: str) -> None:
    memory.set_policy(BANK, {"fresh": "base", "steps": [{"after": "P1D", "tier": tier}], "age_from": "message"})
    memory.age(BANK, now=START + timedelta(days=20))


def store(memory: Memory, *contents: str) -> list[str]:
    stored = memory.store(BANK, [{"role": "user", "content": text, "created_at": START} for text in contents])
    memory.seal(BANK)
    return list(stored.ids)


@pytest.mark.slow
def test_a_reading_says_which_messages_go_on(memory: Memory) -> None:
    long = SAID * 160
    ids = store(memory, "Hello.", long, "Bye.")
    first, second = (memory.read_page(BANK, page.id) for page in memory.pages(BANK).pages)
    assert [(m.message_id, m.begins_before, m.continues_after) for m in first.messages] == [
        (ids[0], False, False),
        (ids[1], False, True),
    ]
    assert [(m.message_id, m.begins_before, m.continues_after) for m in second.messages] == [
        (ids[1], True, False),
        (ids[2], False, False),
    ]
    assert "▶user>The trip" in first.text
    assert second.text.startswith("◆main ▶▶user ")
    assert first.messages[1].text + second.messages[0].text == long
    assert memory.message(BANK, ids[1]).text == long


@pytest.mark.slow
@pytest.mark.parametrize("tier", TIERS)
def test_marks_stay_while_pages_fade(memory: Memory, tier: str) -> None:
    long = talk(18_000)
    store(memory, "Hello there.", long, "Bye now.")
    age(memory, tier)
    for page, ends in zip(memory.pages(BANK).pages, [(False, True), (True, False)], strict=True):
        reading = memory.read_page(BANK, page.id)
        [part] = [message for message in reading.messages if len(message.text) > 100]
        assert (part.begins_before, part.continues_after) == ends
        assert reading.text.count("▶▶") == ends[0]
        assert len(re.findall("▶(?:user)?>", reading.text)) == ends[1]
        assert said_words(part.text) <= said_words(long)
    preview_of = memory.pages(BANK).pages[0].id
    if tier != "micro":
        assert [m.continues_after for m in memory.preview_page(BANK, preview_of, "micro").messages] == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("cut", ["We paid $92.", "It was v5.4.", "He said tha"])
def test_no_number_or_word_changes_where_a_page_ends(
    memory: Memory, old: bool, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = {"$92.": "43 for it all", "v5.4.": "694 at last"}.get(cut.rsplit(" ", 1)[1], "t he would come back soon")
    text = f"{cut}{rest}, and then more. {talk(9000, 400)}"
    with monkeypatch.context() as patched:
        if old:
            old_pages(patched)
        ids = store(memory, filled(len("▶user ") + len(cut)), text)
    first, second = memory.pages(BANK).pages
    assert (memory.read_page(BANK, first.id).messages[-1].text == cut) == old
    assert memory.message(BANK, ids[1]).text == text
    allowed = said_words(text)
    for tier in TIERS:
        age(memory, tier)
        left = memory.message(BANK, ids[1])
        assert said_words(left.text) <= allowed
        assert numbers(left.text) <= numbers(text)
        if not old:
            parts = [m for page in (first, second) for m in memory.read_page(BANK, page.id).messages]
            assert all(said_words(part.text) <= allowed for part in parts if part.message_id == ids[1])


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["native", "claude"])
def test_the_whole_message_stands_beside_an_image_that_shows_a_part(memory: Memory, reader: str) -> None:
    long = SAID * 160
    ids = store(memory, "Hello.", long, "The mill is far.")
    found = memory.recall_images(BANK, "the old mill", reader=reader)
    assert len(found.images) > 1
    assert all(set(image.begins_before + image.continues_after) <= {ids[1]} for image in found.images)
    assert [image.begins_before == [] for image in found.images] == [True] + [False] * (len(found.images) - 1)
    assert found.images[0].continues_after == [ids[1]]
    assert [(span.message_id, span.text) for span in found.whole_spans] == [(ids[1], long)]


def test_an_image_of_whole_messages_has_no_text_beside_it(memory: Memory) -> None:
    store(memory, "Hello.", "The mill is far.")
    found = memory.recall_images(BANK, "the mill")
    assert [(image.begins_before, image.continues_after) for image in found.images] == [([], [])]
    assert found.whole_spans == []
