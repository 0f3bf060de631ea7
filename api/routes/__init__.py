"""The endpoints, one module per resource."""

from fastapi import APIRouter

from . import (
    ageing,
    banks,
    compress,
    context,
    fold,
    health,
    imports,
    messages,
    pages,
    policy,
    recall,
    records,
    savings,
    store,
)

#: Routers of the memory; the others are about the service.
MEMORY_ROUTERS: tuple[APIRouter, ...] = (
    store.router,
    messages.router,
    recall.router,
    context.router,
    fold.router,
    savings.router,
    compress.router,
    pages.router,
    records.router,
    imports.router,
    banks.router,
    policy.router,
    ageing.router,
)
ROUTERS = (*MEMORY_ROUTERS, health.router)
