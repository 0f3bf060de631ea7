"""UpstreamState of an upstream that its wires share, and what a wire does with a request."""

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .answers import ModelAnswer
from .cache import Bill, MovableClock, PromptCache
from .models import RequestLimits
from .problems import Provider
from .tokens import Counter, CountText, count_bytes

#: A JSON object.
Json = dict[str, Any]


@dataclass
class Thread:
    """Conversation that the Messages API holds under the id of its newest response."""

    #: Members that must stay the same, and the messages with the response.
    fixed: Json
    messages: list[Json]
    expires: datetime
    continued: bool = False


@dataclass
class UpstreamState:
    """UpstreamState of an upstream between requests."""

    clock: MovableClock = field(default_factory=MovableClock)
    limits: RequestLimits = field(default_factory=RequestLimits)
    count_text: CountText = count_bytes
    #: Anthropic: what happens to a thinking block that is bound to another conversation, unless a request says.
    prefix_mismatch: str = "error"
    cache: PromptCache = field(init=False)
    #: Anthropic: id of a tool call → thinking blocks of its response.
    issued: dict[str, list[Json]] = field(default_factory=dict)
    threads: dict[str, Thread] = field(default_factory=dict)
    #: OpenAI: id of a stored response → its items, input included; id of a conversation → its items.
    responses: dict[str, list[Json]] = field(default_factory=dict)
    conversations: dict[str, list[Json]] = field(default_factory=dict)
    #: OpenAI: id of an item → id of the reasoning before it, and the other way round.
    reasoning_of: dict[str, str] = field(default_factory=dict)
    following: dict[str, str] = field(default_factory=dict)
    #: OpenAI: ids of items of responses that are not stored.
    unstored: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cache = PromptCache(self.clock)
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str, seed: str) -> str:
        """Returns an id: the same for the same requests in the same order."""
        return prefix + hashlib.sha256(f"{next(self._numbers)} {seed}".encode()).hexdigest()[:24]

    def counter(self, model: str, provider: Provider) -> Counter:
        """Returns a counter of the tokens of a model."""
        return Counter(self.count_text, model, provider)


@dataclass(frozen=True)
class Reply:
    """Response to an accepted request."""

    #: Body without a stream.
    value: Json
    #: Frames of a stream, as sent.
    frames: list[bytes]
    bill: Bill | None
    #: Whether the request asked for a stream.
    stream: bool = False


class Accepted(Protocol):
    """A request that passed all checks."""

    #: The answer is scripted; otherwise it follows from the request (counts of tokens).
    scripted: bool

    def reply(self, answer: ModelAnswer) -> Reply:
        """Returns the response, and changes the state as the response does."""
        ...


class Wire(Protocol):
    """An endpoint of a provider."""

    name: str
    provider: Provider

    def accept(self, value: Json, headers: Mapping[str, str], query: str) -> Accepted:
        """Checks a request. Raises `RefusedRequest`."""
        ...
