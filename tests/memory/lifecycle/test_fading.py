"""Ink that fades: what is left of a page that a tier does not hold, and what the memory says of it."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest
from support.hooked_codec import CostedCodec, misreading
from support.operations.checks import check, examples
from support.search_doubles import indexed_terms
from support.texts import NAMES, RARE, chat

from foxing.api.demo.conversation import demo_conversation
from foxing.encoder import load_codec
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.drawing import SURE, UNSURE_SHARE
from foxing.memory import Forgotten, InvalidInput, Memory, NewMessage, Policy, PolicyStep, RecalledMessage
from foxing.memory.text.terms import terms
from foxing.memory.values.gap_marks import MarkedText
from foxing.memory.values.policy import IndexRule

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ADDRESS = "https://example.org/orders/7f3a91c2"
SAID = {
    "key": f"The order is at {ADDRESS} since Monday.",
    "mark": "Gaps read as ⋯ here, Ingrid said.",
    "small talk": "and so on and so on",
    "empty": "",
}
MESSAGES = [
    *chat(60, START),
    *(NewMessage(id=key, role="user", content=text, created_at=START + DAY) for key, text in SAID.items()),
    *chat(52, START + 2 * DAY, seed=3),
]
TEXTS = {str(message.id): message.text for message in MESSAGES}


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with one full page at `base` and its exact text."""
    path = tmp_path_factory.mktemp("fading") / "foxing.db"
    with Memory(path, clock=lambda: START + 3 * DAY) as memory:
        memory.store("ana", MESSAGES)
        assert len(memory.seal("ana").pages) == 1
    return path.read_bytes()


@pytest.fixture
def memory(sealed: bytes, database_path: Path) -> Iterator[Memory]:
    database_path.write_bytes(sealed)
    with Memory(database_path, clock=lambda: START + 3 * DAY) as opened:
        yield opened


