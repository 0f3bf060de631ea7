"""Endpoints that list, release and erase quarantined messages."""

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import ErasureReport, StoreResult
from foxing.memory.values.quarantine import QuarantineList

from .messages import MessagePath
from .router import memory_router

router = memory_router("/v1/banks/{bank}/quarantine", "quarantine")


@router.get(
    "",
    summary="List quarantined messages",
    response_description="The messages.",
    responses=problem_responses(404),
)
async def list_quarantine(
    bank: BankPath, service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> QuarantineList:
    """Returns the messages that the policy of the bank (`quarantine_trust`) has quarantined, in the order of their
    arrival. Needs the role admin: nothing else reads their texts."""
    return await service.run(service.memory.operations.quarantine.list, bank, limit=limit, cursor=cursor)


# Message ids may contain slashes.
@router.post(
    "/{message_id:path}/release",
    summary="Release a quarantined message",
    response_description="The message is stored.",
    responses=problem_responses(404),
)
async def release_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> StoreResult:
    """Stores a quarantined message under its id, with its trust class, its mark and its times, and removes it from the
    quarantine."""
    result = await service.run(service.memory.operations.quarantine.release, bank, message_id)
    service.metrics.memory.record_store(result)
    service.embed_soon(bank)
    return result


@router.delete(
    "/{message_id:path}",
    summary="Erase a quarantined message",
    response_description="The message was erased.",
    responses=problem_responses(404, 409),
)
async def erase_quarantined_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> ErasureReport:
    """Permanently erases a quarantined message. Returns 409 if a legal hold keeps it."""
    return await service.run(service.memory.operations.quarantine.erase, bank, message_id)
