"""The ageing policy of a bank."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Security

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import answer, bearer, problems
from foxing.memory.policy import Policy

router = APIRouter(prefix="/v1/banks/{bank}/policy", tags=["ageing"], dependencies=[Security(bearer)])

_SUMMARY = "The default policy, spelt out"


@router.get(
    "",
    operation_id="get_policy",
    summary="The ageing policy of a bank",
    responses={**answer(200, "The policy in force.", examples.POLICY), **problems(404)},
)
async def get_policy(bank: BankPath, service: ServiceDep) -> Policy:
    """When which tier, how long exact text is kept, when open messages are sealed. Durations are ISO 8601."""
    return await service.quick(service.memory.policy, bank)


# The fields go to the memory as they came: it is the memory that says, in full, what is wrong with a policy.
@router.put(
    "",
    operation_id="set_policy",
    summary="Set the ageing policy of a bank",
    responses={**answer(200, "The policy, now in force.", examples.POLICY), **problems(404, body=True)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Policy"},
                    "examples": {"default": {"summary": _SUMMARY, "value": examples.POLICY}},
                }
            },
        }
    },
)
async def set_policy(bank: BankPath, service: ServiceDep, body: Annotated[dict[str, Any], Body()]) -> Policy:
    """Replaces the policy; what is left out takes its default. It counts from the next run of ageing on. A page never
    goes back to a sharper tier by a change of policy."""
    return await service.quick(service.memory.set_policy, bank, body)
