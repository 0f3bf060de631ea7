"""Limits of tenants, and their usage by day."""

from datetime import date
from typing import Annotated, TypeAlias

from pydantic import Field

from .base import INTEGRAL, MemoryRequest, Value

MAX_LIMIT_VALUE = 1 << 53
Count: TypeAlias = Annotated[int, Field(ge=1, le=MAX_LIMIT_VALUE), INTEGRAL]
RequestRate: TypeAlias = Annotated[float, Field(gt=0, le=1_000_000, strict=False)]


class UsageLimits(MemoryRequest):
    """Limits of a tenant; null for none."""

    requests_per_s: RequestRate | None = Field(
        default=None,
        description="Requests a second, on average, that each process of the service accepts; it accepts as many at "
        "once, or one. Further requests get 429.",
    )
    recalls_at_once: Count | None = Field(
        default=None,
        description="Recalls and other calls of the codec that each process answers at the same time. Further ones "
        "get 429.",
    )
    messages_per_day: Count | None = Field(
        default=None, description="Messages stored in a day of UTC. Further ones get 429 until the day ends."
    )
    bytes_per_day: Count | None = Field(
        default=None,
        description="Bytes of text and images stored in a day of UTC. Further ones get 429 until the day ends.",
    )
    image_tokens_per_day: Count | None = Field(
        default=None,
        description="Tokens of images that recalls and contexts return in a day of UTC, as their readers bill them. "
        "Further ones get 429 until the day ends; those with text alone do not.",
    )
    bank_messages: Count | None = Field(
        default=None, description="Messages that each bank holds at most. Further ones get 413."
    )


class UsageOfDay(Value):
    """Usage of a day by the callers of one key."""

    day: date = Field(description="Day in UTC.")
    tenant: str | None = Field(description="Tenant; null for none.")
    key_id: str | None = Field(
        description="Id of the key; null for callers without one, and for work in the background."
    )
    requests: int = Field(description="Requests accepted.")
    recalls: int = Field(description="Recalls and other calls of the codec.")
    messages: int = Field(description="Messages stored.")
    bytes: int = Field(description="Bytes of their text and images.")
    image_tokens: int = Field(0, description="Tokens of images that recalls and contexts returned.")


class UsageReport(Value):
    """Usage by day, tenant and key."""

    rows: list[UsageOfDay] = Field(description="Newest day first, then by tenant and key.")
