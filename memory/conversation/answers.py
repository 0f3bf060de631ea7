"""Answers of the providers' APIs: what the model said, and what was billed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .event_streams import CUT_SHORT, FINAL, UNFINISHED, AnswerReader, Json
from .provider import Provider


@dataclass(frozen=True)
class Usage:
    """Tokens that a provider billed for a call."""

    #: Input at the full price, written to the prompt cache, and read from it.
    fresh: int = 0
    written: int = 0
    read: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        """All input."""
        return self.fresh + self.written + self.read


@dataclass(frozen=True)
class PassedAnswer:
    """A complete answer of a model."""

    id: str | None
    #: The answer as messages or items of the next request.
    messages: Sequence[Json]
    usage: Usage | None = None
    conversation: str | None = None


def read_value(provider: Provider, value: Any) -> PassedAnswer | None:
    """Returns the answer in the JSON of a body; None if it is not complete, or not an answer."""
    try:
        return _READERS[provider](value) if isinstance(value, dict) else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def read_answer(provider: Provider, body: str) -> PassedAnswer | None:
    """Returns the answer in a body, which is JSON or a stream of events; None if it is not complete, or not an
    answer."""
    try:
        value = json.loads(body)
    except ValueError:
        reader = AnswerReader(provider)
        reader.feed(body.encode(errors="surrogatepass"))
        reader.end()
        value = reader.answer()
    except RecursionError:
        return None
    return read_value(provider, value)


def _read_message(value: Json) -> PassedAnswer | None:
    if value.get("type") != "message":
        return None
    usage = value.get("usage") or {}
    counted = Usage(
        usage.get("input_tokens") or 0,
        usage.get("cache_creation_input_tokens") or 0,
        usage.get("cache_read_input_tokens") or 0,
        usage.get("output_tokens") or 0,
    )
    message = {"role": "assistant", "content": value.get("content") or []}
    return PassedAnswer(value.get("id"), [message], counted)


def _read_completion(value: Json) -> PassedAnswer | None:
    choices = value.get("choices")
    if not choices:
        return None
    message = {"role": "assistant", **(choices[0].get("message") or {})}
    return PassedAnswer(value.get("id"), [message], _openai_usage(value.get("usage"), "prompt"))


def _read_response(value: Json) -> PassedAnswer | None:
    if value.get("status") not in FINAL:
        return None
    conversation = value.get("conversation")
    named = conversation.get("id") if isinstance(conversation, dict) else conversation
    usage = _openai_usage(value.get("usage"), "input")
    return PassedAnswer(value.get("id"), value.get("output") or [], usage, named)


def _read_content(value: Json) -> PassedAnswer | None:
    candidates = value.get("candidates")
    if not candidates or candidates[0].get("finishReason") in UNFINISHED:
        return None
    usage = value.get("usageMetadata") or {}
    input_tokens = (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0)
    read = usage.get("cachedContentTokenCount") or 0
    output = (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)
    message = {"role": "model", **(candidates[0].get("content") or {})}
    return PassedAnswer(value.get("responseId"), [message], Usage(input_tokens - read, 0, read, output))


def _openai_usage(usage: Any, name: str) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get(f"{name}_tokens_details") or {}
    read = details.get("cached_tokens") or 0
    written = details.get("cache_write_tokens") or 0
    input_tokens = usage.get(f"{name}_tokens") or 0
    output = usage.get("output_tokens" if name == "input" else "completion_tokens") or 0
    return Usage(max(0, input_tokens - read - written), written, read, output)


def _read_result(value: Json) -> PassedAnswer | None:
    finish = value.get("finishReason")
    reason = finish.get("unified") if isinstance(finish, dict) else finish
    if reason in CUT_SHORT:
        return None
    return PassedAnswer(None, [{"role": "assistant", "content": value["content"]}])


_READERS = {
    "anthropic": _read_message,
    "openai": _read_completion,
    "openai-responses": _read_response,
    "gemini": _read_content,
    "ai-sdk": _read_result,
}
