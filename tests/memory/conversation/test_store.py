"""Messages of providers are stored as they are."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from support.images import encoded
from support.service import serve

from foxing.memory import InvalidInput, Memory

SESSION: list[dict[str, Any]] = [
    {"role": "user", "content": "What does the contract say about Titan?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "I look.", "signature": "s"},
            {"type": "text", "text": "I read it."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "contract.txt"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "Titan ships on 14 March."},
            {"type": "document", "title": "annex.pdf", "source": {"type": "base64", "media_type": "application/pdf"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ],
    },
]
STORED = [
    ("user", "What does the contract say about Titan?"),
    ("assistant", "I read it."),
    ("assistant", '△ read t1 {"path":"contract.txt"}'),
    ("tool", "▽ t1\nTitan ships on 14 March."),
    (
        "user",
        "[document: annex.pdf, application/pdf]\n◇\n"
        "[image, not remembered: the data are not a PNG, JPEG, WebP or GIF image]",
    ),
]


def remembered(memory: Memory) -> list[tuple[str, str]]:
    return [(span.role, span.text) for span in memory.recall("ana").spans]


def test_a_conversation_of_a_provider_is_stored_turn_by_turn(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        result = memory.store("ana", SESSION, provider="anthropic", thread="s1")
        assert (len(result.ids), result.left_out) == (5, {"thinking": 1})
        assert remembered(memory) == STORED
        only_thinks = [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}]
        assert memory.store("ana", only_thinks, provider="anthropic").ids == []
        of_host = [{"role": "user", "content": "<system-reminder>\nBe brief.\n</system-reminder>"}]
        result = memory.store("ana", of_host, provider="anthropic")
        assert (result.ids, result.left_out) == ([], {"text of the host": 1})


@pytest.mark.parametrize(
    ("items", "provider", "reason"),
    [
        (SESSION, "mistral", "provider must be anthropic, openai, openai-responses, gemini or ai-sdk, not 'mistral'"),
        ({"role": "user"}, "openai", "messages must be a list of messages of openai, not a dict"),
        ([SESSION[0], {"role": "narrator", "content": "x"}], "openai", r"messages\[1\]: role must be"),
        ([], "openai", "give at least one message"),
    ],
)
def test_what_is_no_conversation_is_refused_and_nothing_is_stored(
    tmp_path: Path, items: Any, provider: Any, reason: str
) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        with pytest.raises(InvalidInput, match=reason):
            memory.store("ana", items, provider=provider)
        assert memory.banks().banks == []


PROMPT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Where is Titan?"}]},
]
CALL = "call_00000000000000000001"
PARTS: list[dict[str, Any]] = [
    {"type": "stream-start", "warnings": []},
    {"type": "reasoning-start", "id": "r"},
    {"type": "reasoning-delta", "id": "r", "delta": "hm"},
    {"type": "text-start", "id": "1"},
    {"type": "text-delta", "id": "1", "delta": "I "},
    {"type": "text-delta", "id": "1", "delta": "look."},
    {"type": "text-end", "id": "1"},
    {"type": "tool-call", "toolCallId": CALL, "toolName": "find", "input": '{"ship":"Titan"}'},
    {"type": "finish", "finishReason": {"unified": "tool-calls"}, "usage": {}},
]
RESULT = {"toolCallId": CALL, "toolName": "find", "output": {"type": "json", "value": {"at": 3}}}
NEXT: list[dict[str, Any]] = [
    *PROMPT,
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "hm"},
            {"type": "text", "text": "I look."},
            {"type": "tool-call", "toolCallId": CALL, "toolName": "find", "input": {"ship": "Titan"}},
        ],
    },
    {"role": "tool", "content": [{"type": "tool-result", **RESULT}]},
]
WORDS = [
    ("user", "Where is Titan?"),
    ("assistant", "I look."),
    ("assistant", f'△ find {CALL} {{"ship":"Titan"}}'),
    ("tool", f'▽ {CALL}\n{{"at":3}}'),
    ("assistant", "At berth 3."),
]


def events(parts: list[dict[str, Any]]) -> str:
    return "".join(f"data: {json.dumps(part)}\n\n" for part in parts)


def test_a_conversation_that_is_sent_again_and_again_is_stored_once(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        first = memory.store("ana", PROMPT, provider="ai-sdk", session="s1", answer=events(PARTS))
        assert (first.stored, first.duplicates, first.left_out) == (3, 0, {})
        said = json.dumps({"content": [{"type": "text", "text": "At berth 3."}], "finishReason": "stop"})
        for _ in range(2):
            memory.store("ana", NEXT, provider="ai-sdk", session="s1", answer=said)
        assert remembered(memory) == WORDS
        assert {span.thread for span in memory.recall("ana").spans} == {"s1"}
        chat = [
            {"role": "user", "content": "Where is Titan?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [{"id": CALL, "function": {"name": "find"}}]},
        ]
        again = memory.store("ana", chat, provider="openai", session="s1")
        assert (again.stored, again.duplicates) == (0, 3)


def test_a_session_may_follow_from_its_first_words_and_have_another_thread(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        for thread in (None, "titan", None):
            memory.store("ana", PROMPT, provider="ai-sdk", session="auto", thread=thread)
        [span] = memory.recall("ana").spans
        assert span.thread.startswith("chat-")
        result = memory.store("ana", PROMPT, provider="ai-sdk", session="s2", thread="titan")
        assert (result.stored, memory.message("ana", result.ids[0]).thread) == (1, "titan")


def test_of_an_answer_that_breaks_the_question_is_stored(tmp_path: Path) -> None:
    failed = [*PARTS[:4], {"type": "error", "error": "x"}, PARTS[-1]]
    with Memory(tmp_path / "foxing.db") as memory:
        for number, answer in enumerate([events(PARTS[:-1]), events(failed), "no answer", '"text"']):
            result = memory.store("ana", PROMPT, provider="ai-sdk", session=f"s{number}", answer=answer)
            assert (result.stored, result.left_out) == (1, {"answers that are not complete": 1})


def test_what_a_host_asks_for_itself_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    title = [{"role": "system", "content": "You are a title generator."}, {"role": "user", "content": "Titan?"}]
    with Memory(tmp_path / "foxing.db") as memory:
        result = memory.store("ana", title, provider="anthropic", session="s")
        assert (result.ids, result.left_out) == ([], {"requests of the host": 1})
        result = memory.store("ana", [*PROMPT, {"role": "narrator"}], provider="ai-sdk", session="s")
        assert (result.stored, result.left_out) == (1, {"messages that cannot be read": 1})
        assert memory.store("ana", PROMPT[:1], provider="ai-sdk", session="s").ids == []
        with pytest.raises(InvalidInput, match="session and answer need provider"):
            memory.store("ana", [{"role": "user", "content": "x"}], session="s")


def test_images_of_the_ai_sdk_are_read_in_each_of_its_forms(tmp_path: Path) -> None:
    data = base64.b64encode(encoded()).decode()
    given = [
        {"type": "file", "mediaType": "image/png", "data": {"type": "data", "data": data}},
        {"type": "file", "mediaType": "image/png", "data": data},
        {"type": "image", "image": f"data:image/png;base64,{data}"},
    ]
    with Memory(tmp_path / "foxing.db") as memory:
        message = {"role": "user", "content": [{"type": "text", "text": "Look."}, *given]}
        [message_id] = memory.store("ana", [message], provider="ai-sdk").ids
        parts = memory.message("ana", message_id).parts or []
        assert [part.type for part in parts] == ["text", "image", "image", "image"]
        pdf = {"role": "user", "content": [{"type": "file", "mediaType": "application/pdf", "data": "AAAA"}]}
        [message_id] = memory.store("ana", [pdf], provider="ai-sdk").ids
        assert memory.message("ana", message_id).text == "[file: application/pdf]"


@pytest.mark.parametrize("message", ["user", "system"])
def test_the_service_takes_a_conversation(tmp_path: Path, message: str) -> None:
    messages = PROMPT if message == "user" else PROMPT[:1]
    body = {"provider": "ai-sdk", "session": "s1", "messages": messages, "answer": events(PARTS)}
    with Memory(tmp_path / "foxing.db") as memory, serve(memory) as client:
        answer = client.post("/v1/banks/ana/messages", json=body)
        assert answer.status_code == 201, answer.text
        for wrong in ({"session": 1}, {"answer": {}}, {"provider": None}, {"thread": 3}):
            assert client.post("/v1/banks/ana/messages", json={**body, **wrong}).status_code == 422
    with Memory(tmp_path / "foxing.db") as memory:
        stored = memory.store("ana", messages, provider="ai-sdk", session="s1", answer=events(PARTS))
        assert (stored.stored, stored.ids) == (0, answer.json()["ids"])
