"""Endpoints that read and erase single messages."""

from typing import Annotated

from fastapi import Path

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import ErasureReport, MessageInfo

from .router import memory_router

router = memory_router("/v1/banks/{bank}/messages", "messages")

MessagePath = Annotated[str, Path(description="Id of the message.")]


# Message ids may contain slashes.
@router.get(
    "/{message_id:path}",
    summary="Get a message as remembered",
    response_description="The message.",
    responses=problem_responses(404, 410),
)
async def get_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> MessageInfo:
    """Returns a message with its recall weight. The text comes from the open page, from kept exact text, or from
    decoding the page at its current tier; `parts` is present if the content was stored in parts. Reading a message here
    does not change its recall weight."""
    return await service.run_codec(service.memory.message, bank, message_id)


@router.delete(
    "/{message_id:path}",
    summary="Erase a message",
    response_description="The message was erased.",
    responses=problem_responses(404, 409),
)
async def erase_message(bank: BankPath, message_id: MessagePath, service: ServiceDep) -> ErasureReport:
    """Permanently erases a message: blanks its cells and reencodes its pages at their tiers, deletes sharper versions
    of these pages from the trash, and removes its words, embedding and identifiers from the index. Other messages on
    the pages read as before; earlier ageing of these pages can no longer be undone."""
    return await service.run_codec(service.memory.erase_message, bank, message_id)
