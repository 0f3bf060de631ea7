"""The endpoints, one module per resource."""

from fastapi import APIRouter

from . import ageing, banks, context, health, messages, pages, policy, recall, records, store

ROUTERS: tuple[APIRouter, ...] = (
    store.router,
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
