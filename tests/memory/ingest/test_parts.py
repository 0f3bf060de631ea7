"""Messages in parts: stored, sealed, aged, recalled and exported."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foxing.memory import Conflict, ImagePart, InvalidInput, Memory, MessageTooLarge, TextPart, ToolCall, ToolResult
from foxing.memory.pages.message_parts import open_message, recalled_message
from foxing.memory.storage.repositories import banks, messages

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
CALL = {"type": "tool_call", "id": "call_1", "name": "find_issue", "arguments": {"query": "offline maps", "limit": 3}}
RESULT = {"type": "tool_result", "id": "call_1", "content": "TITAN-214: open\n△ not a call"}
SAID = {"type": "text", "text": "Let me look."}


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def message(content: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "m", "role": "assistant", "content": content, "created_at": NOW, **fields}


def test_parts_come_back_open_and_sealed(memory: Memory) -> None:
    memory.store("ana", [message([SAID, CALL, RESULT])])
    expected = [TextPart(**SAID), ToolCall(**CALL), ToolResult(**RESULT)]  # type: ignore[arg-type]
    assert memory.message("ana", "m").parts == expected

    memory.seal("ana")

    sealed = memory.message("ana", "m")
    assert (sealed.parts, sealed.source) == (expected, "text")
    assert sealed.text.startswith("Let me look.\n△ find_issue call_1 {")
    page = memory.read_page("ana", sealed.page_ids[0])
    assert page.messages[0].parts == expected


def test_parts_come_back_from_decoded_pages_that_read_as_parts(memory: Memory) -> None:
    memory.store("ana", [message([SAID, CALL, RESULT])])
    memory.seal("ana")
    memory.age("ana", now=NOW + timedelta(days=8))
    decoded = memory.message("ana", "m")
    assert (decoded.source, decoded.tier) == ("decoded", "small")
    assert decoded.parts == [TextPart(**SAID), ToolCall(**CALL), ToolResult(**RESULT)]  # type: ignore[arg-type]


@pytest.mark.parametrize("misread", ["△ find_issue", "▽ call_1", '"offline maps"'])
def test_a_misread_mark_or_argument_leaves_text(memory: Memory, misread: str) -> None:
    """A call that reads as text must not become part of the text before it."""
    memory.store("ana", [message([SAID, CALL, RESULT])])
    with memory._database.read() as connection:
        stored = messages.by_keys(connection, banks.get(connection, "ana").id, ["m"])["m"]
    assert stored.content is not None
    read = open_message(stored.content.replace(misread, "↛" + misread[1:]))
    assert recalled_message(stored, open_message(stored.content)).parts is not None
    assert recalled_message(stored, read).parts is None


def test_text_that_looks_like_parts_stays_text(memory: Memory) -> None:
    text = "△ find_issue call_1 {}"
    memory.store("ana", [message(text)])
    assert (memory.message("ana", "m").text, memory.message("ana", "m").parts) == (text, None)


@pytest.mark.slow
def test_a_part_of_a_message_is_text(memory: Memory) -> None:
    """Neither the piece of a message on one page nor the beginning within a token budget has parts."""
    lines = "\n".join(f"line {number} of the log" for number in range(1_200))
    memory.store("ana", [message([CALL, {**RESULT, "content": lines}])])
    memory.seal("ana")
    found = memory.message("ana", "m")
    assert len(found.page_ids) > 1
    assert found.parts is not None
    assert all(memory.read_page("ana", page).messages[0].parts is None for page in found.page_ids)
    cut = memory.recall("ana", max_tokens=30).spans[0]
    assert cut.text.startswith("△ find_issue")
    assert cut.parts is None


def test_parts_are_found_by_their_words(memory: Memory) -> None:
    memory.store("ana", [message([SAID, CALL, RESULT]), message("nothing", id="n")])
    for words in ("offline maps", "find_issue", "TITAN-214"):
        assert [span.message_id for span in memory.recall("ana", words, limit=1).spans] == ["m"], words


def test_tool_calls_of_chat_messages_become_parts(memory: Memory) -> None:
    function = {"name": "find", "arguments": '{"q": "타이탄"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    memory.store("ana", [message(None, tool_calls=calls), message("Looking.", id="n", tool_calls=calls)])
    call = ToolCall(id="call_1", name="find", arguments='{"q": "타이탄"}')
    assert memory.message("ana", "m").parts == [call]
    assert memory.message("ana", "n").parts == [TextPart(text="Looking."), call]


def test_messages_of_chat_completions_are_stored_as_they_are(memory: Memory) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    conversation: list[dict[str, Any]] = [
        {"role": "user", "content": "Is Titan open?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "TITAN-214: open"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a"}, SAID]},
        {"role": "tool", "tool_call_id": "call_3", "content": ""},
    ]
    ids = memory.store("ana", conversation).ids
    assert [memory.message("ana", each).parts for each in ids] == [
        None,
        [ToolCall(id="call_1", name="find", arguments="{}")],
        [ToolResult(id="call_1", content="TITAN-214: open")],
        [ToolResult(id="call_2", content="a\nLet me look.")],
        [ToolResult(id="call_3", content="")],
    ]
    memory.seal("ana")
    assert memory.message("ana", ids[2]).parts == [ToolResult(id="call_1", content="TITAN-214: open")]


def test_blocks_of_anthropic_become_parts(memory: Memory) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "screen"}}
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/screen.png"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1"}
    conversation: list[dict[str, Any]] = [
        {"role": "assistant", "content": [SAID, use]},
        {"role": "user", "content": [{**result, "content": "A window."}]},
        {"role": "user", "content": [{**result, "content": [SAID, image, {"type": "document"}], "is_error": True}]},
        {"role": "user", "content": [result, SAID]},
    ]
    ids = memory.store("ana", conversation).ids
    assert [memory.message("ana", each).parts for each in ids] == [
        [TextPart(text="Let me look."), ToolCall(id="toolu_1", name="look", arguments={"at": "screen"})],
        [ToolResult(id="toolu_1", content="A window.")],
        [
            ToolResult(id="toolu_1", content="Let me look.\n[document]", is_error=True),
            ImagePart(url="https://example.org/screen.png"),
        ],
        [ToolResult(id="toolu_1", content=""), TextPart(text="Let me look.")],
    ]


def test_texts_of_the_responses_api_become_text(memory: Memory) -> None:
    memory.store("ana", [message([{"type": "input_text", "text": "hello"}])])
    assert memory.message("ana", "m").text == "hello"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "a message needs content"),
        ([], "a message needs content"),
        ([5], r"content\.parts\.0"),
        ([{**CALL, "arguments": 5}], r"arguments: give a JSON object"),
        ([{**CALL, "arguments": {"a": float("nan")}}], "a number is NaN"),
        ([{**CALL, "name": ""}], r"tool_call\.name"),
        ([{**RESULT, "content": None}], r"tool_result\.content"),
        ([{**SAID, "colour": "red"}], r"text\.colour"),
        ([{**SAID, "text": "\ud800"}], "content contains half of a surrogate pair"),
        ([{**CALL, "arguments": {"a": "\ud800"}}], "content contains half of a surrogate pair"),
    ],
)
def test_invalid_content_is_refused(memory: Memory, content: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"messages\[1\]: .*{reason}") as caught:
        memory.store("ana", [message("good"), message(content, id="n")])
    assert caught.value.index == 1
    assert "messages" not in caught.value.reason
    assert memory.banks().banks == []


def test_size_counts_all_parts(memory: Memory) -> None:
    half = "x" * (1 << 19)
    with pytest.raises(MessageTooLarge):
        memory.store("ana", [message([{**RESULT, "content": half}, {"type": "text", "text": half}])])


def test_the_same_parts_again_add_nothing(memory: Memory) -> None:
    memory.store("ana", [message([SAID, CALL])])
    turned = {**CALL, "arguments": {"limit": 3, "query": "offline maps"}}
    assert memory.store("ana", [message([SAID, turned])]).duplicates == 1
    text = memory.message("ana", "m").text
    for other in (text, [SAID], [SAID, {**CALL, "id": "call_2"}], [SAID, {**CALL, "arguments": "{}"}]):
        with pytest.raises(Conflict):
            memory.store("ana", [message(other)])
