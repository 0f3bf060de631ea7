"""Recall through `Memory`: words, times, languages, budgets, cursors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import InvalidCursor, InvalidInput, InvalidTime, Memory
from foxing.renderer.readers import UnknownReader

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)

MESSAGES = (
    ("titan-1", "titan", "user", NOW - 60 * DAY, "Shall we use SQLite or Postgres for Titan?"),
    ("titan-2", "titan", "assistant", NOW - 60 * DAY, "SQLite is enough for the first release of project Titan."),
    ("titan-3", "titan", "user", NOW - 21 * DAY, "Decision: project Titan ships on 14 September without offline maps."),
    ("ko-1", "korean", "user", NOW - 14 * DAY, "타이탄 프로젝트 회의를 다음 주 화요일로 옮겼어요."),
    ("ko-2", "korean", "assistant", NOW - 14 * DAY, "알겠습니다. 회의실은 삼층 파란방입니다."),
    ("small-1", "smalltalk", "user", NOW - 2 * DAY, "My sourdough finally rose, thanks for the tip about the fridge."),
    (
        "id-1",
        "ops",
        "tool",
        NOW - 40 * DAY,
        "deploy 7f3c9a1e-04bb-4c1d-9a77-2f6e5d0c8b11 to https://titan.example.com/api",
    ),
)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        opened.store(
            "ana",
            [
                {"id": key, "thread": thread, "role": role, "created_at": at, "content": text}
                for key, thread, role, at, text in MESSAGES
            ],
        )
        yield opened


def found(memory: Memory, query: str | None = None, **options: object) -> list[str]:
    return [span.message_id for span in memory.recall("ana", query, **options).spans]  # type: ignore[arg-type]


@pytest.mark.both_databases
def test_words_find_the_message(memory: Memory) -> None:
    assert found(memory, "sourdough fridge")[0] == "small-1"
    assert found(memory, "which database for Titan, sqlite?")[0] in ("titan-1", "titan-2")


@pytest.mark.both_databases
def test_korean_matches_parts_of_words(memory: Memory) -> None:
    assert found(memory, "타이탄 회의")[0] == "ko-1"
    assert found(memory, "회의실")[0] == "ko-2"


@pytest.mark.both_databases
@pytest.mark.parametrize("sealed", [False, True])
def test_a_time_in_the_query_moves_the_ranking(memory: Memory, sealed: bool) -> None:
    if sealed:
        memory.seal("ana")
    assert found(memory, "3 weeks ago, what did we decide about project Titan?")[0] == "titan-3"
    assert set(found(memory, "Titan, two months ago")) == set(found(memory, "Titan"))  # nothing is excluded
    assert set(found(memory, "Titan, two months ago")[:2]) == {"titan-1", "titan-2"}
    assert found(memory, "3 weeks ago") == ["titan-3"]  # a time alone is a window
    assert found(memory, "2주 전에 회의 어디로 옮겼지?")[0] == "ko-1"


@pytest.mark.both_databases
def test_a_window_without_words_lists_every_message_once_in_time_order(memory: Memory) -> None:
    assert found(memory) == [key for key, *_ in sorted(MESSAGES, key=lambda m: m[3])]
    assert found(memory, since="3 weeks ago", until="yesterday") == ["titan-3", "ko-1", "ko-2", "small-1"]
    assert found(memory, since=NOW - 15 * DAY, until=NOW - 13 * DAY) == ["ko-1", "ko-2"]


def test_a_thread_restricts_the_answer(memory: Memory) -> None:
    assert set(found(memory, "Titan", thread="titan")) == {"titan-1", "titan-2", "titan-3"}
    assert found(memory, "Titan", thread="no such thread") == []


@pytest.mark.both_databases
def test_cursors_page_through_everything_once(memory: Memory) -> None:
    for query in (None, "Titan"):
        whole = found(memory, query, limit=500)
        seen: list[str] = []
        cursor = None
        while True:
            part = memory.recall("ana", query, limit=2, cursor=cursor)
            seen += [span.message_id for span in part.spans]
            cursor = part.next_cursor
            if cursor is None:
                break
        assert seen == whole


def test_spans_fit_the_token_budget(memory: Memory) -> None:
    whole = memory.recall("ana", "Titan")
    part = memory.recall("ana", "Titan", max_tokens=whole.text_tokens - 1)
    assert part.text_tokens <= whole.text_tokens - 1
    assert part.text_tokens == count_text_tokens(part.rendered)
    assert part.text_tokens > sum(count_text_tokens(span.text) for span in part.spans)
    assert part.next_cursor is not None
    rest = memory.recall("ana", "Titan", cursor=part.next_cursor)
    assert [s.message_id for s in part.spans + rest.spans] == [s.message_id for s in whole.spans]


def test_a_span_over_the_budget_is_cut(memory: Memory) -> None:
    for budget in (5, 25):  # the first has no room for who spoke and when
        only = memory.recall("ana", "sourdough", max_tokens=budget)
        assert only.text_tokens <= budget
        assert MESSAGES[5][4].startswith(only.spans[0].text)
        assert only.spans[0].text
        assert only.rendered.endswith(only.spans[0].text)
        assert only.text_tokens == count_text_tokens(only.rendered)


def test_what_a_model_is_to_see_is_in_time_order(memory: Memory) -> None:
    result = memory.recall("ana", "Titan")
    said = sorted(result.spans, key=lambda span: result.rendered.index(span.text))
    assert [span.created_at for span in said] == sorted(span.created_at for span in result.spans)
    assert result.text_tokens == count_text_tokens(result.rendered)
    with_ids = memory.recall("ana", "Titan", ids=True)
    assert all(f"({span.message_id}) {span.text}" in with_ids.rendered for span in said)
    assert with_ids.text_tokens == count_text_tokens(with_ids.rendered) > result.text_tokens
    assert memory.recall("ana", "zebra").rendered == "No remembered message matches."


def test_messages_of_one_speaker_and_day_take_less_of_the_budget(memory: Memory) -> None:
    memory.store("bo", [{"role": "user", "content": f"Gate {n} is open for Titan."} for n in range(40)])
    apart = sum(memory.recall("bo", f"gate {n}", limit=1).text_tokens for n in range(40))
    whole = memory.recall("bo", "Titan", limit=40)
    assert whole.text_tokens < 0.6 * apart
    assert memory.recall("bo", "Titan", limit=40, max_tokens=whole.text_tokens + 1).left_out == []
    half = memory.recall("bo", "Titan", limit=40, max_tokens=whole.text_tokens // 2)
    assert 15 <= len(half.spans) < 40
    assert half.text_tokens == count_text_tokens(half.rendered) <= whole.text_tokens // 2


def test_decoded_spans_are_marked_and_keepsakes_are_exact(memory: Memory) -> None:
    # keepsakes are at most 5 % of a page, so the page needs other text
    memory.store("ana", [{"role": "user", "content": "It rained all day, and we stayed at home. " * 40}])
    memory.seal("ana")
    memory.age("ana", now=NOW + 31 * DAY)

    span = memory.message("ana", "id-1")

    assert (span.source, span.tier) == ("decoded", "tiny")
    assert "7f3c9a1e-04bb-4c1d-9a77-2f6e5d0c8b11" in span.text
    assert "https://titan.example.com/api" in span.text
    assert 0 < span.confidence <= 1
    assert all(0 <= start < stop <= len(span.text) for start, stop, _ in span.uncertain)
    assert found(memory, "7f3c9a1e-04bb-4c1d-9a77-2f6e5d0c8b11") == ["id-1"]


def test_verbatim_returns_only_kept_text(memory: Memory) -> None:
    memory.seal("ana")
    assert len(found(memory, "Titan", fidelity="verbatim")) == len(found(memory, "Titan"))
    memory.age("ana", now=NOW + 31 * DAY)
    assert found(memory, None, fidelity="verbatim") == []
    assert len(found(memory)) == len(MESSAGES)


def test_images_show_each_page_once(memory: Memory) -> None:
    memory.seal("ana")
    memory.store("ana", [{"role": "user", "content": "Titan again", "id": "open"}])

    images = memory.recall_images("ana", "Titan")

    assert [image.page_id for image in images.images] == [memory.pages("ana").pages[0].id]
    assert images.vision_tokens == images.images[0].tokens
    assert [span.message_id for span in images.open_spans] == ["open"]
    assert set(images.images[0].message_ids) >= {"titan-1", "titan-2", "titan-3"}


@pytest.mark.both_databases
def test_export_returns_what_was_stored(memory: Memory) -> None:
    memory.seal("ana")
    exported = {span.message_id: span.text for span in memory.export("ana")}
    assert exported == {key: text for key, _, _, _, text in MESSAGES}


def test_invalid_queries_are_rejected(memory: Memory) -> None:
    with pytest.raises(InvalidTime):
        memory.recall("ana", since="the day after the flood")
    with pytest.raises(InvalidTime, match="must be before"):
        memory.recall("ana", since=NOW, until=NOW - DAY)
    with pytest.raises(InvalidTime, match="timezone"):
        memory.recall("ana", "x", now=NOW.replace(tzinfo=None))
    with pytest.raises(InvalidInput, match="limit"):
        memory.recall("ana", limit=0)
    with pytest.raises(InvalidInput, match="max_tokens"):
        memory.recall("ana", max_tokens=0)
    with pytest.raises(InvalidInput, match="fidelity"):
        memory.recall("ana", fidelity="perfect")  # type: ignore[arg-type]
    with pytest.raises(UnknownReader, match="'claude'"):
        memory.recall_images("ana", reader="cluade")
    with pytest.raises(InvalidInput, match="is text-only"):
        memory.recall_images("ana", reader="text")
    with pytest.raises(InvalidCursor):
        memory.recall("ana", cursor="made up")
    cursor = memory.recall("ana", limit=1).next_cursor
    with pytest.raises(InvalidCursor, match="another query"):
        memory.recall("ana", "Titan", cursor=cursor)
