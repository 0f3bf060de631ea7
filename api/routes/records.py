"""Records: values of agent frameworks that come back exactly."""

from typing import Annotated

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, IdempotencyKey, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.api.schemas import NamespaceList, RecordKeys, RecordWrites
from foxing.memory.values.records import FoundRecords, Namespaces, RecordChanges, Records, RecordSearch

router = APIRouter(
    route_class=BodyRoute, prefix="/v1/banks/{bank}/records", tags=["records"], dependencies=[Security(bearer)]
)


@router.post(
    "",
    operation_id="write_records",
    summary="Store and delete records",
    responses={
        **json_response(200, "All writes are done.", examples.RECORD_CHANGES),
        **v1_problem_responses(409, body=True),
    },
)
async def write_records(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        RecordWrites,
        Body(openapi_examples={"writes": {"summary": "Store one, delete another", "value": examples.RECORD_WRITES}}),
    ],
    idempotency_key: IdempotencyKey = None,
) -> RecordChanges:
    """Does all writes or none, in the order given, and creates the bank if there is none. With `if_version`, a write
    takes place only if the record is still the one that was read."""
    return await service.run(service.memory.records.write, bank, body.writes, idempotency_key=idempotency_key)


@router.post(
    "/get",
    operation_id="get_records",
    summary="Get records",
    responses={
        **json_response(200, "The records, in the order asked for.", examples.FOUND_RECORDS),
        **v1_problem_responses(404, body=True),
    },
)
async def get_records(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        RecordKeys, Body(openapi_examples={"one": {"summary": "One record", "value": examples.RECORD_KEYS}})
    ],
) -> FoundRecords:
    """Records by namespace and key, each exactly as it was stored, or null where there is none."""
    return await service.run(service.memory.records.get, bank, body.records, refresh_ttl=body.refresh_ttl)


@router.post(
    "/search",
    operation_id="search_records",
    summary="List or search records",
    responses={
        **json_response(200, "The records.", examples.RECORDS),
        **v1_problem_responses(404, body=True),
    },
)
async def search_records(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        RecordSearch,
        Body(openapi_examples={"filter": {"summary": "Who drinks tea", "value": examples.RECORD_SEARCH}}),
    ],
) -> Records:
    """The records of a namespace and those below it, in order, or by words with the best match first. Conditions
    compare members of their values."""
    return await service.run(service.memory.records.search, bank, body)


@router.post(
    "/namespaces",
    operation_id="list_namespaces",
    summary="List namespaces",
    responses={
        **json_response(200, "The namespaces.", examples.NAMESPACES),
        **v1_problem_responses(404, body=True),
    },
)
async def list_namespaces(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        NamespaceList,
        Body(openapi_examples={"prefix": {"summary": "Below a label", "value": examples.NAMESPACE_LIST}}),
    ],
) -> Namespaces:
    """The namespaces of a bank that hold records, in alphabetical order."""
    return await service.run(
        service.memory.records.namespaces, bank, prefix=body.prefix, limit=body.limit, cursor=body.cursor
    )
