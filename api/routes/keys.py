"""Endpoints that create, list, revoke and rotate API keys."""

from typing import Annotated

from fastapi import Path

from foxing.api.dependencies import CursorQuery, LimitQuery, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory import KeyInfo, KeyRequest, KeyRotation, Keys, NewKey

from .router import memory_router

router = memory_router("/v1/keys", "keys")

KeyPath = Annotated[str, Path(description="Id of the key.", json_schema_extra={"pattern": "^[0-9a-f]{8}$"})]


@router.post(
    "",
    summary="Create a key",
    status_code=201,
    response_description="The key, which is shown only now.",
    responses=problem_responses(409),
)
async def create_key(service: ServiceDep, body: KeyRequest) -> NewKey:
    """Creates a key with a role, for all banks or for those whose names match a pattern. The database keeps a salted
    hash of it. Once a key has been created, every call needs a key, also if FOXING_API_KEY is not set."""
    new = await service.run(service.memory.operations.keys.create, body)
    service.key_checks.expire()
    return new


@router.get("", summary="List keys", response_description="The keys, without their secrets.")
async def list_keys(service: ServiceDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Keys:
    """Returns keys in the order of their creation, those that were revoked or have expired included."""
    return await service.run(service.memory.operations.keys.list, limit=limit, cursor=cursor)


@router.delete(
    "/{key_id}",
    summary="Revoke a key",
    response_description="The key, revoked.",
    responses=problem_responses(404),
)
async def revoke_key(key_id: KeyPath, service: ServiceDep) -> KeyInfo:
    """Revokes a key for good. It works no longer at this process, and after at most five seconds at others. It
    does not stop answers in progress."""
    revoked = await service.run(service.memory.operations.keys.revoke, key_id)
    service.key_checks.expire()
    return revoked


@router.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    status_code=201,
    response_description="The new key, which is shown only now.",
    responses=problem_responses(404, 409),
)
async def rotate_key(key_id: KeyPath, service: ServiceDep, body: KeyRotation | None = None) -> NewKey:
    """Creates a key with the name, role, banks and expiry of another, which is revoked, or works for the time of
    `overlap`. The body is optional."""
    request = body or KeyRotation()
    new = await service.run(service.memory.operations.keys.rotate, key_id, overlap=request.overlap)
    service.key_checks.expire()
    return new
