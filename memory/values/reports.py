"""What sealing, ageing, undo, erasure, re-encoding and embedding report. These values are schemas of the HTTP interface
as well."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Tier, Value
from .policy import AgeingForecast

PREVIEWED_PAGES = 8  # of a dry run, by default
MAX_PREVIEWED_PAGES = 100


class SealReport(Value):
    """What sealing did."""

    pages: list[str] = Field(description="Ids of the new pages.")
    messages: int = Field(description="Messages that are now completely sealed.")
    open_messages: int = Field(description="Messages still open.")


class PageSkipped(Value):
    """A page that was left unchanged."""

    page_id: str = Field(description="Id of the page.")
    reason: str = Field(description="Why it was left unchanged.")


class WordCount(Value):
    """The words of one class."""

    words: int = Field(description="How many there are.")
    kept: int = Field(description="How many of them stay.")


#: Class of words (`negations`, `dates`, `numbers`, `names`, `rare_words`, `common_words`, `content_words`) → count.
WordCounts = dict[str, WordCount]


class FadedMessage(Value):
    """A message, or the part of it on a page, before and after the page ages."""

    message_id: str = Field(description="Id of the message.")
    before: str = Field(description="Its text as the memory holds it now.")
    after: str = Field(description="What would be left of it.")
    gaps: list[int] = Field(description="Offsets in `after` of the marks ⋯ where something would have faded.")
    begins_before: bool = Field(description="Whether the message begins on an earlier page.")
    continues_after: bool = Field(description="Whether the message continues on a later page.")


class PagePreview(Value):
    """What would be left of a page at a lower tier."""

    page_id: str = Field(description="Id of the page.")
    from_tier: Tier = Field(description="The tier it is held at.")
    to_tier: Tier = Field(description="The tier that is tried.")
    vision_tokens_before: int = Field(description="Vision tokens now.")
    vision_tokens_after: int = Field(description="Vision tokens at that tier.")
    token_bytes_before: int = Field(description="Bytes of its tokens now.")
    token_bytes_after: int = Field(description="Bytes of its tokens at that tier.")
    words: WordCounts = Field(description="Words on the page by class, and how many would stay.")
    messages: list[FadedMessage] = Field(description="The messages on the page, in their order on it.")


class PageMove(Value):
    """A page that moved to a lower tier, or would in a dry run."""

    page_id: str = Field(description="Id of the page.")
    from_tier: Tier = Field(description="The tier before.")
    to_tier: Tier = Field(description="The tier after.")
    messages: int = Field(description="Messages on the page, whole or in part.")
    drops_text: bool = Field(description="Whether its exact text is dropped.")
    vision_tokens_before: int = Field(description="Vision tokens before.")
    vision_tokens_after: int = Field(description="Vision tokens after.")
    bytes_before: int = Field(description="Bytes of tokens and kept text before.")
    bytes_after: int = Field(description="Bytes of tokens and kept text after.")
    words: WordCounts | None = Field(
        None,
        description="In a dry run, words on the page by class, and how many would stay; null beyond `preview` pages.",
    )


class PageForecast(AgeingForecast):
    """What the policy of a bank will do to a page, and when."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier that it is held at.")


class AgeReport(Value):
    """What ageing did, or would do in a dry run. Bytes are those of vision tokens and kept text, without the
    trash."""

    now: datetime = Field(description="The time that ages were counted to.")
    dry_run: bool = Field(description="Whether nothing was written.")
    moved: list[PageMove] = Field(description="Pages that moved to a lower tier.")
    text_dropped: list[str] = Field(description="Pages whose exact text was dropped.")
    busy: list[str] = Field(description="Pages that another process held or changed; the next run tries them again.")
    unreadable: list[PageSkipped] = Field(
        description="Pages that were due and left unchanged: damaged, not readable now, or laid out for another codec."
    )
    purged: int = Field(description="Entries of the trash deleted because their undo window had passed.")
    upcoming: list[PageForecast] = Field(
        [],
        description="In a dry run, what happens later to pages that are not due, the next first; at most 500. Pinned "
        "pages are not listed.",
    )
    vision_tokens_before: int = Field(description="Vision tokens of the changed pages before.")
    vision_tokens_after: int = Field(description="Vision tokens of the changed pages after.")
    bytes_before: int = Field(description="Bytes of the changed pages before.")
    bytes_after: int = Field(description="Bytes of the changed pages after.")


class PageRestored(Value):
    """A page that was restored."""

    page_id: str = Field(description="Id of the page, which is pinned now.")
    from_tier: Tier = Field(description="The tier before.")
    to_tier: Tier = Field(description="The tier after.")
    messages: int = Field(description="Messages on the page, whole or in part.")
    text_restored: bool = Field(description="Whether its exact text is back.")
    dropped_at: datetime = Field(description="When ageing dropped what is back, the first of it.")
    vision_tokens_before: int = Field(description="Vision tokens before.")
    vision_tokens_after: int = Field(description="Vision tokens after.")
    bytes_before: int = Field(description="Bytes of tokens and kept text before.")
    bytes_after: int = Field(description="Bytes of tokens and kept text after.")


