"""Requests for context and their results."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal, TypedDict

from pydantic import ConfigDict, Field, JsonValue, Strict

from foxing.memory.conversation import Fields, ProviderMessage, Wire, parse_message, provider_of
from foxing.memory.errors import InvalidInput

from .base import INTEGRAL, MemoryRequest, Now, Timezone, Value
from .facts import MAX_FACT_TOKENS
from .messages import NewMessage
from .recall import (
    BANKS_DESCRIPTION,
    MAX_OTHER_BANKS,
    MAX_QUERY_CHARS,
    RELEVANCE_FLOOR,
    SHAPE_DESCRIPTION,
    OtherBanks,
    Shape,
)

#: Provider whose request format the content has; "openai" is that of chat completions, "blocks" is independent of
#: providers.
ContentFormat = Literal[Wire, "blocks"]
MAX_IMAGES_USED = 100_000
MAX_CACHED_TOKENS = 100_000_000
MAX_PRICE = 1_000_000.0
MAX_BUDGET = 1_000_000
MAX_GIVEN = 10_000  # maximum number of messages of the prompt
#: Form of recalled messages: text or page image, whichever shows more per billed token, or only one of them.
Show = Literal["best", "text", "images"]


class TokenPrices(MemoryRequest):
    """Prices of a token, in any unit: those of a million tokens in dollars give prices in millionths of a dollar."""

    input: Annotated[float, Field(ge=0, le=MAX_PRICE)] = Field(1.0, description="Price of a token that is not cached.")
    read: Annotated[float, Field(ge=0, le=MAX_PRICE)] = Field(0.1, description="Price of a token read from the cache.")
    write: Annotated[float, Field(ge=0, le=MAX_PRICE)] = Field(
        1.25, description="Price of a token written to the cache."
    )


class ContextRequest(MemoryRequest):
    """A request for context: the reader, its budget and the query."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    reader: str = Field(
        max_length=200, description="Name of the reader, such as 'claude', 'gpt-6', 'gemini-3' or 'text'."
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), INTEGRAL] = Field(
        description="Maximum number of tokens that the reader bills for the content."
    )
    query: str | None = Field(
        None,
        max_length=MAX_QUERY_CHARS,
        description="Query to recall. Default: the text of the last user message in `messages`.",
    )
    messages: Annotated[tuple[dict[str, JsonValue], ...], Strict(False)] | None = Field(
        None,
        max_length=MAX_GIVEN,
        description="Messages already in the prompt, in the provider's format, oldest first. The content does not "
        "repeat them.",
    )
    thread: str | None = Field(
        None,
        max_length=200,
        description="Thread whose last messages are included verbatim; recall searches all threads. Default: any.",
    )
    now: Now = None
    timezone: Timezone = None
    form: ContentFormat | None = Field(
        None,
        alias="as",
        description="Provider whose request format the content has; openai: chat completions; openai-responses: the "
        "Responses API; blocks: independent of providers. Default: the reader's provider.",
    )
    images_used: Annotated[int, Field(ge=0, le=MAX_IMAGES_USED), INTEGRAL] | None = Field(
        None,
        description="Number of images already in the request, which count towards the limits of the provider. Default: "
        "those in `messages`.",
    )
    min_relevance: float = Field(
        RELEVANCE_FLOOR,
        ge=0,
        le=1,
        description="Minimum relevance of the most relevant match: if no match reaches it, nothing is recalled, and "
        "the rest of the budget is not spent.",
    )
    shape: Shape = Field("auto", description=SHAPE_DESCRIPTION)
    banks: OtherBanks | None = Field(None, min_length=1, max_length=MAX_OTHER_BANKS, description=BANKS_DESCRIPTION)
    keepsakes: bool = Field(
        True,
        description="Whether to list the identifiers and figures on page images as text beside them. They are listed "
        "anyway for a reader whose type was not measured to misread no identifier silently, and never for `native`.",
    )
    refs: bool = Field(
        False,
        description="Whether each message shown as text begins with its reference, such as [k7q], for `fetch`. On page "
        "images it always does.",
    )
    facts: Annotated[int, Field(ge=0, le=MAX_FACT_TOKENS), INTEGRAL] = Field(
        0,
        description="Maximum number of tokens, of those of the budget, of the standing facts with which the content "
        "begins: what the bank's messages state that still holds, the newest last. Default: none.",
    )
    omit: Annotated[tuple[str, ...], Strict(False)] = Field(
        (),
        max_length=MAX_GIVEN,
        description="Ids of messages that the content leaves out, such as those of earlier contexts in the prompt.",
    )
    cached_tokens: Annotated[int, Field(ge=0, le=MAX_CACHED_TOKENS), INTEGRAL] | None = Field(
        None,
        description="Number of tokens of the bank's history that the provider's prompt cache holds as text, oldest "
        "first. Page images are then shown only where they cost less than their text read from the cache. Default: 0, "
        "and no cache is used.",
    )
    prices: TokenPrices | None = Field(
        None,
        description="Prices of a token: uncached, read from the cache, and written to it. Default: 1, 0.1 and 1.25 "
        "with `cached_tokens`, and 1 each without.",
    )
    show: Show = Field(
        "best",
        description="Form of recalled messages: text or page image, whichever shows more per billed token, or only one "
        "of them.",
    )

    @property
    def question(self) -> str | None:
        """The query to recall; None if there is none."""
        if self.query is not None:
            return self.query.strip() or None
        for message in reversed(self._read):
            text = "\n".join(turn.text for turn in message.turns if turn.role == "user").strip()
            if text:
                return text[-MAX_QUERY_CHARS:]
        return None

    @property
    def images_given(self) -> int:
        """Number of images already in the request."""
        if self.images_used is not None:
            return self.images_used
        return sum(part["type"] == "image" for message in self._read for part in message.parts)

    @property
    def given_bytes(self) -> int:
        """Bytes of `messages` as JSON, images included."""
        return len(json.dumps(self.messages or (), ensure_ascii=False).encode(errors="replace"))

    @cached_property
    def given(self) -> frozenset[str]:
        """Texts of `messages`, and of their turns, as the memory has them."""
        words = [(message.role, message.parts) for message in self._read]
        words += [(turn.role, turn.parts) for message in self._read for turn in message.turns]
        return frozenset(filter(None, (_text(role, parts) for role, parts in words)))

    @cached_property
    def _read(self) -> list[ProviderMessage]:
        """The messages that can be read."""
        read = list[ProviderMessage]()
        for message in self.messages or ():
            with suppress(InvalidInput):  # such as one of an unknown role
                read.append(parse_message(provider_of(message), message))
        return read


