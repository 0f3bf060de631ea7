"""Endpoint of the audit log."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from foxing.api.dependencies import CursorQuery, LimitQuery, ServiceDep
from foxing.memory import InvalidTime
from foxing.memory.values.audit import AuditEvents

from .router import memory_router

router = memory_router("/v1/audit", "audit")

SinceQuery = Annotated[datetime | None, Query(description="Start of the time window, with an offset.")]
UntilQuery = Annotated[datetime | None, Query(description="End of the time window, exclusive, with an offset.")]
BankQuery = Annotated[str | None, Query(max_length=251, description="Name of a bank.")]
ActionQuery = Annotated[str | None, Query(max_length=40, description="Action, such as `store`.")]
KeyQuery = Annotated[str | None, Query(max_length=16, description="Id of the key of the caller.")]


@router.get("", summary="List audit events", response_description="The events.", response_model=AuditEvents)
async def list_audit(
    service: ServiceDep,
    bank: BankQuery = None,
    action: ActionQuery = None,
    key: KeyQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
) -> AuditEvents:
    """Returns who did what and when, in the order of the chain: events of the tenant of the key, or all of them. Events
    hold no words of messages."""
    if any(time is not None and time.tzinfo is None for time in (since, until)):
        raise InvalidTime("give since and until with an offset, such as 2030-01-31T12:00:00Z")
    log = service.memory.operations.audit
    return await service.run(
        log.list, limit=limit, cursor=cursor, bank=bank, action=action, key_id=key, since=since, until=until
    )
