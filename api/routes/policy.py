"""The ageing policy of a bank."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Security

from foxing.api.bodies import BodyRoute
from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import bearer, json_response, v1_problem_responses
from foxing.memory.values.policy import Policy

router = APIRouter(
    route_class=BodyRoute, prefix="/v1/banks/{bank}/policy", tags=["ageing"], dependencies=[Security(bearer)]
)

_EXAMPLE_SUMMARY = "The default policy"


@router.get(
    "",
    operation_id="get_policy",
    summary="Get the ageing policy of a bank",
    responses={**json_response(200, "The current policy.", examples.POLICY), **v1_problem_responses(404)},
)
async def get_policy(bank: BankPath, service: ServiceDep) -> Policy:
    """The ages at which pages move to lower tiers, how long exact text is kept and when open messages are sealed.
    Durations are ISO 8601."""
    return await service.run(service.memory.policy, bank)


# The body is passed on unparsed: the error messages of the memory explain an invalid policy best.
@router.put(
    "",
    operation_id="set_policy",
    summary="Set the ageing policy of a bank",
    responses={**json_response(200, "The new policy.", examples.POLICY), **v1_problem_responses(body=True)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Policy"},
                    "examples": {"default": {"summary": _EXAMPLE_SUMMARY, "value": examples.POLICY}},
                }
            },
        }
    },
)
async def set_policy(bank: BankPath, service: ServiceDep, body: Annotated[dict[str, Any], Body()]) -> Policy:
    """Sets the policy, and creates the bank if there is none; omitted fields take their defaults. The new policy
    applies from the next ageing run on and never moves a page back to a sharper tier."""
    return await service.run(service.memory.set_policy, bank, body)
