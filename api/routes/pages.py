"""Endpoints that list, read, export and pin pages."""

from typing import Annotated

from fastapi import Query, Response
from fastapi.routing import APIRoute

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, PagePath, ServiceDep
from foxing.api.openapi.document import binary_response, problem_responses
from foxing.memory import PageInfo, PagePreview, PageReading, Pages
from foxing.memory.values.base import KnownTier

from .router import memory_router

router = memory_router("/v1/banks/{bank}/pages", "pages", APIRoute)

TOKENS_MEDIA_TYPE = "application/vnd.safetensors"
PNG = "image/png"

TierQuery = Annotated[
    KnownTier | None,
    Query(description="The current tier of the page (default) or a lower one. Sharper versions are no longer stored."),
]


@router.get(
    "",
    summary="List pages",
    response_description="The pages, oldest first.",
    responses=problem_responses(404),
)
async def list_pages(
    bank: BankPath,
    service: ServiceDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    tier: Annotated[KnownTier | None, Query(description="Return only pages at this tier.")] = None,
) -> Pages:
    """Returns the pages of a bank with their tiers, ages, sizes and confidence."""
    return await service.run(service.memory.pages, bank, limit=limit, cursor=cursor, tier=tier)


@router.get(
    "/{page_id}",
    summary="Get a page",
    response_description="The page.",
    responses=problem_responses(404),
)
async def get_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """Returns the tier, age, size and confidence of a page."""
    return await service.run(service.memory.page, bank, page_id)


@router.get(
    "/{page_id}/image",
    summary="Get the image of a page",
    response_class=Response,
    responses={**binary_response(PNG, "The page at the tier."), **problem_responses(404, 410)},
)
async def get_page_image(bank: BankPath, page_id: PagePath, service: ServiceDep, tier: TierQuery = None) -> Response:
    """Returns a PNG of the page at a tier, drawn from the text or tokens that are still stored."""
    image = await service.run_codec(service.memory.page_image, bank, page_id, tier)
    return Response(image, media_type=PNG)


@router.get(
    "/{page_id}/read",
    summary="Read a page",
    response_description="The text of the page and its confidence.",
    responses=problem_responses(404, 410),
)
async def read_page(bank: BankPath, page_id: PagePath, service: ServiceDep, tier: TierQuery = None) -> PageReading:
    """Decodes the page. Returns its text, its lines with their confidence, and the runs that may be misread."""
    return await service.run_codec(service.memory.read_page, bank, page_id, tier)


@router.get(
    "/{page_id}/preview",
    summary="Preview the fading of a page",
    response_description="The page before and after fading.",
    responses=problem_responses(404),
)
async def preview_page(
    bank: BankPath,
    page_id: PagePath,
    service: ServiceDep,
    tier: Annotated[
        KnownTier | None, Query(description="A tier below the current tier of the page; default: the next lower one.")
    ] = None,
) -> PagePreview:
    """Returns the messages on a page before and after a move to a lower tier, and the number of words of each class
    that would remain. Nothing changes."""
    return await service.run_codec(service.memory.preview_page, bank, page_id, tier)


@router.get(
    "/{page_id}/tokens",
    summary="Get the vision tokens of a page",
    response_class=Response,
    responses={**binary_response(TOKENS_MEDIA_TYPE, "The tokens as a safetensors file."), **problem_responses(404)},
)
async def get_page_tokens(bank: BankPath, page_id: PagePath, service: ServiceDep) -> Response:
    """Returns the stored vision tokens: tensor `tokens`, uint8[token rows, token columns, bytes per token], or, for
    tokens of variable length, `stream` or `image` (a PNG file), uint8[bytes]. The metadata names the codec, its
    weights, the tier, and the data type and number of the values in a token."""
    tokens = await service.run(service.memory.page_tokens, bank, page_id)
    return Response(
        tokens.to_safetensors(),
        media_type=TOKENS_MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="page-{tokens.tier}.safetensors"'},
    )


@router.put(
    "/{page_id}/pin",
    summary="Pin a page",
    response_description="The page, pinned.",
    responses=problem_responses(404),
)
async def pin_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """Pins a page: it does not age and keeps its exact text, if any. Pinning a pinned page has no effect."""
    return await service.run(service.memory.pin, bank, page_id)


@router.delete(
    "/{page_id}/pin",
    summary="Unpin a page",
    response_description="The page, unpinned.",
    responses=problem_responses(404),
)
async def unpin_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """Unpins a page: it ages again from the next ageing run. Unpinning an unpinned page has no effect."""
    return await service.run(service.memory.pin, bank, page_id, pinned=False)
