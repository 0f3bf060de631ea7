"""Scripted answers and faults, the same for all wires."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Text:
    """A text of an answer."""

    text: str


@dataclass(frozen=True)
class Thinking:
    """Thinking before the parts that follow: a signed `thinking` block, or a `reasoning` item. Chat completions only
    count it."""

    text: str
    #: Anthropic: sent as `redacted_thinking`, without its text.
    redacted: bool = False


@dataclass(frozen=True)
class ScriptedCall:
    """A call of a tool. Several in one answer are parallel calls."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    #: Id of the call; None for one that the upstream makes.
    id: str | None = None


Part: TypeAlias = "Text | Thinking | ScriptedCall | str"


@dataclass(frozen=True)
class ModelAnswer:
    """An answer of the model. A `str` among its parts is a `Text`."""

    parts: tuple[Part, ...]
    #: Anthropic's reason; by default `tool_use` after a call of a tool, else `end_turn`. "max_tokens" and "refusal" are
    #: translated for OpenAI.
    stop_reason: str | None = None
    #: The connection breaks after so many events of a stream; without a stream, in the middle of the body.
    cut_after_events: int | None = None
    #: An `error` event ends the stream after so many events.
    error_after_events: int | None = None
    #: Seconds to wait before the answer, and between events.
    delay_s: float = 0.0
    pause_s: float = 0.0
    #: The answer waits for this event before its first byte.
    hold: Event | None = None
    #: The same, before the event of the stream with this number.
    hold_before_event: int = 0

    @property
    def blocks(self) -> list[Text | Thinking | ScriptedCall]:
        """The parts, texts as `Text`."""
        return [Text(part) if isinstance(part, str) else part for part in self.parts]


@dataclass(frozen=True)
class Fault:
    """A response that is not an answer: an error of the provider, or of something before it."""

    status: int
    message: str = "scripted fault"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Sent in place of an error document, such as the HTML of a gateway.
    body: bytes | None = None
    content_type: str = "text/html"
    #: The connection is closed without a response.
    drop: bool = False
    hold: Event | None = None


def pieces(text: str, size: int = 12) -> list[str]:
    """Returns a text cut into the deltas of a stream."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
