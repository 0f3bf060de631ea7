"""Reports of sealing, ageing, undo, erasure, reencoding and embedding. The values are also schemas of the HTTP
interface."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import BankName, Tier, Value
from .policy import AgeingForecast


class SealReport(Value):
    """The result of sealing."""

    pages: list[str] = Field(description="Ids of the new pages.")
    messages: int = Field(description="Number of messages that are now completely sealed.")
    open_messages: int = Field(description="Number of messages still open.")


class MarkdownReport(Value):
    """The result of an export as Markdown."""

    messages: int = Field(description="Number of messages.")
    threads: int = Field(description="Number of threads, each a file.")
    images: int = Field(description="Number of images beside, each once.")
    folder: str = Field(description="The folder.")


class BundleReport(Value):
    """The result of an export or an import of a bundle, or of a copy."""

    bank: BankName = Field(description="Name of the bank.")
    messages: int = Field(description="Number of messages.")
    pages: int = Field(description="Number of pages.")
    images: int = Field(description="Number of images.")
    records: int = Field(description="Number of records.")
    bytes: int = Field(description="Size of the bundle in bytes.")
    keeps_references: bool = Field(
        True,
        description="Whether references to its messages, such as `k7q`, mean the same here. They do not where the "
        "database has given their numbers to other messages.",
    )
    renamed_pages: int = Field(0, description="Number of pages with new ids, because the database has theirs already.")
    unreadable: dict[str, int] = Field(
        {}, description="Why pages cannot be read here, and how many; what is kept of their text can."
    )


class PageSkipped(Value):
    """A page that was skipped."""

    page_id: str = Field(description="Id of the page.")
    reason: str = Field(description="Reason for skipping it.")


class WordCount(Value):
    """Counts of facts, or of other words."""

    words: int = Field(description="Number of words.")
    kept: int = Field(description="Number of words that are kept.")


#: `facts`, which never fade by rule, and `other_words` → count.
WordCounts = dict[str, WordCount]


class FadedMessage(Value):
    """A message, or the part of it on a page, before and after the page ages."""

    message_id: str = Field(description="Id of the message.")
    before: str = Field(description="Its text as the memory holds it now.")
    after: str = Field(description="Its text after the page ages.")
    gaps: list[int] = Field(description="Offsets in `after` of the gap marks ⋯.")
    begins_before: bool = Field(description="Whether the message begins on an earlier page.")
    continues_after: bool = Field(description="Whether the message continues on a later page.")


class PagePreview(Value):
    """A preview of a page at a lower tier."""

    page_id: str = Field(description="Id of the page.")
    from_tier: Tier = Field(description="The tier it is held at.")
    to_tier: Tier = Field(description="The tier previewed.")
    vision_tokens_before: int = Field(description="Number of vision tokens now.")
    vision_tokens_after: int = Field(description="Number of vision tokens at the lower tier.")
    token_bytes_before: int = Field(description="Bytes of its tokens now.")
    token_bytes_after: int = Field(description="Bytes of its tokens at the lower tier.")
    words: WordCounts = Field(description="Facts and other words on the page, and the number kept.")
    messages: list[FadedMessage] = Field(description="The messages on the page, in page order.")


class SizeChange(Value):
    """Sizes of pages before and after a change, without the trash."""

    vision_tokens_before: int = Field(description="Vision tokens before.")
    vision_tokens_after: int = Field(description="Vision tokens after.")
    bytes_before: int = Field(description="Bytes of tokens and kept text before.")
    bytes_after: int = Field(description="Bytes of tokens and kept text after.")


class PageMove(SizeChange):
    """A page that moved to a lower tier, or would in a dry run."""

    page_id: str = Field(description="Id of the page.")
    from_tier: Tier = Field(description="The tier before.")
    to_tier: Tier = Field(description="The tier after.")
    messages: int = Field(description="Number of messages on the page, whole or in part.")
    drops_text: bool = Field(description="Whether its exact text is dropped.")
    words: WordCounts | None = Field(
        None,
        description="In a dry run, facts and other words on the page, and how many stay; null beyond `preview` pages.",
    )


class PageForecast(AgeingForecast):
    """Forecast of how the policy of its bank will age a page."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it is held at.")


class AgeReport(SizeChange):
    """The result of ageing, or of a dry run. Sizes are those of all changed pages."""

    now: datetime = Field(description="The time at which ages were computed.")
    dry_run: bool = Field(description="Whether it was a dry run, which writes nothing.")
    moved: list[PageMove] = Field(description="Pages that moved to a lower tier.")
    text_dropped: list[str] = Field(description="Ids of pages whose exact text was dropped.")
    busy: list[str] = Field(
        description="Ids of pages that another process had locked or changed; the next run retries them."
    )
    unreadable: list[PageSkipped] = Field(
        description="Pages that were due but skipped: damaged, temporarily unreadable, or laid out for another codec."
    )
    purged: int = Field(description="Number of trash entries deleted because their undo window had passed.")
    upcoming: list[PageForecast] = Field(
        [],
        description="In a dry run, forecasts for pages that are not due, soonest first; at most 500. Pinned pages are "
        "not listed.",
    )


