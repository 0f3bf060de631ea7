"""Endpoint that stores messages."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from foxing.api.bodies import LARGE_BODY, BodyRoute
from foxing.api.dependencies import BankPath, IdempotencyKey, Service, ServiceDep, get_service
from foxing.api.openapi.document import problem_responses
from foxing.api.schemas import StoreRequest
from foxing.memory import StoreResult

from .router import memory_router


class StoreRoute(BodyRoute):
    """Fast path of the most frequent request. A small valid body is stored without FastAPI's dependency injection and
    response validation, which take 0.5 ms, as long as storing it; this takes 0.1 ms. All other requests, including
    invalid ones, are handled by FastAPI."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler of the route."""
        handle = super().get_route_handler()

        async def handle_small(request: Request) -> Response:
            body = await request.body()
            if len(body) > LARGE_BODY or "idempotency-key" in request.headers:
                return await handle(request)
            try:
                valid = StoreRequest.model_validate(json.loads(body))
            except (ValueError, RecursionError):
                return await handle(request)
            result = await _store(await get_service(request), request.path_params["bank"], valid)
            return Response(result.model_dump_json(), self.status_code or 200, media_type="application/json")

        return handle_small


router = memory_router("/v1/banks/{bank}/messages", "messages", StoreRoute)


@router.post(
    "",
    summary="Store messages",
    status_code=201,
    response_description="The messages are stored.",
    responses=problem_responses(409),
)
async def store_messages(
    bank: BankPath,
    service: ServiceDep,
    body: StoreRequest,
    idempotency_key: IdempotencyKey = None,
) -> StoreResult:
    """Stores all messages or none, and creates the bank if it does not exist. A message that is already stored under
    its id is not stored again; the same id with different content or metadata is a conflict (409). Content is a string
    or a list of parts: text, tool calls, tool results, images. Blocks of Anthropic, OpenAI and Gemini are accepted as
    well, and whole messages of theirs with `provider`."""
    return await _store(service, bank, body, idempotency_key)


async def _store(service: Service, bank: str, body: StoreRequest, idempotency_key: str | None = None) -> StoreResult:
    if not body.messages:  # they only think
        return StoreResult(ids=[], stored=0, duplicates=0, left_out=body.left_out)
    result = await service.store_queue.store(bank, body.messages, body.thread, idempotency_key)
    if body.left_out:
        result = result.model_copy(update={"left_out": body.left_out})
    service.metrics.memory.record_store(result)
    service.embed_soon(bank)
    return result
