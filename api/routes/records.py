"""Records: values of agent frameworks that come back exactly."""

from fastapi import APIRouter

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, IdempotencyKey, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import NamespaceList, RecordKeys, RecordWrites
from foxing.memory.values.records import FoundRecords, Namespaces, RecordChanges, Records, RecordSearch

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}/records", tags=["records"])


@router.post(
    "",
    summary="Store and delete records",
    response_description="All writes are done.",
    responses=problem_responses(409),
)
async def write_records(
    bank: BankPath,
    service: ServiceDep,
    body: RecordWrites,
    idempotency_key: IdempotencyKey = None,
) -> RecordChanges:
    """Does all writes or none, in the order given, and creates the bank if there is none. With `if_version`, a write
    takes place only if the record is still the one that was read."""
    return await service.run(service.memory.records.write, bank, body.writes, idempotency_key=idempotency_key)


@router.post(
    "/get",
    summary="Get records",
    response_description="The records, in the order asked for.",
    responses=problem_responses(404),
)
async def get_records(
    bank: BankPath,
    service: ServiceDep,
    body: RecordKeys,
) -> FoundRecords:
    """Records by namespace and key, each exactly as it was stored, or null where there is none."""
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
    """The records of a namespace and those below it, in order, or by words with the best match first. Conditions
    compare members of their values."""
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
    """The namespaces of a bank that hold records, in alphabetical order."""
    return await service.run(
        service.memory.records.namespaces, bank, prefix=body.prefix, limit=body.limit, cursor=body.cursor
    )
