"""The endpoints, one module per resource."""

from fastapi import APIRouter

from . import ageing, banks, context, health, messages, pages, policy, recall, records, stores

ROUTERS: tuple[APIRouter, ...] = (
    stores.router,
    messages.router,
    recall.router,
    context.router,
    pages.router,
    records.router,
    banks.router,
    policy.router,
    ageing.router,
    health.router,
)
