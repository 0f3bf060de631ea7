"""The endpoints, one module per resource."""

from fastapi import APIRouter

from . import (
    ageing,
    audit,
    banks,
    bundles,
    compress,
    context,
    facts,
    fold,
    health,
    imports,
    jobs,
    keys,
    messages,
    pages,
    policy,
    quarantine,
    recall,
    records,
    rights,
    savings,
    store,
    usage,
)

#: Routers of the memory, and last the one about the service.
ROUTERS: tuple[APIRouter, ...] = (
    store.router,
    messages.router,
    recall.router,
    context.router,
    facts.router,
    fold.router,
    savings.router,
    compress.router,
    pages.router,
    records.router,
    imports.router,
    bundles.router,
    jobs.router,
    banks.router,
    policy.router,
    quarantine.router,
    ageing.router,
    rights.router,
    keys.router,
    audit.router,
    usage.router,
    health.router,
)
