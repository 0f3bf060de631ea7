"""Endpoints for records: JSON values of agent frameworks that are returned exactly as stored."""

from foxing.api.dependencies import BankPath, IdempotencyKey, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import NamespaceList, RecordKeys, RecordWrites
from foxing.memory import FoundRecords, Namespaces, RecordChanges, Records, RecordSearch

from .router import memory_router

router = memory_router("/v1/banks/{bank}/records", "records")


@router.post(
    "",
    summary="Store and delete records",
    response_description="The results of the writes.",
    responses=problem_responses(409),
)
async def write_records(
    bank: BankPath,
    service: ServiceDep,
    body: RecordWrites,
    idempotency_key: IdempotencyKey = None,
) -> RecordChanges:
    """Applies all writes or none, in the given order, and creates the bank if it does not exist. A write with
    `if_version` fails with 409 unless the record has that version."""
    return await service.run(service.memory.records.write, bank, body.writes, idempotency_key=idempotency_key)


@router.post(
    "/get",
    summary="Get records",
    response_description="The records, in the order of the request.",
    responses=problem_responses(404),
)
async def get_records(
    bank: BankPath,
    service: ServiceDep,
    body: RecordKeys,
) -> FoundRecords:
    """Returns records by namespace and key, exactly as stored; null for a record that does not exist."""
    return await service.run(service.memory.records.get, bank, body.records, refresh_ttl=body.refresh_ttl)


@router.post(
    "/search",
    summary="List or search records",
    response_description="The records.",
    responses=problem_responses(404),
)
async def search_records(
    bank: BankPath,
    service: ServiceDep,
    body: RecordSearch,
) -> Records:
    """Returns the records in and below a namespace, in order, or with a query those that contain its words, best match
    first. Filters compare members of the values."""
    return await service.run(service.memory.records.search, bank, body)


@router.post(
    "/namespaces",
    summary="List namespaces",
    response_description="The namespaces.",
    responses=problem_responses(404),
)
async def list_namespaces(
    bank: BankPath,
    service: ServiceDep,
    body: NamespaceList,
) -> Namespaces:
    """Returns the namespaces of a bank that contain records, in alphabetical order."""
    return await service.run(
        service.memory.records.namespaces, bank, prefix=body.prefix, limit=body.limit, cursor=body.cursor
    )
