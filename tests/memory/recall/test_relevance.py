"""Relevance: the probability that a match belongs to an answer."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.texts import chat

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import InvalidCursor, InvalidInput, Memory, MemoryOptions
from foxing.memory.index.embedder import NONE
from foxing.memory.values.context import ContextRequest
from foxing.memory.values.recall import RELEVANCE_FLOOR

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOTHING = "No remembered message matches."
PASSPORT = "My passport number is K1234567."
OTHER_TOPICS = (
    "do quarks and gluons decay?",
    "which oboe did Olga tune in Lisbon?",
    "photosynthesis of algae",
)


@pytest.fixture(params=["use", NONE])
def memory(request: pytest.FixtureRequest, database_url: str) -> Iterator[Memory]:
    with Memory(database_url, options=MemoryOptions(embedder=request.param), clock=lambda: NOW) as opened:
        yield opened


def store(memory: Memory, bank: str, *texts: str) -> None:
    messages = ({"id": str(n), "role": "user", "content": text, "thread": "t"} for n, text in enumerate(texts))
    memory.store(bank, list(messages))


@pytest.mark.both_databases
def test_a_bank_of_one_message_knows_what_it_does_not_know(memory: Memory) -> None:
    store(memory, "ana", PASSPORT)
    found = memory.recall("ana", "what is my passport number?").spans
    assert (found[0].relevance or 0) > 0.5
    for question in OTHER_TOPICS:
        assert all((span.relevance or 0) < RELEVANCE_FLOOR for span in memory.recall("ana", question).spans)


@pytest.mark.slow
@pytest.mark.both_databases
@pytest.mark.parametrize("sealed", [False, True])
def test_nothing_is_returned_below_the_floor(memory: Memory, sealed: bool) -> None:
    memory.store("ana", chat(60, NOW - timedelta(days=2)))
    store(memory, "ana", PASSPORT)
    if sealed:
        memory.seal("ana")
    for question in OTHER_TOPICS:
        nothing = memory.recall("ana", question, min_relevance=RELEVANCE_FLOOR)
        assert (nothing.spans, nothing.left_out, nothing.next_cursor) == ([], [], None)
        assert nothing.rendered == NOTHING
        assert nothing.text_tokens == count_text_tokens(NOTHING)
        shown = memory.recall_images("ana", question, min_relevance=RELEVANCE_FLOOR)
        assert (shown.images, shown.open_spans, shown.next_cursor) == ([], [], None)
    asked = "what is my passport number?"
    given = memory.recall("ana", asked, min_relevance=RELEVANCE_FLOOR)
    assert given.spans == memory.recall("ana", asked).spans
    assert given.spans[0].text == PASSPORT
    shown = memory.recall_images("ana", asked, min_relevance=RELEVANCE_FLOOR)
    assert any("0" in image.message_ids for image in shown.images) == sealed
    assert any(span.relevance == given.spans[0].relevance for span in shown.open_spans) != sealed


def test_relevance_falls_with_what_a_message_shares_with_the_question(memory: Memory) -> None:
    memory.store("ana", chat(60, NOW - timedelta(days=2)))
    store(memory, "ana", "The zebra crossed Kirkwall harbour at dawn.", "A zebra sleeps standing.")
    whole, part, foreign = (
        memory.recall("ana", question).spans[0].relevance or 0
        for question in ("zebra at Kirkwall harbour", "zebra near Lisbon opera", "marmot near Lisbon opera zebra fort")
    )
    assert 1 >= whole > part > foreign >= 0


def test_only_matches_of_words_have_relevance(memory: Memory) -> None:
    store(memory, "ana", "We ship Titan on 14 March.", "Good.", "Bring a cake.")
    assert [span.relevance for span in memory.recall("ana").spans] == [None, None, None]
    assert len(memory.recall("ana", min_relevance=1.0).spans) == 3
    spans = memory.recall("ana", "when do we ship Titan?", limit=1, neighbours=1).spans
    assert [span.relevance is None for span in spans] == [span.neighbour_of is not None for span in spans]
    assert spans[0].relevance


def test_relevance_is_the_same_after_a_restart(
    memory: Memory, database_url: str, request: pytest.FixtureRequest
) -> None:
    memory.store("ana", chat(60, NOW - timedelta(days=2)))
    before = [span.relevance for span in memory.recall("ana", "which harbour did Ada mention?").spans]
    options = MemoryOptions(embedder=request.node.callspec.params["memory"])
    with Memory(database_url, options=options, clock=lambda: NOW) as reopened:
        assert [span.relevance for span in reopened.recall("ana", "which harbour did Ada mention?").spans] == before


def test_pages_of_an_answer_have_the_relevance_of_the_whole(memory: Memory) -> None:
    store(memory, "ana", *(f"Zebra {number} crossed the harbour." for number in range(150)))
    whole = memory.recall("ana", "zebra harbour", limit=100, min_relevance=0.05)
    cursor, pages = None, []
    for _ in range(4):
        page = memory.recall("ana", "zebra harbour", limit=25, min_relevance=0.05, cursor=cursor)
        pages += page.spans
        cursor = page.next_cursor
    assert [span.relevance for span in pages] == [span.relevance for span in whole.spans]
    assert [span.message_id for span in pages] == [span.message_id for span in whole.spans]
    with pytest.raises(InvalidCursor):
        memory.recall("ana", "zebra harbour", limit=25, cursor=cursor)


def test_an_answer_without_matches_says_so_within_its_budget(memory: Memory) -> None:
    store(memory, "ana", PASSPORT)
    assert memory.recall("ana", "passport", thread="none").rendered == NOTHING
    assert memory.recall("ana", since="2027-01-01").rendered == NOTHING
    small = memory.recall("ana", since="2027-01-01", max_tokens=1)
    assert (small.rendered, small.text_tokens) == ("", 0)


def test_a_pasted_text_finds_what_it_is_about(memory: Memory) -> None:
    memory.store("ana", chat(60, NOW - timedelta(days=2)))
    store(memory, "ana", "The zebra crossed Kirkwall harbour at dawn, near the old lighthouse of Birsay.")
    pasted = "Lorem ipsum dolor sit amet. " * 40 + " ".join(f"{chr(97 + n)}{n}x" for n in range(26))
    about = f"{pasted} A zebra was seen at dawn in Kirkwall harbour, by the lighthouse of Birsay. {pasted}"
    assert memory.recall("ana", about, min_relevance=RELEVANCE_FLOOR).spans[0].message_id == "0"


@pytest.mark.parametrize("floor", [-0.1, 1.1])
def test_a_floor_is_a_probability(memory: Memory, floor: float) -> None:
    with pytest.raises(InvalidInput, match="min_relevance"):
        memory.recall("ana", "Titan", min_relevance=floor)


@pytest.mark.both_databases
def test_context_spends_nothing_on_what_is_not_relevant(memory: Memory, show: Callable[..., str]) -> None:
    memory.store("ana", chat(300, NOW - timedelta(days=20)))
    store(memory, "ana", PASSPORT)
    memory.store("ana", [{"role": "user", "content": f"Step {n} is done.", "thread": "now"} for n in range(20)])
    question = OTHER_TOPICS[0]
    request = ContextRequest(reader="text", budget=4000, query=question, thread="now", form="blocks")
    nothing = memory.context("ana", request)
    assert show(nothing).startswith("The last messages, quoted:")
    assert "Step 19 is done." in show(nothing)
    assert nothing.billed_tokens < 300
    assert any(f"{RELEVANCE_FLOOR:g}" in note for note in nothing.notes)
    noise = memory.context("ana", request.model_copy(update={"min_relevance": 0.0}))
    assert noise.billed_tokens >= nothing.billed_tokens
    answered = memory.context("ana", request.model_copy(update={"query": "what is my passport number?"}))
    assert PASSPORT in show(answered)


@pytest.fixture
def show() -> Callable[..., str]:
    return lambda result: "\n".join(str(block.get("text", "")) for block in result.content)