class UndoReport(Value):
    """What undo brought back. Bytes are those of vision tokens and kept text, without the trash."""

    now: datetime = Field(description="The time at which undo windows were looked at.")
    restored: list[PageRestored] = Field(description="Pages that are as they were before ageing changed them.")
    purged: list[str] = Field(
        description="Pages whose exact text is gone for good, because its undo window has passed; those included that "
        "were restored as far as that goes."
    )
    busy: list[str] = Field(description="Pages that another process held or changed; run it again for them.")
    unreadable: list[PageSkipped] = Field(
        description="Pages left unchanged because what was dropped of them cannot be read."
    )
    vision_tokens_before: int = Field(description="Vision tokens of the restored pages before.")
    vision_tokens_after: int = Field(description="Vision tokens of the restored pages after.")
    bytes_before: int = Field(description="Bytes of the restored pages before.")
    bytes_after: int = Field(description="Bytes of the restored pages after.")


class PageErased(Value):
    """A page from which messages were erased."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier that it is held at.")
    deleted: bool = Field(description="Whether the page is gone, because nothing else was on it.")
    changed: float = Field(
        description="Share of the other characters on it that read otherwise than before, or have become gaps: 0 with "
        "kept text."
    )


class ErasureReport(Value):
    """What was erased for good."""

    bank: str = Field(description="The bank.")
    messages: int = Field(description="Messages that were erased.")
    pages: list[PageErased] = Field(description="Pages that held them. Empty where the whole bank was erased.")
    bytes_before: int = Field(description="Bytes of vision tokens and kept text of these pages, or of the bank.")
    bytes_after: int = Field(description="The same after.")
    log_erased: bool = Field(
        description="Whether SQLite's write-ahead log was emptied. If a reader needed it, the clock does it later; "
        "PostgreSQL keeps old rows until VACUUM FULL."
    )


class PageReencoded(Value):
    """A page that was reencoded with the present codec and weights, or would be in a dry run."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier after.")
    pages: int = Field(
        description="How many pages it is now, the first under its id: more than one if pages of the present codec "
        "hold less. An estimate in a dry run."
    )
    source: Literal["text", "decoded"] = Field(description="What it is drawn from: kept text or decoded tokens.")
    from_codec: str = Field(description="The codec that wrote it before.")
    from_weights: str | None = Field(description="Digest of the weights that wrote it before; null if unreadable.")
    bytes_before: int = Field(description="Bytes of vision tokens before.")
    bytes_after: int = Field(description="Bytes of vision tokens after, of all the pages it is now.")
    confidence_before: float = Field(description="Mean confidence of what it read as before; 1 with kept text.")
    confidence_after: float | None = Field(description="Mean confidence after; null in a dry run.")


class ReencodingReport(Value):
    """What reencoding did, or would do in a dry run. Bytes are those of vision tokens; confidence is the mean over
    the pages in `reencoded`, and 1 for a page with kept text."""

    bank: str = Field(description="The bank.")
    codec: str = Field(description="The present codec.")
    weights: str = Field(description="Digest of its weights.")
    dry_run: bool = Field(description="Whether nothing was written.")
    reencoded: list[PageReencoded] = Field(description="Pages that were reencoded.")
    current: int = Field(description="Pages that the present weights had written already.")
    busy: list[str] = Field(description="Pages that another process held or changed; run it again for them.")
    unreadable: list[PageSkipped] = Field(description="Pages that cannot be read and were left unchanged.")
    bytes_before: int = Field(description="Bytes of the reencoded pages before.")
    bytes_after: int = Field(description="Bytes of the reencoded pages after.")
    confidence_before: float | None = Field(description="Mean confidence before; null if none was reencoded.")
    confidence_after: float | None = Field(description="Mean confidence after; null in a dry run or without pages.")


class EmbeddingReport(Value):
    """What indexing the messages of a bank did."""

    bank: str = Field(description="The bank.")
    embedder: str = Field(description="The embedder, or none.")
    embedded: int = Field(description="Messages that were embedded.")
    indexed: int = Field(description="Messages whose words were indexed anew.")
    skipped: int = Field(description="Messages that cannot be read now; run it again for them.")


class TickReport(Value):
    """What one tick of the scheduler did in all banks."""

    now: datetime = Field(description="The time that ages were counted to.")
    sealed_pages: int = Field(description="New pages.")
    moved_pages: int = Field(description="Pages that moved to a lower tier.")
    purged: int = Field(description="Entries of trash deleted because their undo window had passed.")
    failed_banks: dict[str, str] = Field(description="Bank → why its work failed; the next tick tries it again.")
    unreadable: dict[str, list[PageSkipped]] = Field(
        description="Bank → pages that were due and left unchanged; the next tick tries them again."
    )
