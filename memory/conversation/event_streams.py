"""Answers of the providers' APIs in streams of events, read as their bytes come."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any

from .parse import joined_pieces
from .provider import Provider

Json = dict[str, Any]

#: Bytes that are kept of an answer: of an event that is not complete, and of what the model has said so far. An answer
#: with more is passed on and not read.
MAX_ANSWER_BYTES = 32 << 20
#: Lines that are read of a stream. The longest answers of a model have a tenth of it.
MAX_LINES = 2_000_000
#: States of a response whose answer is complete, and the events that hold such a response.
FINAL = ("completed", "incomplete")
_FINAL_EVENTS = tuple(f"response.{state}" for state in FINAL)
#: Reasons for which Gemini has not finished an answer: none yet, and that it goes on in another call.
UNFINISHED = (None, "CONTINUATION")
#: Reasons for which the AI SDK ends an answer that is not complete.
CUT_SHORT = (None, "error", "interrupted")
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)


class EventStream:
    """The events of a stream (server-sent events), of whose bytes each is looked at once."""

    def __init__(self) -> None:
        #: The line that is not complete, and the data of the event that is not.
        self._line = bytearray()
        self._data = bytearray()
        self._after_return = False
        self._lines = 0

    @property
    def waiting_bytes(self) -> int:
        """Size of the event that is not complete, in bytes."""
        return len(self._line) + len(self._data)

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Yields the data of each event that these bytes complete. Raises `ValueError` after `MAX_LINES` lines."""
        if self._after_return and content[:1] == b"\n":
            content = content[1:]  # of a line break in two pieces
        self._after_return = content[-1:] == b"\r"
        pieces = content.splitlines(keepends=True)
        self._lines += len(pieces)
        if self._lines > MAX_LINES:
            raise ValueError("there are too many lines")
        for piece in pieces:
            self._line += piece
            if piece[-1:] not in (b"\n", b"\r"):
                continue
            line = bytes(self._line).rstrip(b"\r\n")
            self._line.clear()
            if line.startswith(b"data:"):
                self._data += line[5:].strip() + b"\n"
            elif not line and self._data:
                data = bytes(self._data[:-1])
                self._data.clear()
                yield data

    def end(self) -> Iterator[bytes]:
        """Yields the data of the last event, if no empty line has ended it."""
        yield from self.feed(b"\n\n")


class AnswerReader:
    """Reads the answer in a stream as its bytes come. Keeps what the model has said, not the stream."""

    def __init__(self, provider: Provider) -> None:
        self._events = EventStream()
        self._answer: _Answer = _ANSWERS[provider]()
        self._failed = False

    @property
    def is_complete(self) -> bool:
        """True once the event has come with which an answer ends."""
        return self._answer.is_complete and not self._failed

    @property
    def is_done(self) -> bool:
        """True if nothing that follows changes the answer: it is complete, or cannot be read."""
        return self._failed or self._answer.is_complete

    @property
    def waiting_bytes(self) -> int:
        """Size of the event that is not complete."""
        return self._events.waiting_bytes

    def feed(self, content: bytes) -> None:
        """Reads the next bytes."""
        self._read(self._events.feed, content)

    def end(self) -> None:
        """Reads the end of the stream."""
        self._read(lambda _: self._events.end(), b"")

    def answer(self) -> Json | None:
        """Returns the answer; None if it is not complete, or cannot be read."""
        if not self.is_complete:
            return None
        try:
            return self._answer.value()
        except _UNREADABLE:
            return None

    def _read(self, feed: Callable[[bytes], Iterator[bytes]], content: bytes) -> None:
        if self.is_done:
            return
        try:
            for data in feed(content):
                self._answer.add(data)
                if self._answer.is_complete:
                    break
        except _UNREADABLE:
            self._give_up()
        if self._answer.size + self._events.waiting_bytes > MAX_ANSWER_BYTES:
            self._give_up()

    def _give_up(self) -> None:
        self._failed = True
        self._answer = _Answer()
        self._events = EventStream()


class _Answer:
    """An answer that is put together from events."""

    def __init__(self) -> None:
        self.is_complete = False
        #: Size of what is kept, in bytes or characters.
        self.size = 0

    def add(self, data: bytes) -> None:
        """Adds an event. Raises what reading an unknown one raises."""

    def value(self) -> Json:
        """Returns the answer as the API gives it without a stream."""
        return {}

    def _keep(self, texts: StringIO, text: str) -> None:
        texts.write(text)
        self.size += len(text)


