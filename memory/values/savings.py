"""Calls of models as they were billed, and sums of what folding saved."""

import csv
import io
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from foxing.memory.conversation import Wire

from .base import INTEGRAL, Input, MemoryRequest, Moment, Value
from .context import TokenPrices
from .fold import MAX_CACHE_TTL_S

MAX_MODEL_CALLS = 1_000  # in one request
MAX_ROWS = 10_000
MAX_TOKENS = 100_000_000
#: What the savings are summed by.
SavingsBy = Literal["day", "session", "model"]
Tokens = Annotated[int, Field(ge=0, le=MAX_TOKENS), INTEGRAL]
_NAME = r"^[^\x00-\x1f]*$"
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet begins a formula


class ModelCall(Input):
    """An answered request to a model: what the provider billed, and what the request would have been without folding.
    Only tokens of the input count: folding does not change the output."""

    id: str = Field(
        min_length=1,
        max_length=200,
        pattern=_NAME,
        description="Id of the call. A call whose id is already recorded is not recorded again.",
        examples=["msg_01XFDUDYJgAACzvnptvVoYEL"],
    )
    called_at: Moment = Field(description="Time at which the request was sent.")
    session: str = Field("", max_length=200, pattern=_NAME, description="Id of the session.")
    conversation: str = Field(
        "",
        max_length=200,
        pattern=_NAME,
        description="Name of the conversation in its session, which may have several, such as those of sub-agents. "
        "Calls of a conversation are sent one after the other.",
    )
    model: str = Field(min_length=1, max_length=200, pattern=_NAME, description="Model that answered.")
    wire: Wire = Field(description="Request format: anthropic, openai or openai-responses.")
    folded: bool = Field(description="Whether a part of the conversation was sent folded.")
    new_fold: bool = Field(False, description="Whether what is folded has changed since the call before.")
    fresh_tokens: Tokens = Field(description="Tokens of the input that were billed at the full price.")
    written_tokens: Tokens = Field(0, description="Tokens of the input that were written to the provider's cache.")
    read_tokens: Tokens = Field(0, description="Tokens of the input that were read from the provider's cache.")
    output_tokens: Tokens = Field(0, description="Tokens of the answer.")
    original_tokens: Tokens = Field(description="Tokens of the input as the client sent it.")
    original_prefix: Tokens = Field(
        description="Those of them up to the last cache mark; where the provider caches without marks, all of them."
    )
    original_counted: bool = Field(
        False, description="Whether the provider counted the tokens of the original; otherwise they are estimated."
    )
    retries: Annotated[int, Field(ge=0, le=100), INTEGRAL] = Field(
        0, description="Number of times that the request had to be sent again without thinking."
    )
    prices: TokenPrices | None = Field(
        None,
        description="Prices of a token: uncached, read from the cache, and written to it. Default: 1, 0.1 and 1.25.",
    )
    cache_ttl_s: float = Field(
        300.0, gt=0, le=MAX_CACHE_TTL_S, description="Seconds for which the provider's cache holds what was last used."
    )

    @model_validator(mode="after")
    def _prefix_within_original(self) -> Self:
        if self.original_prefix > self.original_tokens:
            raise ValueError("original_prefix cannot exceed original_tokens")
        return self


class ModelCalls(Input):
    """Calls to record."""

    calls: Annotated[tuple[ModelCall, ...], Strict(False)] = Field(
        min_length=1, max_length=MAX_MODEL_CALLS, description="The calls, those of a conversation in their order."
    )


class PricedCall(Value):
    """A recorded call."""

    id: str = Field(description="Id of the call.")
    billed: float = Field(description="Price of the input.")
    original: float = Field(description="Price of the input without folding, under the same state of the cache.")


class RecordedCalls(Value):
    """Result of recording calls."""

    recorded: list[PricedCall] = Field(description="The calls that were recorded.")
    duplicates: int = Field(description="Number of calls that were already recorded.")


class SavingsSum(Value):
    """Sums over calls of models."""

    calls: int = Field(0, description="Number of calls.")
    folded_calls: int = Field(0, description="Those of them that were sent folded.")
    counted_calls: int = Field(0, description="Those whose original was sent as it was, or counted by the provider.")
    retries: int = Field(0, description="Number of times that a request had to be sent again without thinking.")
    fresh_tokens: int = Field(0, description="Tokens of the input that were billed at the full price.")
    written_tokens: int = Field(0, description="Tokens that were written to the provider's cache.")
    read_tokens: int = Field(0, description="Tokens that were read from the provider's cache.")
    output_tokens: int = Field(0, description="Tokens of the answers.")
    original_tokens: int = Field(0, description="Tokens of the input as the clients sent it.")
    billed: float = Field(0.0, description="Price of the input, in the unit of the prices: by default uncached tokens.")
    original: float = Field(0.0, description="Price of the input without folding, under the same state of the cache.")
    saved: float = Field(0.0, description="`original` less `billed`; negative where folding has cost more.")


class SavingsRow(SavingsSum):
    """Sums over the calls of a day, a session or a model."""

    key: str = Field(description="The day (UTC), the session or the model.")
    first_at: datetime = Field(description="Time of the first call.")
    last_at: datetime = Field(description="Time of the last call.")


class Savings(Value):
    """Savings of a bank, or of all banks."""

    by: SavingsBy = Field(description="What the rows are: days, sessions or models.")
    total: SavingsSum = Field(description="Sums over all calls of the time window.")
    rows: list[SavingsRow] = Field(
        description="Days in time order, sessions and models by their last call, newest first."
    )
    left_out: int = Field(0, description="Number of further rows, which count in `total`.")

    def csv(self) -> str:
        """Returns the rows as CSV with a header. A name that a spreadsheet would calculate is preceded by `'`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = [name for name in SavingsRow.model_fields if name != "key"]
        writer.writerow([self.by, *columns])
        for row in self.rows:
            fields = row.model_dump(mode="json")
            key = f"'{row.key}" if row.key.startswith(_FORMULAS) else row.key
            writer.writerow([key, *(fields[name] for name in columns)])
        return text.getvalue()


class SavingsWindow(MemoryRequest):
    """Grouping and time window of savings."""

    by: SavingsBy = Field("day", description="Whether to sum by day (UTC), session or model.")
    since: Moment | None = Field(None, description="Time of the first call to count. Default: all.")
    until: Moment | None = Field(None, description="Time from which calls do not count. Default: all.")
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS), INTEGRAL] = Field(
        1_000, description="Maximum number of rows: the newest."
    )