def _text(role: str, parts: Sequence[Fields]) -> str:
    """Returns the text of a message or a turn, without images."""
    content = [part for part in parts if part["type"] != "image"]
    return NewMessage.model_validate({"role": role, "content": content}).text if content else ""


class ContextFields(TypedDict, total=False):
    """Fields of a `ContextRequest`, as keyword arguments."""

    reader: str
    budget: int
    query: str | None
    messages: Sequence[Mapping[str, object]] | None
    thread: str | None
    now: str | datetime | None
    timezone: str | None
    form: ContentFormat | None
    images_used: int | None
    min_relevance: float
    shape: Shape
    banks: Sequence[str] | None
    keepsakes: bool
    refs: bool
    facts: int
    omit: Sequence[str]
    cached_tokens: int | None
    prices: TokenPrices | Mapping[str, float] | None
    show: Show


class ContextResult(Value):
    """Content for the prompt of a reader."""

    content: list[dict[str, JsonValue]] = Field(
        description="Content blocks in the requested format, for a user message or the result of a tool, never for "
        "`system`: standing facts, if asked for, recalled page images and texts, then the last messages verbatim. "
        "Remembered text is fenced by "
        "tags and said to be quoted. For a reader that sees, images of the best matches and the last messages come at "
        "the end, each after its label. Deterministic: the same memory and request give the same bytes."
    )
    stable_blocks: int = Field(
        description="Number of leading blocks that do not change when a message is stored, and so can be cached; the "
        "one with standing facts changes when a message states or ends one."
    )
    billed_tokens: int = Field(description="Tokens that the reader bills for the content.")
    image_tokens: int = Field(
        0,
        description="Those of `billed_tokens` for page images, their labels, the identifiers beside them, and images "
        "of messages.",
    )
    text_tokens_instead: int = Field(
        description="Tokens that the same messages would cost as text, with the same images of messages."
    )
    price: float = Field(0.0, description="Price of the content the first time it is sent, in the unit of `prices`.")
    price_as_text: float = Field(
        0.0, description="Price of the same messages as text, as much of it read from the cache as that holds."
    )
    message_ids: list[str] = Field(description="Ids of the messages shown, whole or in part, in content order.")
    fact_ids: list[str] = Field(default_factory=list, description="Ids of the standing facts shown, in content order.")
    partial_message_ids: list[str] = Field(
        default_factory=list,
        description="Those of `message_ids` that a page image shows in part; the content includes their complete text.",
    )
    reader: str = Field(description="Name of the reader.")
    images_free: int | None = Field(
        None,
        description="Number of images that the request may still hold beside those of the content and those already in "
        "it; null for a text-only reader.",
    )
    request_fields: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Fields to set in the body of the request, beside the messages, so that the provider leaves the "
        "images as they are.",
    )
    formula: str = Field(description="The reader's billing formula for images, and the tokenizer that counts text.")
    notes: list[str] = Field(default_factory=list, description="Omissions and degradations, with the reason.")