@pytest.fixture(scope="session")
def at_micro(sealed: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database after its page has moved to `micro`."""
    path = tmp_path_factory.mktemp("faded") / "foxing.db"
    path.write_bytes(sealed)
    with Memory(path, clock=lambda: START + 3 * DAY) as opened:
        age(opened, "micro")
    return path.read_bytes()


@pytest.fixture(scope="session")
def faded(at_micro: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """The page at `micro`; not to be changed."""
    path = tmp_path_factory.mktemp("faded") / "foxing.db"
    path.write_bytes(at_micro)
    with Memory(path, clock=lambda: START + 3 * DAY) as opened:
        yield opened


@pytest.fixture
def faded_copy(at_micro: bytes, database_path: Path) -> Iterator[Memory]:
    """The page at `micro`, for one test."""
    database_path.write_bytes(at_micro)
    with Memory(database_path, clock=lambda: START + 3 * DAY) as opened:
        yield opened


@pytest.fixture(scope="session")
def left(faded: Memory) -> dict[str, RecalledMessage]:
    """The messages of that page."""
    return {span.message_id: span for span in faded.export("ana")}


def age(
    memory: Memory, *tiers: str, bank: str = "ana", keep_text: str = "fresh", index: IndexRule = "recognise"
) -> dict[str, RecalledMessage]:
    """The messages after their page has moved to each tier in turn."""
    for tier in tiers:
        steps = (PolicyStep(after=DAY, tier=tier),)
        memory.set_policy(bank, Policy(steps=steps, keep_text=keep_text, age_from="message", index=index))
        assert memory.age(bank, now=START + 400 * DAY).unreadable == []
    return {span.message_id: span for span in memory.export(bank)}


def words(text: str) -> list[str]:
    return re.findall(r"[\w:/.]*\w", text)


@pytest.mark.slow
def test_what_is_left_was_said_in_that_order(left: dict[str, RecalledMessage]) -> None:
    for key, span in left.items():
        said = iter(words(TEXTS[key]))
        assert all(word in said for word in words(span.text)), (TEXTS[key], span.text)


def test_names_numbers_and_identifiers_stay_longest(left: dict[str, RecalledMessage]) -> None:
    for key, text in TEXTS.items():
        facts = {word for word in words(text) if word in NAMES or word.isdigit() or word == ADDRESS}
        assert facts <= set(words(left[key].text)), (text, left[key].text)
    said = [word for text in TEXTS.values() for word in words(text)]
    kept = [word for span in left.values() for word in words(span.text)]
    rare = sum(word in RARE for word in kept) / sum(word in RARE for word in said)
    assert len(kept) < 0.6 * len(said)
    assert rare > 0.8 * len(kept) / len(said)


def test_gaps_and_shares_say_what_is_gone(left: dict[str, RecalledMessage]) -> None:
    for key, span in left.items():
        assert all(span.text.startswith(" … ", place) for place in span.gaps)
        assert (span.kept == 1) == (not span.gaps)
        assert all(place not in range(start, stop) for start, stop, _ in span.uncertain for place in span.gaps)
        assert span.text.count("…") == len(span.gaps)
        assert "⋯" not in span.text or "⋯" in TEXTS[key]
    assert (left["empty"].text, left["empty"].kept, left["empty"].gaps) == ("", 1, [])
    gone = left["small talk"]
    assert (gone.text, gone.kept, gone.gaps, gone.confidence) == (" … ", 0, [0], 1)
    assert 0.1 < sum(span.kept for span in left.values()) / len(left) < 0.6


def test_a_page_that_fades_is_shorter_and_uses_its_room(memory: Memory, faded: Memory) -> None:
    before, after = (each.pages("ana").pages[0] for each in (memory, faded))
    assert (after.messages, after.first_at, after.last_at) == (before.messages, before.first_at, before.last_at)
    assert 0.85 * 1824 <= len(faded.page_tokens("ana", after.id).data) <= 1824
    assert faded.read_page("ana", after.id).text.count("▶") <= before.messages
    with pytest.raises(Forgotten):
        faded.read_page("ana", after.id, "base")


@pytest.mark.slow
def test_a_page_that_was_read_back_stores_no_confidences(faded: Memory, database_path: Path) -> None:
    """A page whose confidences take hardly any space keeps them."""
    drawn = random.Random(5)
    characters = "abcdefghijklmnopqrstuvwxyz0123456789 "  # in an order that no codec can guess
    text = ["".join(drawn.choices(characters, k=60)) + "." for _ in range(60)]
    with Memory(database_path, clock=lambda: START + 3 * DAY) as memory:
        memory.store("dense", [NewMessage(role="user", content=each, created_at=START) for each in text])
        memory.seal("dense")
        age(memory, "micro", bank="dense")
        tokens = memory.page_tokens("dense", memory.pages("dense").pages[0].id)
    codec = capabilities_of(load_codec("native", "cpu")).verifiable
    assert codec is not None
    assert [item.data for item in codec.without_confidences([tokens])] == [tokens.data]
    [plain] = codec.decode([faded.page_tokens("ana", faded.pages("ana").pages[0].id)])
    assert (plain.confidence < SURE).mean() <= UNSURE_SHARE


@pytest.mark.slow
def test_a_page_of_several_languages_uses_its_room_and_keeps_its_last_messages(database_path: Path) -> None:
    """More than a hundredth of it is read with doubt, so that the confidences are dropped."""
    with Memory(database_path, clock=lambda: START + 3 * DAY) as memory:
        memory.store("ana", [message.model_copy(update={"created_at": START}) for message in demo_conversation()[:60]])
        memory.seal("ana")
        left = age(memory, "micro")
        page = memory.pages("ana").pages[0]
        # its facts alone may take a token more than a page of this tier
        assert 0.85 * 1824 <= len(memory.page_tokens("ana", page.id).data) <= 1824 + 48
    assert "one quarter" in left["demo-0060"].text


@pytest.mark.slow
def test_a_fact_that_is_misread_at_a_tier_is_kept_as_text(sealed: bytes, database_path: Path) -> None:
    database_path.write_bytes(sealed)
    said = {key: text for key, text in TEXTS.items() if "Hiroshi" in text}
    codec = CostedCodec(alter=misreading("Hiroshi", "micro"))
    with Memory(database_path, codec=codec, clock=lambda: START + 3 * DAY) as memory:
        left = age(memory, "tiny", "micro")
        assert said
        for key in said:
            assert re.search(r"(^|[ ▶])Hiroshi('s)?([ .,!?:]|$)", left[key].text), (said[key], left[key].text)
            assert all(not word.startswith("#") for word in left[key].text.split())
        page = memory.pages("ana").pages[0].id
        assert "Hiroshi" not in memory.read_page("ana", page).text
        (first,) = memory.recall("ana", "Hiroshi", limit=1).spans
        assert not first.matched_faded
        found = [span.message_id for span in memory.recall("ana", "Hiroshi", limit=2 * len(said)).spans]
        assert said.keys() <= set(found)
        assert said.keys() >= set(found[: len(said) // 2])  # those of the second look are not the best
        memory.erase_message("ana", first.message_id)
        assert first.message_id not in {span.message_id for span in memory.export("ana")}
    with closing(connect(database_path)) as raw:
        kept = [text for (text,) in raw.execute("SELECT text FROM keepsakes")]
    assert sum("Hiroshi" in text for text in kept) == len(said) - 1


@pytest.mark.slow
def test_faded_words_can_leave_the_index_and_the_others_stay_found(memory: Memory, database_path: Path) -> None:
    left = age(memory, "micro", index="faded")
    held = {term for span in left.values() for term in terms(span.text)}
    sure = {term for span in left.values() if not span.uncertain for term in terms(span.text)}
    said = {term for text in TEXTS.values() for term in terms(text)}
    found = set[str]().union(*indexed_terms(database_path, said | held).values())
    assert sure <= found <= held
    found = {span.message_id for span in memory.recall("ana", "Guadalupe", limit=100).spans}
    named = {key for key, text in TEXTS.items() if "Guadalupe" in text}
    assert {key for key in named if not left[key].uncertain} <= found
    assert memory.recall("ana", "Guadalupe", fidelity="verbatim").spans == []


def test_rare_words_that_have_faded_still_find_their_message(
    faded_copy: Memory, database_path: Path, left: dict[str, RecalledMessage]
) -> None:
    said = {key: set(terms(text)) for key, text in TEXTS.items()}
    containing = Counter(term for found in said.values() for term in found)
    faded = {key: found - terms(left[key].text).keys() for key, found in said.items()}
    rare = {key: {term for term in found if containing[term] <= 20} for key, found in faded.items()}
    indexed = indexed_terms(database_path, set().union(*said.values()))
    assert sum(map(len, rare.values())) > 50
    assert all(found <= indexed[key] for key, found in rare.items() if found)


@pytest.mark.slow
def test_reindexing_keeps_what_the_index_recognises(
    faded_copy: Memory, database_path: Path, left: dict[str, RecalledMessage]
) -> None:
    vocabulary = {term for text in TEXTS.values() for term in terms(text)}
    before = indexed_terms(database_path, vocabulary)
    assert examples(check(f"sqlite:///{database_path}")) == []
    faded_copy.operations.reindex("ana", words=True)
    assert indexed_terms(database_path, vocabulary) == before

    faded_copy.set_policy("ana", {"index": "faded"})
    assert any("has other words" in example for example in examples(check(f"sqlite:///{database_path}")))
    faded_copy.operations.reindex("ana", words=True)
    assert examples(check(f"sqlite:///{database_path}")) == []
    held = {term for span in left.values() for term in terms(span.text)}
    assert set().union(*indexed_terms(database_path, vocabulary).values()) <= held


@pytest.mark.slow
def test_keepsakes_move_along(memory: Memory, database_path: Path) -> None:
    assert ADDRESS in age(memory, "tiny", "micro")["key"].text
    with closing(connect(database_path)) as connection:
        stored = connection.execute("SELECT text FROM keepsakes").fetchall()
    assert (ADDRESS,) in stored
    page = memory.read_page("ana", memory.pages("ana").pages[0].id)
    assert ADDRESS in page.text  # written on the page as well


@pytest.mark.slow
def test_step_by_step_keeps_what_going_there_directly_keeps(memory: Memory, left: dict[str, RecalledMessage]) -> None:
    stepped = age(memory, "small", "tiny", "micro")
    pairs = [(words(span.text), words(stepped[key].text)) for key, span in left.items()]
    kept = sum(len(first) for first, _ in pairs)
    assert abs(sum(len(second) for _, second in pairs) - kept) <= 0.01 * kept
    assert sum(len({*first} - {*second}) for first, second in pairs) <= 0.03 * kept


@pytest.mark.slow
def test_kept_text_does_not_fade_until_it_is_dropped(memory: Memory) -> None:
    kept = age(memory, "micro", keep_text="always")
    assert {key: span.text for key, span in kept.items()} == TEXTS
    assert all(span.kept == 1 and span.gaps == [] for span in kept.values())
    dropped = age(memory, "micro", keep_text="fresh")
    assert any(span.gaps for span in dropped.values())
    assert memory.pages("ana").pages[0].text_kept is False
    assert dropped["key"].text.count(ADDRESS) == 1


@pytest.mark.slow
def test_a_dry_run_and_a_preview_say_what_fades(memory: Memory) -> None:
    page = memory.pages("ana").pages[0]
    memory.set_policy("ana", Policy(steps=(PolicyStep(after=DAY, tier="micro"),), age_from="message"))
    move = memory.age("ana", now=START + 400 * DAY, dry_run=True).moved[0]
    preview = memory.preview_page("ana", page.id, "micro")
    assert (preview.from_tier, preview.to_tier) == ("base", "micro")
    assert preview.words == move.words
    assert move.words is not None
    assert move.words["facts"].kept == move.words["facts"].words > 30
    assert move.words["other_words"].kept < move.words["other_words"].words
    assert memory.age("ana", now=START + 400 * DAY, dry_run=True, preview=0).moved[0].words is None
    assert memory.pages("ana").pages[0] == page

    left = age(memory, "micro")
    assert memory.pages("ana").pages[0].vision_tokens == preview.vision_tokens_after == move.vision_tokens_after
    shown = {each.message_id: MarkedText.of(each.after, each.gaps, " … ") for each in preview.messages}
    assert {key: marked.text for key, marked in shown.items()} == {key: span.text for key, span in left.items()}
    assert {message.message_id: message.before for message in preview.messages} == TEXTS
    assert {key: marked.gaps for key, marked in shown.items()} == {key: span.gaps for key, span in left.items()}


def test_previews_are_of_lower_tiers(memory: Memory) -> None:
    page = memory.pages("ana").pages[0].id
    assert memory.preview_page("ana", page).to_tier == "small"
    for tier in ("base", "large", "huge"):
        with pytest.raises(InvalidInput, match="small, tiny, micro"):
            memory.preview_page("ana", page, tier)
    with pytest.raises(InvalidInput, match="preview"):
        memory.age("ana", dry_run=True, preview=101)


@pytest.mark.slow
def test_an_image_of_a_lower_tier_shows_the_page_as_it_would_be(memory: Memory) -> None:
    page = memory.pages("ana").pages[0].id
    image, reading = memory.page_image("ana", page, "micro"), memory.read_page("ana", page, "micro")
    age(memory, "micro")
    assert memory.page_image("ana", page) == image
    assert memory.read_page("ana", page).text == reading.text
    assert memory.read_page("ana", page).messages == reading.messages


@pytest.mark.slow
def test_the_trash_knows_where_the_messages_stood(memory: Memory, database_path: Path) -> None:
    age(memory, "small", "micro")
    with closing(connect(database_path)) as connection:
        rows = connection.execute("SELECT tier, parts IS NOT NULL, text IS NOT NULL FROM trash ORDER BY id").fetchall()
    assert rows == [("base", 0, 1), ("small", 1, 0)]
