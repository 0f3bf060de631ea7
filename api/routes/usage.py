"""Endpoints for usage by day, and for the limits of tenants."""

from typing import Annotated

from fastapi import Path, Query

from foxing.api.dependencies import ServiceDep
from foxing.memory import UsageLimits, UsageReport

from .router import memory_router

router = memory_router("/v1", "keys")

TenantPath = Annotated[
    str,
    Path(
        description="Name of the tenant.",
        examples=["acme"],
        min_length=1,
        max_length=50,
        pattern="^[A-Za-z0-9._:@-]+$",
    ),
]
DaysQuery = Annotated[int, Query(ge=1, le=3660, description="Number of days, today included.")]


@router.get("/usage", summary="Show usage by day", response_description="The usage of each day, tenant and key.")
async def get_usage(service: ServiceDep, days: DaysQuery = 30) -> UsageReport:
    """Returns usage by day of UTC, tenant and key: of all tenants, or of that of the caller. Messages and bytes are
    exactly what was stored; other counts lack those of the last second of each process."""
    return await service.run(service.memory.operations.limits.usage, days=days)


@router.get("/tenants/{tenant}/limits", summary="Get the limits of a tenant", response_description="The limits.")
async def get_limits(tenant: TenantPath, service: ServiceDep) -> UsageLimits:
    """Returns the limits of a tenant, null where it has none."""
    return await service.run(service.memory.operations.limits.get, tenant)


@router.put("/tenants/{tenant}/limits", summary="Set the limits of a tenant", response_description="The limits.")
async def set_limits(tenant: TenantPath, body: UsageLimits, service: ServiceDep) -> UsageLimits:
    """Replaces the limits of a tenant. They apply at once at this process, and after at most five seconds at others.
    Needs an admin key that belongs to no tenant."""
    return await service.run(service.memory.operations.limits.set, tenant, body)
