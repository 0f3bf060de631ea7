"""Pages, and how they are held."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, Security

from foxing.api.dependencies import BankPath, CursorQuery, LimitQuery, PagePath, ServiceDep
from foxing.api.openapi import examples
from foxing.api.openapi.document import answer, bearer, binary_answer, problems
from foxing.memory.models import PageInfo, PageReading, Pages, Tier

router = APIRouter(prefix="/v1/banks/{bank}/pages", tags=["pages"], dependencies=[Security(bearer)])

TOKENS_MEDIA_TYPE = "application/vnd.safetensors"
PNG = "image/png"

TierQuery = Annotated[
    Tier | None,
    Query(description="A tier at or below the one it is held at, which is the default. A sharper one is forgotten."),
]


@router.get(
    "",
    operation_id="list_pages",
    summary="List pages",
    responses={**answer(200, "Pages, newest last.", examples.PAGES), **problems(404)},
)
async def list_pages(
    bank: BankPath,
    service: ServiceDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    tier: Annotated[Tier | None, Query(description="Only pages held at this tier.")] = None,
) -> Pages:
    """The pages of a bank, their tiers, ages, sizes and confidence."""
    return await service.quick(service.memory.pages, bank, limit=limit, cursor=cursor, tier=tier)


@router.get(
    "/{page_id}",
    operation_id="get_page",
    summary="One page",
    responses={**answer(200, "The page.", examples.PAGE), **problems(404)},
)
async def get_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """How a page is held: its tier, size and confidence."""
    return await service.quick(service.memory.page, bank, page_id)


@router.get(
    "/{page_id}/image",
    operation_id="get_page_image",
    summary="A page as an image",
    response_class=Response,
    responses={**binary_answer(PNG, "The page as the tier shows it."), **problems(404, 410)},
)
async def get_page_image(bank: BankPath, page_id: PagePath, service: ServiceDep, tier: TierQuery = None) -> Response:
    """A PNG of the page at a tier, drawn from what the memory still holds."""
    image = await service.codec(service.memory.page_image, bank, page_id, tier)
    return Response(image, media_type=PNG)


@router.get(
    "/{page_id}/read",
    operation_id="read_page",
    summary="Read a page",
    responses={**answer(200, "The page as read.", examples.PAGE_READING), **problems(404, 410)},
)
async def read_page(bank: BankPath, page_id: PagePath, service: ServiceDep, tier: TierQuery = None) -> PageReading:
    """The page decoded now: its text, its lines and how sure each is, and the runs that may be misread."""
    return await service.codec(service.memory.read_page, bank, page_id, tier)


@router.get(
    "/{page_id}/tokens",
    operation_id="get_page_tokens",
    summary="The vision tokens of a page",
    response_class=Response,
    responses={**binary_answer(TOKENS_MEDIA_TYPE, "A safetensors file."), **problems(404)},
)
async def get_page_tokens(bank: BankPath, page_id: PagePath, service: ServiceDep) -> Response:
    """The stored vision tokens: tensor `tokens`, uint8[token rows, token columns, bytes a token], and in the metadata
    the codec, its weights, the tier, and the type and number of a token's numbers."""
    tokens = await service.quick(service.memory.page_tokens, bank, page_id)
    return Response(
        tokens.to_safetensors(),
        media_type=TOKENS_MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="page-{tokens.tier}.safetensors"'},
    )


@router.put(
    "/{page_id}/pin",
    operation_id="pin_page",
    summary="Pin a page",
    responses={**answer(200, "The page, pinned.", {**examples.PAGE, "pinned": True}), **problems(404)},
)
async def pin_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """A pinned page does not age and keeps the text it has. Pinning it again changes nothing."""
    return await service.quick(service.memory.pin, bank, page_id)


@router.delete(
    "/{page_id}/pin",
    operation_id="unpin_page",
    summary="Unpin a page",
    responses={**answer(200, "The page, not pinned.", examples.PAGE), **problems(404)},
)
async def unpin_page(bank: BankPath, page_id: PagePath, service: ServiceDep) -> PageInfo:
    """The page ages again, from the next run on. Unpinning it again changes nothing."""
    return await service.quick(service.memory.unpin, bank, page_id)