class PageRestored(SizeChange):
    """A page that was restored."""

    page_id: str = Field(description="Id of the page, which is now pinned.")
    from_tier: Tier = Field(description="The tier before.")
    to_tier: Tier = Field(description="The tier after.")
    messages: int = Field(description="Number of messages on the page, whole or in part.")
    text_restored: bool = Field(description="Whether its exact text was restored.")
    dropped_at: datetime = Field(description="Time at which ageing first dropped data that was restored.")


class UndoReport(SizeChange):
    """The result of undo. Sizes are those of all restored pages."""

    now: datetime = Field(description="The time at which undo windows were evaluated.")
    restored: list[PageRestored] = Field(description="Pages restored to their state before ageing.")
    purged: list[str] = Field(
        description="Ids of pages whose exact text has been purged because its undo window has passed, including pages "
        "that were otherwise restored."
    )
    busy: list[str] = Field(
        description="Ids of pages that another process had locked or changed; run undo again for them."
    )
    unreadable: list[PageSkipped] = Field(
        description="Pages that were skipped because their dropped data cannot be read."
    )


class PageErased(Value):
    """A page from which messages were erased."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it is held at.")
    deleted: bool = Field(description="Whether the page was deleted because nothing else was on it.")
    changed: float = Field(
        description="Share of the other characters on it that now decode differently or are gaps; 0 with kept text."
    )


class ErasureReport(Value):
    """The result of a permanent erasure."""

    bank: BankName = Field(description="Name of the bank.")
    messages: int = Field(description="Number of messages erased.")
    pages: list[PageErased] = Field(description="Pages that held them; empty if the whole bank was erased.")
    bytes_before: int = Field(
        description="Bytes of vision tokens and kept text of these pages, or of the bank, before."
    )
    bytes_after: int = Field(description="The same bytes after.")
    log_erased: bool = Field(
        description="Whether SQLite's write-ahead log was truncated. If a reader was using it, the scheduler truncates "
        "it later. PostgreSQL keeps old rows until VACUUM FULL."
    )


class PageReencoded(Value):
    """A page that was reencoded with the current codec and weights, or would be in a dry run."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier after.")
    pages: int = Field(
        description="Number of pages it was split into, the first of which has its id: more than one if pages of the "
        "current codec hold less. An estimate in a dry run."
    )
    source: Literal["text", "decoded"] = Field(description="Source of its text: kept text or decoded tokens.")
    from_codec: str = Field(description="Codec that encoded it before.")
    from_weights: str | None = Field(description="Digest of the weights that encoded it before; null if unreadable.")
    bytes_before: int = Field(description="Bytes of vision tokens before.")
    bytes_after: int = Field(description="Bytes of vision tokens after, of all its pages.")
    confidence_before: float = Field(description="Mean confidence of its decoded text before; 1 with kept text.")
    confidence_after: float | None = Field(description="Mean confidence after; null in a dry run.")


class ReencodingReport(Value):
    """The result of reencoding, or of a dry run. Bytes are those of vision tokens; confidence is the mean over the
    pages in `reencoded`, and 1 for a page with kept text."""

    bank: BankName = Field(description="Name of the bank.")
    codec: str = Field(description="Name of the current codec.")
    weights: str = Field(description="Digest of its weights.")
    dry_run: bool = Field(description="Whether it was a dry run, which writes nothing.")
    reencoded: list[PageReencoded] = Field(description="Pages that were reencoded.")
    current: int = Field(description="Number of pages that the current weights had already encoded.")
    busy: list[str] = Field(
        description="Ids of pages that another process had locked or changed; reencode again for them."
    )
    unreadable: list[PageSkipped] = Field(description="Pages that were skipped because they cannot be read.")
    bytes_before: int = Field(description="Bytes of the reencoded pages before.")
    bytes_after: int = Field(description="Bytes of the reencoded pages after.")
    confidence_before: float | None = Field(description="Mean confidence before; null if none was reencoded.")
    confidence_after: float | None = Field(description="Mean confidence after; null in a dry run or without pages.")


class EmbeddingReport(Value):
    """The result of indexing the messages of a bank."""

    bank: BankName = Field(description="Name of the bank.")
    embedder: str = Field(description="Name of the embedder, or `none`.")
    embedded: int = Field(description="Number of messages embedded.")
    indexed: int = Field(description="Number of messages whose words were reindexed.")
    skipped: int = Field(description="Number of messages that cannot be read at the moment; reindex again for them.")


class TickReport(Value):
    """The result of one tick of the scheduler in all banks."""

    now: datetime = Field(description="The time at which ages were computed.")
    sealed_pages: int = Field(description="Number of new pages.")
    moved_pages: int = Field(description="Number of pages that moved to a lower tier.")
    purged: int = Field(description="Number of trash entries deleted because their undo window had passed.")
    erased: int = Field(0, description="Number of messages erased because they had expired or by rules of policies.")
    failed_banks: dict[BankName, str] = Field(description="Bank → reason of the failure; the next tick retries it.")
    unreadable: dict[str, list[PageSkipped]] = Field(
        description="Bank → pages that were due but skipped; the next tick retries them."
    )
