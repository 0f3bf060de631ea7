"""Endpoint of the audit log."""

from typing import Annotated

from fastapi import Query

from foxing.api.dependencies import CursorQuery, LimitQuery, ServiceDep
from foxing.memory.values.audit import AuditEvents

from .router import memory_router

router = memory_router("/v1/audit", "audit")

SinceQuery = Annotated[str | None, Query(max_length=100, description="Start of the time window: RFC 3339, or words.")]
UntilQuery = Annotated[str | None, Query(max_length=100, description="End of the time window, exclusive.")]
BankQuery = Annotated[str | None, Query(max_length=251, description="Name of a bank.")]
ActionQuery = Annotated[str | None, Query(max_length=40, description="Action, such as `store`.")]
KeyQuery = Annotated[str | None, Query(max_length=16, description="Id of the key of the caller.")]
NewestQuery = Annotated[bool, Query(description="Whether the newest events come first.")]


@router.get("", summary="List audit events", response_description="The events.", response_model=AuditEvents)
async def list_audit(
    service: ServiceDep,
    bank: BankQuery = None,
    action: ActionQuery = None,
    key: KeyQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    newest_first: NewestQuery = False,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
) -> AuditEvents:
    """Returns who did what and when, in the order of the chain or newest first: events of the tenant of the key, or all
    of them. Events hold no words of messages."""
    times = [None if time is None else service.memory.now(time) for time in (since, until)]
    log = service.memory.operations.audit
    return await service.run(
        log.list,
        limit=limit,
        cursor=cursor,
        bank=bank,
        action=action,
        key_id=key,
        since=times[0],
        until=times[1],
        newest_first=newest_first,
    )
