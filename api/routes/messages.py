"""Reading single messages as remembered, and erasing them."""

from typing import Annotated

from fastapi import APIRouter, Path

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory.values.messages import MessageInfo
from foxing.memory.values.reports import ErasureReport

router = APIRouter(route_class=BodyRoute, prefix="/v1/banks/{bank}/messages", tags=["messages"])

MessagePath = Annotated[str, Path(description="Id of the message.")]


# Message ids may contain slashes.
@router.get(
    "/{message_id:path}",
    summary="Get a message as remembered",
    response_description="The message.",
    responses=problem_responses(404, 410),
)
async def get_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> MessageInfo:
    """The text comes from the open page, from kept exact text or by decoding the tier that the memory still holds; with
    it come the parts, where the content was given in parts, and how much recall has found the message. Reading it here
    does not count."""
    return await service.run_codec(service.memory.message, bank, message_id)


@router.delete(
    "/{message_id:path}",
    summary="Erase a message",
    response_description="The message is gone.",
    responses=problem_responses(404),
)
async def erase_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> ErasureReport:
    """Erases a message for good: its cells are blanked and its pages encoded again at their tiers, sharper versions of
    these pages go from the trash, and its words, embedding and identifiers from the index. Other messages on the
    pages read as before; ageing that concerns these pages can no longer be undone."""
    return await service.run_codec(service.memory.erase_message, bank, message_id)
