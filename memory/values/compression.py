"""Requests of LiteLLM's compression guardrail, and the answers that it takes."""

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, Strict

from .base import MemoryRequest, Value
from .fold import MAX_CONVERSATION
from .recall import MAX_QUERY_CHARS
from .trust import Trust

#: Query by which the matching part of a text is retrieved.
RetrieveQuery = Annotated[str, Field(max_length=MAX_QUERY_CHARS)]


class CompressRequest(MemoryRequest):
    """A conversation, or the part of it that may be compressed. Other fields are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    messages: Annotated[tuple[dict[str, JsonValue], ...], Strict(False)] = Field(
        min_length=1,
        max_length=MAX_CONVERSATION,
        description="Messages in the format of chat completions, oldest first. LiteLLM leaves out those that must stay "
        "as they are.",
    )
    model: str | None = Field(
        None, max_length=500, description="Name of the model that the request goes to; accepted and ignored."
    )
    config: dict[str, JsonValue] | None = Field(
        None,
        description='Options, such as `{"mode": "ccr"}`; accepted and ignored: what is left out can always be '
        "retrieved.",
    )


class CompressResult(Value):
    """A conversation with excerpts in place of its long older texts."""

    messages: list[dict[str, JsonValue]] = Field(
        description="As many messages as were given, in their order, with their roles. Only texts of user and tool "
        "messages differ."
    )
    tokens_before: int = Field(description="Tokens of the messages given.")
    tokens_after: int = Field(description="Tokens of `messages`.")
    tokens_saved: int = Field(description="`tokens_before` less `tokens_after`.")
    compression_ratio: float = Field(description="Share of `tokens_before` that is saved, 0 to 1.")
    transforms_applied: list[str] = Field(description='`["excerpt"]` if there are excerpts, else empty.')
    ccr_hashes: list[str] = Field(
        description="Hashes of the texts that excerpts stand for, in order: 24 hexadecimal digits each."
    )
    new_hashes: int = Field(0, description="Number of texts that this call replaced for the first time.")
    note: str | None = Field(
        None, description="Why this call replaced no text for the first time; null if it did. The log has it as well."
    )


class RetrieveResult(Value):
    """A text that an excerpt stands for."""

    hash: str = Field(description="Its hash.")
    original_content: str = Field(
        description="The exact text as remembered; with a query, its passages that match. “ … ” stands where passages "
        "are left out, or where the text has faded."
    )
    complete: bool = Field(description="Whether `original_content` is the whole text.")
    trust: Trust = Field(description="Trust class of the text: whose words these are.")
    suspicious: bool = Field(
        description="Whether rules recognise instructions to a model in the text, though it is data."
    )
    kept: float = Field(description="Share of the characters of the text that the memory still holds, 0 to 1.")
