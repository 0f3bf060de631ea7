"""Pages of a bank."""

from foxing.integrations.client.values import Page, PagePreview, PageReading, Pages, Tier

from .call import Call, Request, bank_path, given, reading


def pages(bank: str, *, limit: int = 50, cursor: str | None = None, tier: Tier | None = None) -> Call[Pages]:
    """Pages of a bank, oldest first."""
    parameters = given({"limit": str(limit), "cursor": cursor, "tier": tier})
    return Call(
        Request("GET", bank_path(bank, "pages"), parameters),
        reading(Pages),
        lambda memory: memory.pages(bank, limit=limit, cursor=cursor, tier=tier).model_dump(mode="json"),
    )


def page(bank: str, page_id: str) -> Call[Page]:
    """One page and how it is held."""
    return Call(
        Request("GET", bank_path(bank, "pages", page_id)),
        reading(Page),
        lambda memory: memory.page(bank, page_id).model_dump(mode="json"),
    )


def read_page(bank: str, page_id: str, tier: Tier | None = None) -> Call[PageReading]:
    """The page decoded now, or as it would read at a lower tier."""
    return Call(
        Request("GET", bank_path(bank, "pages", page_id, "read"), given({"tier": tier})),
        reading(PageReading),
        lambda memory: memory.read_page(bank, page_id, tier).model_dump(mode="json"),
    )


def preview_page(bank: str, page_id: str, tier: Tier | None = None) -> Call[PagePreview]:
    """What would be left of a page at a lower tier, by default the next one."""
    return Call(
        Request("GET", bank_path(bank, "pages", page_id, "preview"), given({"tier": tier})),
        reading(PagePreview),
        lambda memory: memory.preview_page(bank, page_id, tier).model_dump(mode="json"),
    )


def page_tokens(bank: str, page_id: str) -> Call[bytes]:
    """The stored vision tokens of a page, as a safetensors file."""
    return Call(
        Request("GET", bank_path(bank, "pages", page_id, "tokens"), binary=True),
        bytes,
        lambda memory: memory.page_tokens(bank, page_id).to_safetensors(),
    )


def page_image(bank: str, page_id: str, tier: Tier | None = None) -> Call[bytes]:
    """PNG of the page as a tier shows it."""
    return Call(
        Request("GET", bank_path(bank, "pages", page_id, "image"), given({"tier": tier}), binary=True),
        bytes,
        lambda memory: memory.page_image(bank, page_id, tier),
    )


def pin(bank: str, page_id: str) -> Call[Page]:
    """Pins a page, so that it does not age."""
    return Call(
        Request("PUT", bank_path(bank, "pages", page_id, "pin")),
        reading(Page),
        lambda memory: memory.pin(bank, page_id).model_dump(mode="json"),
    )


def unpin(bank: str, page_id: str) -> Call[Page]:
    """Unpins a page, so that it ages again."""
    return Call(
        Request("DELETE", bank_path(bank, "pages", page_id, "pin")),
        reading(Page),
        lambda memory: memory.unpin(bank, page_id).model_dump(mode="json"),
    )
