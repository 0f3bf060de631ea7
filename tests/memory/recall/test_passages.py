"""Long messages: found and given back by their passages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.search_doubles import HashingEmbedder

from foxing.memory import Memory, MemoryOptions
from foxing.memory.text.passages import LONGEST, MOST, Passage, split_passages

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TOPICS = ("bridge", "harbour", "orchard", "library", "tunnel", "market", "chapel", "railway", "brewery", "theatre")
PARAGRAPHS = [
    f"The {topic} was surveyed in spring. " + f"Its {topic} walls were measured twice, and drawn by hand. " * 8
    for topic in TOPICS
]
LONG = "\n\n".join(PARAGRAPHS)
CODE = "\n".join(f"    total_{n} = measure(section={n}, tolerance=0.5)" for n in range(12))


def texts(text: str) -> list[str]:
    return [text[start:stop] for start, stop in split_passages(text)]


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from(list('ab .\n,}`"漢가。')), max_size=3000))
def test_passages_are_all_of_a_text_one_after_the_other(text: str) -> None:
    passages = split_passages(text)
    assert (passages[0].start, passages[-1].stop) == (0, len(text))
    assert all(one.stop == other.start for one, other in pairwise(passages))
    assert all(start < stop for start, stop in passages) or passages == [Passage(0, 0)]


def test_a_short_text_is_one_passage_and_a_long_one_ends_at_paragraphs() -> None:
    assert split_passages("") == [Passage(0, 0)]
    assert texts("word " * 190) == ["word " * 190]
    assert texts(LONG) == [f"{paragraph}\n\n" for paragraph in PARAGRAPHS[:-1]] + PARAGRAPHS[-1:]


def test_a_code_block_is_not_torn_if_it_fits() -> None:
    text = f"{PARAGRAPHS[0]}\n\n```python\n{CODE}\n```\n{PARAGRAPHS[1]}"
    block = f"```python\n{CODE}\n```\n"
    assert any(block in passage for passage in texts(text))


def test_passages_of_json_end_after_members_and_those_of_chinese_after_sentences() -> None:
    rows = [{"station": f"station-{n}", "level": n * 1.5, "readings": [n, n + 1, n + 2]} for n in range(60)]
    assert all(passage.endswith(("},", "],", "}]")) or passage[-1] == "," for passage in texts(json.dumps(rows)))
    chinese = "会议室还是三楼的蓝色房间，我们周五再看。" * 60
    assert all(passage.endswith("。") for passage in texts(chinese))
    assert max(len(passage) for passage in texts(chinese)) <= MOST / 0.75


def test_a_text_without_any_place_to_pause_is_cut() -> None:
    passages = split_passages("a" * 5_000_000)
    assert len(passages) <= 4096
    assert min(stop - start for start, stop in passages) > 4 * LONGEST / 4


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as memory:
        memory.store("ana", [{"id": "long", "role": "assistant", "content": LONG, "created_at": NOW - 10 * DAY}])
        memory.store(
            "ana",
            [{"id": f"{n}", "role": "user", "content": f"Note {n}.", "created_at": NOW - 9 * DAY} for n in range(5)],
        )
        yield memory


@pytest.mark.parametrize("step", ["open", "sealed", "aged"])
def test_the_passage_that_matches_is_given_back(memory: Memory, step: str) -> None:
    if step != "open":
        memory.seal("ana")
    if step == "aged":
        assert memory.age("ana").moved
    whole = memory.message("ana", "long")
    answer = memory.recall("ana", "who surveyed the tunnel?", max_tokens=300)
    first = answer.spans[0]
    assert first.passage is not None
    start, stop = first.passage
    assert first.text == whole.text[start:stop]
    assert first.text.startswith("The tunnel was surveyed")
    assert (first.message_id, first.parts, first.source) == ("long", None, whole.source)
    assert answer.text_tokens <= 300


def test_every_passage_comes_once_over_the_pages_of_an_answer(memory: Memory) -> None:
    seen: list[tuple[int, int] | None] = []
    cursor = None
    while True:
        part = memory.recall("ana", "walls measured twice", limit=3, cursor=cursor)
        seen += [span.passage for span in part.spans if span.message_id == "long"]
        cursor = part.next_cursor
        if cursor is None:
            break
    assert sorted(filter(None, seen)) == [(start, stop) for start, stop in split_passages(LONG)]


def test_passages_beside_the_one_that_matches_are_found_with_it(memory: Memory) -> None:
    found = memory.recall("ana", "chapel", limit=4).spans
    assert [span.text.split()[1] for span in found[:3]] == ["chapel", "railway", "market"] or [
        span.text.split()[1] for span in found[:3]
    ] == ["chapel", "market", "railway"]


def test_a_message_is_listed_whole_without_a_query_and_as_one_image(memory: Memory) -> None:
    memory.seal("ana")
    listed = memory.recall("ana", until=NOW - 9.5 * DAY).spans
    assert [(span.text, span.passage) for span in listed] == [(LONG, None)]
    images = memory.recall_images("ana", "bridge market").images
    assert [image.message_ids.count("long") for image in images] == [1]


@pytest.mark.slow
def test_a_passage_is_found_by_its_meaning(database_url: str) -> None:
    options = MemoryOptions(embedder=HashingEmbedder())
    with Memory(database_url, clock=lambda: NOW, options=options) as memory:
        memory.store("ana", [{"id": "long", "role": "assistant", "content": LONG, "created_at": NOW - 10 * DAY}])
        for step in (lambda: None, lambda: memory.seal("ana"), lambda: memory.age("ana")):
            step()
            found = memory.recall("ana", "libraries", limit=1).spans  # no word of the text
            assert [span.text.split()[1] for span in found] == ["library"]
        assert 0 < memory.bank("ana").bytes.embeddings - len(TOPICS) * 32 < 80  # of the row


def test_words_are_indexed_anew(memory: Memory) -> None:
    memory.seal("ana")
    before = memory.recall("ana", "tunnel").spans
    report = memory.operations.reindex("ana", words=True)
    assert (report.indexed, report.embedded, report.skipped, report.embedder) == (6, 0, 0, "none")
    assert memory.recall("ana", "tunnel").spans == before


def order_result(number: int) -> str:
    items = [
        {"name": f"{color} lamp", "item": 7_000 + n, "options": {"color": color, "size": n}}
        for n, color in enumerate(COLORS)
    ]
    return json.dumps({"order": f"W555{number}", "items": items, "status": f"sent by carrier {number}"})


COLORS = ("red", "green", "blue", "white", "black", "yellow", "violet", "brown", "grey", "pink", "olive", "teal")


def test_an_excerpt_of_a_result_holds_what_stands_far_apart_in_it(memory: Memory) -> None:
    for number in range(3):
        memory.store("shop", [{"id": f"r{number}", "role": "tool", "content": order_result(number)}])
    answer = memory.recall("shop", "what is the status of order W5552?", max_tokens=512)
    first = answer.spans[0]
    assert (first.message_id, "W5552" in first.text, "sent by carrier 2" in first.text) == ("r2", True, True)
    assert first.left_out
    assert [span.message_id for span in answer.spans].count("r2") == 1


def test_what_has_no_value_of_the_kind_asked_for_comes_after_what_has_one(memory: Memory) -> None:
    talk = ["Is that the desk lamp of the window?", "The desk lamp, let me see.", "Ah, a desk lamp!"]
    memory.store("shop", [{"id": f"t{n}", "role": "user", "content": text} for n, text in enumerate(talk)])
    result = {"order": "W1", "items": [{"name": "Desk Lamp", "price": 135.24}, {"name": "Teapot", "price": 99.1}]}
    memory.store("shop", [{"id": "r", "role": "tool", "content": json.dumps(result)}])
    assert memory.recall("shop", "What did the desk lamp cost in the end?").spans[0].message_id == "r"