class _Message(_Answer):
    def __init__(self) -> None:
        super().__init__()
        self._message: Json = {}
        self._blocks: dict[int, Json] = {}
        self._texts: defaultdict[int, StringIO] = defaultdict(StringIO)
        self._inputs: defaultdict[int, StringIO] = defaultdict(StringIO)

    def add(self, data: bytes) -> None:
        event = json.loads(data)
        kind = event.get("type")
        if kind == "message_start":
            self._message = dict(event["message"])
            self.size += len(data)
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
            self.size += len(data)
        elif kind == "content_block_delta":
            self._extend(event["index"], event["delta"])
        elif kind == "message_delta":
            usage = event.get("usage") or {}
            before = self._message.get("usage") or {}
            self._message["usage"] = {**before, **{k: v for k, v in usage.items() if v is not None}}
        elif kind == "message_stop":
            self.is_complete = True

    def _extend(self, index: int, delta: Json) -> None:
        kind = delta.get("type")
        if index not in self._blocks:
            raise KeyError(index)
        if kind == "text_delta":
            self._keep(self._texts[index], delta["text"])
        elif kind == "input_json_delta":
            self._keep(self._inputs[index], delta["partial_json"])
        elif kind == "citations_delta":
            cited = self._blocks[index].get("citations") or []
            self._blocks[index]["citations"] = [*cited, delta["citation"]]
            self.size += 1_000

    def value(self) -> Json:
        return {**self._message, "content": [self._block(index) for index in sorted(self._blocks)]}

    def _block(self, index: int) -> Json:
        block = self._blocks[index]
        if index in self._texts:
            block = {**block, "text": block.get("text", "") + self._texts[index].getvalue()}
        if index in self._inputs:
            text = self._inputs[index].getvalue()
            block = {**block, "input": json.loads(text) if text.strip() else {}}
        return block


class _Call:
    """A tool call of a chat."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = StringIO()
        self.arguments = StringIO()


class _Completion(_Answer):
    def __init__(self) -> None:
        super().__init__()
        self._id: Any = None
        self._usage: Any = None
        self._texts: defaultdict[str, StringIO] = defaultdict(StringIO)
        self._annotations: list[Json] = []
        self._calls: defaultdict[int, _Call] = defaultdict(_Call)

    def add(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.is_complete = True
            return
        event = json.loads(data)
        self._id = self._id or event.get("id")
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            if choice.get("index"):
                continue  # only the first of several answers
            delta: Any = choice.get("delta") or {}
            texts = {**delta, "transcript": (delta.get("audio") or {}).get("transcript")}
            for name in ("content", "refusal", "transcript"):
                if texts.get(name):
                    self._keep(self._texts[name], texts[name])
            before = len(self._annotations) + len(self._calls)
            self._annotations += delta.get("annotations") or ()
            for part in delta.get("tool_calls") or ():
                self._extend(self._calls[part["index"]], part)
            self.size += 1_000 * (len(self._annotations) + len(self._calls) - before)

    def _extend(self, call: _Call, part: Json) -> None:
        call.id = part.get("id") or call.id
        function = part.get("function") or part.get("custom") or {}
        self._keep(call.name, function.get("name") or "")
        self._keep(call.arguments, function.get("arguments") or function.get("input") or "")

    def value(self) -> Json:
        calls = [
            {"id": call.id, "function": {"name": call.name.getvalue(), "arguments": call.arguments.getvalue()}}
            for _, call in sorted(self._calls.items())
        ]
        texts = {name: text.getvalue() for name, text in self._texts.items()}
        audio = {"transcript": texts.pop("transcript")} if "transcript" in texts else None
        members = {"content": "", **texts, "audio": audio, "annotations": self._annotations, "tool_calls": calls}
        return {"id": self._id, "choices": [{"message": {"role": "assistant", **members}}], "usage": self._usage}


class _Response(_Answer):
    def __init__(self) -> None:
        super().__init__()
        self._response: Json | None = None

    def add(self, data: bytes) -> None:
        if not any(kind.encode() in data for kind in _FINAL_EVENTS):
            return  # the last event holds the whole response, and a text may name it
        event = json.loads(data)
        if event.get("type") in _FINAL_EVENTS:
            self.is_complete = True
            self._response = event["response"]

    def value(self) -> Json:
        return dict(self._response or {})


class _Content(_Answer):
    def __init__(self) -> None:
        super().__init__()
        self._last: Json = {}
        self._pieces: list[Json] = []

    def add(self, data: bytes) -> None:
        self._last = json.loads(data)
        for candidate in (self._last.get("candidates") or ())[:1]:
            if candidate.get("content"):
                self._pieces.append(candidate["content"])
                self.size += len(data)
            self.is_complete = candidate.get("finishReason") not in UNFINISHED

    def value(self) -> Json:
        [candidate] = self._last["candidates"][:1]
        return {**self._last, "candidates": [{**candidate, "content": joined_pieces(self._pieces)}]}


class _Result(_Answer):
    """Parts of a stream of a model of the AI SDK."""

    def __init__(self) -> None:
        super().__init__()
        self._finish: Any = None
        self._parts: list[Json] = []
        self._texts: dict[str, StringIO] = {}

    def add(self, data: bytes) -> None:
        event = json.loads(data)
        kind = event["type"]
        if kind == "text-start":
            self._texts[event["id"]] = StringIO()
            self._parts.append({"type": "text", "id": event["id"]})
        elif kind == "text-delta":
            self._keep(self._texts[event["id"]], event["delta"])
        elif kind == "finish":
            self.is_complete = True
            self._finish = event["finishReason"]
        elif kind == "error":
            raise ValueError("the stream has failed")
        elif not kind.endswith(("-start", "-delta", "-end")) and kind not in ("response-metadata", "ping", "raw"):
            self._parts.append(event)
            self.size += len(data)

    def value(self) -> Json:
        parts = [
            {"type": "text", "text": self._texts[part["id"]].getvalue()} if part["type"] == "text" else part
            for part in self._parts
        ]
        return {"content": parts, "finishReason": self._finish}


_ANSWERS: Mapping[Provider, type[_Answer]] = {
    "anthropic": _Message,
    "openai": _Completion,
    "openai-responses": _Response,
    "gemini": _Content,
    "ai-sdk": _Result,
}
