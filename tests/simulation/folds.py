"""Sessions of agents, whose conversations are folded, and what must hold for a fold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foxing.memory import FoldRequest, FoldResult, RecalledMessage

from .model import check, short

BANK = "sessions"


def turn_messages(turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the messages of a turn: a request, a call of a tool, its result, and an answer."""
    key = f"call_{turn['word']}"
    call = {"type": "tool_use", "id": key, "name": "read", "input": {"path": turn["path"]}}
    return [
        {"role": "user", "content": f"{turn['word']} {turn['request']}"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": key, "content": turn["output"]}]},
        {"role": "assistant", "content": turn["answer"]},
    ]


@dataclass
class Session:
    """A conversation as its client holds it."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    #: Reader → number of the fold that was made last, and what was to be sent up to its end. Each has folds of its own.
    last: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, turns: Sequence[Mapping[str, Any]]) -> None:
        """Adds turns and the next request."""
        for turn in turns:
            self.messages += turn_messages(turn)
            self.words.append(turn["word"])

    def request(self, name: str, reader: str, budget: int, cache: str) -> FoldRequest:
        """Returns the request that folds the conversation, which ends with a new question."""
        messages = (*self.messages, {"role": "user", "content": "And now?"})
        fields = {"session": name, "wire": "anthropic", "messages": messages, "reader": reader, "budget": budget}
        return FoldRequest.model_validate({**fields, "cache": cache, "model": "claude-sonnet-4-5"})

    def check(self, result: FoldResult, request: FoldRequest) -> None:
        """Checks what a fold returns."""
        if result.fold == 0:
            check(result.messages == list(request.messages), "nothing is folded, and other messages are to be sent")
            return
        tail = list(request.messages[result.folded :])
        at = result.folded_at
        check(at is not None and result.messages[at + 1 :] == tail, "messages after the fold are not those of the call")
        beginning = prefix(result)
        number, last = self.last.get(result.reader, (0, ""))
        if number == result.fold and result.reason is None:
            check(last == beginning, f"fold {result.fold} is another than at the last call")
        self.last[result.reader] = result.fold, beginning

    def check_stored(self, name: str, messages: Sequence[RecalledMessage], result: FoldResult) -> None:
        """Checks what a fold has stored."""
        parts = [message for message in messages if message.thread.startswith(name)]
        keys = [message.message_id for message in parts]
        check(len(set(keys)) == len(keys), f"session {name}: a message is stored twice")
        texts = json.dumps(self.messages, ensure_ascii=False)
        for word in self.words:
            number = sum(word in message.text and message.role == "user" for message in parts)
            check(number <= 1, f"session {name}: the request {word} is stored {number} times")
        for message in parts:
            if message.source in ("open", "text") and message.role == "user" and message.parts is None:
                line = json.dumps(message.text, ensure_ascii=False)[1:-1]
                check(line in texts, f"session {name}: nobody said {short(message.text)}")
        if result.fold:
            head = json.dumps(self.messages[: result.folded], ensure_ascii=False)
            requests = sum(word in head for word in self.words)
            number = sum(message.role == "user" for message in parts)
            check(number >= requests, f"session {name}: {requests} requests are folded, {number} are stored")


def prefix(result: FoldResult) -> str:
    """Returns what is to be sent up to the end of the fold, as JSON."""
    end = 0 if result.folded_at is None else result.folded_at + 1
    return json.dumps(result.messages[:end], ensure_ascii=False)
