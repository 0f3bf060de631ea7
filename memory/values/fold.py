"""Requests to fold a conversation, and their results."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue, Strict

from foxing.memory.conversation import Wire
from foxing.memory.conversation.models import ModelTerms, model_terms

from .base import INTEGRAL, OPEN, MemoryRequest, Moment, Value
from .context import MAX_BUDGET, TokenPrices

#: Why a fold was made: the budget was nearly exhausted, the prompt cache was cold, or it pays at the present prices.
FoldReason = Annotated[Literal["limit", "cold", "pays"], OPEN]
MAX_CONVERSATION = 100_000  # maximum number of messages that Anthropic takes in a request
MAX_CACHE_TTL_S = 7 * 86_400.0


class FoldRequest(MemoryRequest):
    """A conversation as its client holds it, and what is known of the cache that it meets."""

    session: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f]*$",
        description="Id of the session. Folded messages are stored under it as their thread. Conversations of a "
        "session with different first user messages, such as those of sub-agents, are folded apart.",
        examples=["session-42"],
    )
    wire: Wire = Field(
        description="Request format of `messages`: anthropic: `/v1/messages`; openai: `/v1/chat/completions`; "
        "openai-responses: `input` of `/v1/responses`; gemini: `contents` of `generateContent`."
    )
    messages: Annotated[tuple[dict[str, JsonValue], ...], Strict(False)] = Field(
        min_length=1,
        max_length=MAX_CONVERSATION,
        description="The whole conversation, as it would be sent without folding: the messages or input items of the "
        "request, oldest first.",
        examples=[[{"role": "user", "content": "Fix the failing test."}]],
    )
    system: JsonValue = Field(
        None,
        description="`system`, `instructions` or `systemInstruction` of the request, which is only counted. Default: "
        "none.",
    )
    tools: JsonValue = Field(None, description="`tools` of the request, which are only counted. Default: none.")
    reader: str = Field(
        max_length=200,
        description="Name of the reader, which is the model that the request goes to, such as 'claude-fable-5' or "
        "'text'.",
    )
    model: str | None = Field(
        None,
        max_length=200,
        description="Id of the model that the request goes to, whose window, prices and thinking count. Default: "
        "`reader`.",
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), INTEGRAL] | None = Field(
        None,
        description="Maximum number of tokens to send, `system` and `tools` included. Default: three quarters of the "
        "window of the model, or of the part of it that costs the ordinary price; 96,000 for an unknown one.",
    )
    prices: TokenPrices | None = Field(
        None,
        description="Prices of a token: uncached, read from the cache, and written to it. Default: those of the model; "
        "1, 0.1 and 1.25 for an unknown one.",
    )
    cache: Literal["warm", "cold"] | None = Field(
        None,
        description="Whether the provider's prompt cache still holds what the last call sent. Default: derived from "
        "`last_call_at`, and warm without it.",
    )
    last_call_at: Moment | None = Field(
        None, description="Time of the session's last call. The cache is cold `cache_ttl_s` later."
    )
    cache_ttl_s: float = Field(
        300.0, gt=0, le=MAX_CACHE_TTL_S, description="Seconds for which the provider's cache holds what was last used."
    )
    ahead: bool = Field(
        False,
        description="Whether the fold is for the call after this one, so that it can be made while the model answers: "
        "this call has been sent without it.",
    )
    binds_thinking: bool | None = Field(
        None,
        description="Whether the model refuses thinking blocks whose conversation before them has changed. While a "
        "tool call whose turn has thinking is being answered, such a conversation is not folded. Only for anthropic. "
        "Default: as the model does; true for an unknown one.",
    )
    refused: Annotated[int, Field(ge=1), INTEGRAL] | None = Field(
        None,
        description="Number of a fold whose messages the provider has refused although it takes the conversation as it "
        "is. Neither it nor an earlier one is applied again. The conversation is folded again when it has grown by ten "
        "calls of the model; after each further refusal, by twice as many.",
    )

    @property
    def terms(self) -> ModelTerms:
        """Terms of the model."""
        return model_terms(self.model or self.reader)

    @property
    def limit(self) -> int:
        """Maximum number of tokens to send."""
        return self.budget if self.budget is not None else min(MAX_BUDGET, self.terms.budget)

    @property
    def token_prices(self) -> TokenPrices:
        """Prices of a token."""
        return self.prices or TokenPrices(input=1.0, read=self.terms.read, write=self.terms.write)

    @property
    def binds(self) -> bool:
        """True if the model's thinking is bound to the conversation before it."""
        if self.wire != "anthropic":
            return False
        return self.terms.binds_thinking if self.binds_thinking is None else self.binds_thinking

    def is_cold(self, now: datetime) -> bool:
        """Returns True if the provider's cache no longer holds the last call. `now`: the current time."""
        if self.cache is not None:
            return self.cache == "cold"
        return self.last_call_at is not None and (now - self.last_call_at).total_seconds() >= self.cache_ttl_s


class FoldResult(Value):
    """A conversation to send, with its older history folded."""

    messages: list[dict[str, JsonValue]] = Field(
        description="The conversation to send in place of the one given. Until the next fold, the part up to its end "
        "is the same JSON at every call."
    )
    fold: int = Field(description="Number of the fold in its conversation, from 1; 0 if nothing is folded.")
    reason: FoldReason | None = Field(
        None, description="Why this call made a fold: limit, cold or pays. Null if it made none."
    )
    folded: int = Field(description="Number of messages of the conversation given that one message now stands for.")
    folded_at: int | None = Field(description="Position of this message in `messages`; null if nothing is folded.")
    edited: bool = Field(
        False,
        description="Whether the client has changed messages that an earlier fold contains, so that this fold no "
        "longer applies.",
    )
    over_budget: bool = Field(
        False,
        description="Whether `messages` exceed the budget because the conversation cannot be folded before an open "
        "tool call is answered, or because the provider has refused a fold of it.",
    )
    sent_tokens: int = Field(description="Tokens of `messages`, `system` and `tools`.")
    unfolded_tokens: int = Field(description="Tokens of the conversation given, `system` and `tools`.")
    folded_tokens: int = Field(description="Those of `sent_tokens` for the folded part.")
    images: int = Field(0, description="Number of images in the folded part: page images, and those that it shows.")
    request_fields: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Fields to set in the body of the request, beside the messages, so that the provider leaves the "
        "images as they are.",
    )
    reader: str = Field(description="Name of the reader.")
    formula: str = Field(description="The reader's billing formula for images, and the tokenizer that counts text.")
    notes: list[str] = Field(default_factory=list, description="Omissions and degradations, with the reason.")
