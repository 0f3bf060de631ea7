"""Storing messages, and one message as remembered."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Security

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import answer, bearer, problems
from foxing.memory.models import RecalledMessage, StoreResult

from ..schemas import StoreRequest

router = APIRouter(prefix="/v1/banks/{bank}/messages", tags=["messages"], dependencies=[Security(bearer)])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Makes a repetition of the request answer what the first one did, and store nothing. The same key "
        "with another body is a conflict.",
    ),
]


@router.post(
    "",
    operation_id="store_messages",
    summary="Store messages",
    status_code=201,
    responses={**answer(201, "The messages are stored.", examples.STORED), **problems(409, body=True)},
)
async def store_messages(
    bank: BankPath,
    service: ServiceDep,
    body: Annotated[
        StoreRequest,
        Body(openapi_examples={"turns": {"summary": "Two turns of a conversation", "value": examples.STORE_REQUEST}}),
    ],
    idempotency_key: IdempotencyKey = None,
) -> StoreResult:
    """All messages are stored, or none. The bank comes into being with its first message. A message whose id and
    content are there already is not stored again; the same id with other content is a conflict (409)."""
    stored = await service.quick(
        service.memory.store, bank, body.messages, thread=body.thread, idempotency_key=idempotency_key
    )
    service.metrics.stored_messages(stored)
    return stored


# An id may hold slashes, so it takes the rest of the path.
@router.get(
    "/{message_id:path}",
    operation_id="get_message",
    summary="One message as remembered",
    responses={**answer(200, "The message.", examples.MESSAGE), **problems(404, 410)},
)
async def get_message(
    bank: BankPath, message_id: Annotated[str, Path(description="The message's id.")], service: ServiceDep
) -> RecalledMessage:
    """Read from its open page, from kept text, or decoded from the tier that the memory still holds."""
    return await service.codec(service.memory.message, bank, message_id)
