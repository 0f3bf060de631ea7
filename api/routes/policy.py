"""Endpoints that read and set the ageing policy of a bank."""

from typing import Annotated, Any

from fastapi import Body

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import Policy

from .router import memory_router

router = memory_router("/v1/banks/{bank}/policy", "ageing")


@router.get(
    "",
    summary="Get the ageing policy of a bank",
    response_description="The current policy.",
    responses=problem_responses(404),
)
async def get_policy(bank: BankPath, service: ServiceDep) -> Policy:
    """Returns the policy: the ages at which pages move to lower tiers, how long exact text is kept, and when open
    messages are sealed. Durations are in ISO 8601."""
    return await service.run(service.memory.policy, bank)


# The body is not validated here: the memory has better error messages for an invalid policy.
@router.put(
    "",
    summary="Set the ageing policy of a bank",
    response_description="The new policy.",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Policy"}}},
        }
    },
)
async def set_policy(bank: BankPath, service: ServiceDep, body: Annotated[dict[str, Any], Body()]) -> Policy:
    """Sets the policy and creates the bank if it does not exist. Omitted fields take their defaults. The new policy
    applies from the next ageing run and never moves a page back to a sharper tier."""
    return await service.run(service.memory.set_policy, bank, body)
