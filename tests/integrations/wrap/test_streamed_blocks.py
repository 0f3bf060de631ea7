"""What streams say beside texts and calls of functions."""

import json
from typing import Any

import pytest

from foxing.integrations.turns.sent import read_messages
from foxing.memory.conversation import Turn, Wire
from foxing.memory.conversation.answers import read_value
from foxing.memory.conversation.event_streams import AnswerReader

CITED = {"type": "web_search_result_location", "title": "Tides", "url": "https://t.example"}


def streamed(wire: Wire, *events: Any) -> list[Turn]:
    reader = AnswerReader(wire)
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        reader.feed(f"data: {data}\n\n".encode())
    answer = read_value(wire, reader.answer())
    assert answer is not None
    return [turn for message in read_messages(wire, answer.messages) for turn in message.turns]


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta}]}


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        ([{"refusal": "I cannot "}, {"refusal": "help."}], [("text", "I cannot help.")]),
        ([{"audio": {"transcript": "Good "}}, {"audio": {"transcript": "day"}}], [("text", "[audio]\nGood day")]),
        (
            [{"content": "High."}, {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://t"}}]}],
            [("text", "High.\n[sources: https://t]")],
        ),
    ],
)
def test_chat_completions(deltas: list[dict[str, Any]], parts: list[tuple[str, str]]) -> None:
    [turn] = streamed("openai", *(chunk(**delta) for delta in deltas), "[DONE]")
    assert [(part["type"], part["text"]) for part in turn.parts] == parts


def test_custom_tools_of_chat_completions() -> None:
    call = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select"}}
    more = {"index": 0, "custom": {"input": " 1"}}
    [turn] = streamed("openai", chunk(tool_calls=[call]), chunk(tool_calls=[more]), "[DONE]")
    assert [(part["name"], part["arguments"]) for part in turn.parts] == [("sql", "select 1")]


def test_citations_of_messages() -> None:
    [turn] = streamed(
        "anthropic",
        {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "High at 9."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITED}},
        {"type": "message_stop"},
    )
    assert turn.text == "High at 9.\n[sources: Tides https://t.example]"
