"""API keys: who may do what in which banks."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from foxing.memory.access import Access, KeyRole

from .base import MemoryRequest, Value
from .limits import Count, RequestRate
from .policy import Duration

MAX_PATTERNS = 100

BankPattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:@*?-]+$")]
TenantName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9._:@-]+$")]
KeyName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class KeyRequest(MemoryRequest):
    """A key to create."""

    name: KeyName = Field(description="Who uses the key, for people. Several keys may have one name.")
    role: KeyRole = Field(
        description="`read` recalls and lists; `write` also stores, imports, pins and erases messages; `admin` also "
        "erases banks, sets policies, seals, ages and manages keys."
    )
    tenant: TenantName | None = Field(
        default=None,
        description="Tenant that the key belongs to, whose banks alone exist for it. A tenant exists with its first "
        "key. Default: the tenant of the caller, or none: a key for the banks of all tenants.",
        examples=["acme"],
    )
    banks: Annotated[list[BankPattern], Field(min_length=1, max_length=MAX_PATTERNS)] | None = Field(
        default=None,
        description="Names of the banks that the key opens, in which `*` stands for any characters and `?` for one. "
        "For other banks it gets the answer for a bank that does not exist. Default: all banks. Not with `admin`.",
        examples=[["team-a.*"]],
    )
    expires_after: Duration | None = Field(
        default=None, description="Time after which the key no longer works, in ISO 8601. Default: never."
    )
    requests_per_s: RequestRate | None = Field(
        default=None,
        description="Requests a second, on average, that each process of the service accepts with the key, beside the "
        "limit of its tenant. Further requests get 429. Default: no limit.",
    )
    recalls_at_once: Count | None = Field(
        default=None,
        description="Recalls and other calls of the codec that each process answers at the same time for the key, "
        "beside the limit of its tenant. Further ones get 429. Default: no limit.",
    )

    @model_validator(mode="after")
    def _check_banks(self) -> "KeyRequest":
        if self.role == "admin" and self.banks is not None:
            raise PydanticCustomError("admin_banks", "an admin key opens all banks; leave out banks, or choose write")
        if self.expires_after is not None and self.expires_after <= timedelta(0):
            raise PydanticCustomError("expired", "expires_after must be longer than 0; leave it out for a lasting key")
        return self


class KeyRotation(MemoryRequest):
    """Replacement of a key."""

    overlap: Duration = Field(
        default=timedelta(0), description="Time for which the old key works on, in ISO 8601. Default: none."
    )


class KeyInfo(Value):
    """A key, without its secret."""

    id: str = Field(description="Public id, the beginning of the key after `foxing_`.")
    name: str = Field(description="Who uses the key.")
    role: KeyRole = Field(description="What the key permits.")
    tenant: str | None = Field(description="Tenant that the key belongs to; null for none.")
    banks: list[str] | None = Field(description="Patterns of the banks that the key opens; null for all.")
    created_at: datetime = Field(description="Time at which it was created.")
    expires_at: datetime | None = Field(description="Time from which it no longer works; null for none.")
    last_used_at: datetime | None = Field(description="Time of its last use, to the minute; null if unused.")
    revoked_at: datetime | None = Field(description="Time at which it was revoked; null if it was not.")
    requests_per_s: float | None = Field(None, description="Requests a second that it may send; null for no limit.")
    recalls_at_once: int | None = Field(None, description="Recalls at the same time; null for no limit.")

    @property
    def access(self) -> Access:
        """Access that the key gives."""
        limits = (self.requests_per_s, self.recalls_at_once)
        return Access(self.role, self.banks, self.tenant, self.id, *limits)


class NewKey(KeyInfo):
    """A key that was created, with its secret, which is shown only now."""

    key: str = Field(description="The key to send as `Authorization: Bearer <key>`. It cannot be shown again.")


class Keys(Value):
    """A list of keys, with a cursor."""

    keys: list[KeyInfo] = Field(description="Keys in the order in which they were created.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
