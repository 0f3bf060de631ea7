"""Clients of Google's SDK."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from google import genai
from google.genai import types

from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from foxing.memory.errors import InvalidInput
from tests.upstream.server import Sent, Server

from .conftest import FACT, QUESTION, Options

GEMINI = "gemini-3.8-flash"
Stored = Callable[[object], list[tuple[str, str]]]


class GeminiServer:
    """A server of `generateContent` on loopback, which answers what a test scripts."""

    def __init__(self) -> None:
        self._server = Server(self._respond, "127.0.0.1", 0)
        self._script: deque[list[Any]] = deque()
        #: Bodies of the requests.
        self.requests: list[Any] = []

    def __enter__(self) -> "GeminiServer":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def options(self) -> types.HttpOptions:
        return types.HttpOptions(base_url=self._server.url)

    def client(self) -> genai.Client:
        return genai.Client(api_key="key", http_options=self.options)

    def answer(self, *parts: Any, **candidate: Any) -> None:
        """Appends an answer to the script. A stream has a piece for each of its parts."""
        said = [{"text": part} if isinstance(part, str) else part for part in parts]
        self._script.append([said, {"finishReason": "STOP", **candidate}])

    def _respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes, too_large: bool) -> Sent:
        self.requests.append(json.loads(body))
        parts, end = self._script.popleft() if self._script else ([{"text": "Understood."}], {"finishReason": "STOP"})
        usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
        if ":streamGenerateContent" not in path:
            return Sent(200, {"content-type": "application/json"}, [_answer(parts, end, usage)])
        frames = [_answer([part], end if part is parts[-1] else {}, usage) for part in parts]
        return Sent(
            200, {"content-type": "text/event-stream"}, [b"data: " + each + b"\r\n\r\n" for each in frames], stream=True
        )


def _answer(parts: list[Any], candidate: Any, usage: Any) -> bytes:
    content = {"role": "model", "parts": parts}
    value = {"candidates": [{"content": content, **candidate}], "usageMetadata": usage, "responseId": "r"}
    return json.dumps(value).encode()


@pytest.fixture
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture
def client(gemini: GeminiServer, options: Options) -> Iterator[genai.Client]:
    with wrap(gemini.client(), **options) as client:
        yield client
        flush(client)


def test_an_answer_is_stored_and_what_recall_finds_is_added(
    client: genai.Client, gemini: GeminiServer, stored: Stored
) -> None:
    gemini.answer({"text": "Titan is a moon.", "thought": True}, "On 14 March.")
    answer = client.models.generate_content(model=GEMINI, contents=QUESTION, config={"system_instruction": "be brief"})
    assert answer.text == "On 14 March."
    (message,) = gemini.requests[-1]["contents"]
    added, own = message["parts"]
    assert set(added) == {"text"}
    assert FACT in added["text"]
    assert own == {"text": QUESTION}
    assert stored(client) == [("user", QUESTION), ("assistant", "On 14 March.")]


def test_a_chat_whose_answers_are_streamed_is_stored_once(
    client: genai.Client, gemini: GeminiServer, stored: Stored
) -> None:
    """The SDK keeps each piece of an answer as a message of its history."""
    chat = client.chats.create(model=GEMINI)
    wanted = []
    for number in range(3):
        gemini.answer("I th", f"ink it is {number}", ".", {"text": "", "thoughtSignature": "AAAA"})
        pieces = [chunk.text for chunk in chat.send_message_stream(f"question {number}")]
        assert len(pieces) == 4
        wanted += [("user", f"question {number}"), ("assistant", f"I think it is {number}.")]
    assert len(gemini.requests[-1]["contents"]) > 5
    assert stored(client) == wanted


def test_asynchronous_calls_and_streams(
    gemini: GeminiServer, options: Options, stored: Stored, shared_memory: Memory
) -> None:
    async def talk() -> genai.Client:
        client = wrap(gemini.client(), **options)
        gemini.answer("On 14 March.")
        await client.aio.models.generate_content(model=GEMINI, contents=QUESTION)
        chat = client.aio.chats.create(model=GEMINI)
        for number in range(2):
            gemini.answer("On ", f"{number} May.")
            async for _ in await chat.send_message_stream(f"And Mimas {number}?"):
                pass
        assert flush(client.aio)
        await client.aio.aclose()
        return client

    client = asyncio.run(talk())
    assert FACT in json.dumps(gemini.requests[0])
    assert stored(client) == [
        *[("user", QUESTION), ("assistant", "On 14 March.")],
        *[("user", "And Mimas 0?"), ("assistant", "On 0 May.")],
        *[("user", "And Mimas 1?"), ("assistant", "On 1 May.")],
    ]
    client.models.generate_content(model=GEMINI, contents="Still there?")  # the synchronous half is open
    assert stored(client)[-1] == ("assistant", "Understood.")
    client.close()


def test_functions_that_the_sdk_calls_itself(client: genai.Client, gemini: GeminiServer, stored: Stored) -> None:
    def look(at: int) -> str:
        """Looks."""
        return f"a fox at {at}"

    gemini.answer({"functionCall": {"name": "look", "args": {"at": 3}}})
    gemini.answer("There is a fox.")
    chat = client.chats.create(model=GEMINI, config={"tools": [look]})
    assert chat.send_message("What is at 3?").text == "There is a fox."
    gemini.answer("Red.")
    chat.send_message("Which colour?")
    said = stored(client)
    assert [role for role, _ in said] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert "a fox at 3" in said[2][1]


def test_an_answer_in_several_calls_is_stored_whole(client: genai.Client, gemini: GeminiServer, stored: Stored) -> None:
    chat = client.chats.create(model=GEMINI)
    gemini.answer("One, two", finishReason="CONTINUATION", continuationToken="dG9rZW4=")
    gemini.answer(", three.")
    assert chat.send_message("Count").text == "One, two, three."
    chat.send_message("More")
    assert [text for _, text in stored(client)][:3] == ["Count", "One, two, three.", "More"]


def test_a_prompt_that_is_blocked_is_stored_without_an_answer(
    client: genai.Client, gemini: GeminiServer, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in (False, True):
        gemini.answer(finishReason="SAFETY")
        if stream:
            list(client.models.generate_content_stream(model=GEMINI, contents="streamed"))
        else:
            client.models.generate_content(model=GEMINI, contents="whole")
    assert stored(client) == [("user", "whole"), ("user", "streamed")]


def test_tokens_are_counted_with_what_was_added_and_stored_by_no_one(
    client: genai.Client, gemini: GeminiServer, stored: Stored
) -> None:
    client.models.count_tokens(model=GEMINI, contents=QUESTION)
    assert stored(client) == []


def test_the_given_client_stays_as_it_was(gemini: GeminiServer, options: Options) -> None:
    plain = gemini.client()
    wrapped = wrap(plain, **options)
    assert type(wrapped) is genai.Client
    plain.models.generate_content(model=GEMINI, contents=QUESTION)
    assert FACT not in json.dumps(gemini.requests[-1])
    with pytest.raises(InvalidInput, match="wrapped already"):
        wrap(wrapped)
    with pytest.raises(InvalidInput, match="not wrapped"):
        flush(plain)
    wrapped.close()
    plain.close()


def test_a_client_without_httpx2_is_refused(gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", "httpx")
    with gemini.client() as client, pytest.raises(InvalidInput, match="httpx2"):
        wrap(client)
