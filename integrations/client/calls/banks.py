"""Banks: statistics, policy, sealing and ageing."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from foxing.integrations.client.values import Aged, Bank, Banks, JsonInput, Policy, Sealed

from .call import LONG_S, Call, Request, bank_path, given, reading


def banks(*, limit: int = 50, cursor: str | None = None) -> Call[Banks]:
    """Banks in the order of their names, with statistics."""
    return Call(
        Request("GET", "/v1/banks", given({"limit": str(limit), "cursor": cursor})),
        reading(Banks),
        lambda memory: memory.banks(limit=limit, cursor=cursor).model_dump(mode="json"),
    )


def check() -> Call[None]:
    """Raises `Unavailable` unless the database and the codec can be used."""
    return Call(Request("GET", "/readyz"), lambda _: None, lambda memory: memory.check())


def bank(bank: str) -> Call[Bank]:
    """Statistics of a bank."""
    return Call(
        Request("GET", bank_path(bank)), reading(Bank), lambda memory: memory.bank(bank).model_dump(mode="json")
    )


def policy(bank: str) -> Call[Policy]:
    """The ageing policy of a bank."""
    return Call(
        Request("GET", bank_path(bank, "policy")),
        reading(Policy),
        lambda memory: memory.policy(bank).model_dump(mode="json"),
    )


def set_policy(bank: str, policy: Policy | Mapping[str, JsonInput]) -> Call[Policy]:
    """Sets the ageing policy of a bank, which is created if necessary."""
    fields: dict[str, Any] = given(asdict(policy) if isinstance(policy, Policy) else policy)
    return Call(
        Request("PUT", bank_path(bank, "policy"), body=fields),
        reading(Policy),
        lambda memory: memory.set_policy(bank, fields).model_dump(mode="json"),
    )


def seal(bank: str, *, now: datetime | str | None = None, timezone: str | None = None) -> Call[Sealed]:
    """Seals all open messages onto pages."""
    return Call(
        Request("POST", bank_path(bank, "seal"), body=given({"now": now, "timezone": timezone}), timeout_s=LONG_S),
        reading(Sealed),
        lambda memory: memory.seal(bank, now=now, timezone=timezone).model_dump(mode="json"),
    )


def age(
    bank: str, *, now: datetime | str | None = None, timezone: str | None = None, dry_run: bool = False
) -> Call[Aged]:
    """Moves the pages of a bank to the tiers that the policy sets for their age."""
    body = given({"now": now, "timezone": timezone, "dry_run": dry_run})
    return Call(
        Request("POST", bank_path(bank, "age"), body=body, timeout_s=LONG_S),
        reading(Aged),
        lambda memory: memory.age(bank, now=now, timezone=timezone, dry_run=dry_run).model_dump(mode="json"),
    )
