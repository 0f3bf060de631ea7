"""Statistics of banks and pages: counts, bytes and times."""

from collections.abc import Sequence

from sqlalchemy import Connection

from foxing.renderer import tier_rank

from .models import BankBytes, BankInfo, PageInfo, TierStatistics
from .recall.search_index import SearchIndex
from .storage.repositories import banks, embeddings, pages, sizes
from .storage.repositories.banks import Bank
from .storage.repositories.pages import KeepsakeTotals, PageRow


def page_infos(connection: Connection, bank: str, rows: Sequence[PageRow]) -> list[PageInfo]:
    """Statistics of pages of the bank called `bank`."""
    ids = [row.id for row in rows]
    threads = pages.threads_of(connection, ids)
    keepsakes = pages.keepsake_totals(connection, ids)
    infos = []
    for row in rows:
        kept = keepsakes.get(row.id, KeepsakeTotals(0, 0))
        infos.append(
            PageInfo.model_validate(
                {
                    "id": row.key,
                    "bank": bank,
                    "threads": threads.get(row.id, []),
                    "tier": row.tier,
                    "pinned": row.pinned,
                    "sealed_at": row.sealed_at,
                    "first_at": row.first_at,
                    "last_at": row.last_at,
                    "messages": row.messages,
                    "vision_tokens": row.vision_tokens,
                    "bytes": row.token_bytes + row.text_bytes + kept.bytes,
                    "text_kept": row.text_bytes > 0,
                    "confidence": round(row.confidence, 4),
                    "codec": row.codec,
                    "keepsakes": kept.number,
                }
            )
        )
    return infos


def bank_info(connection: Connection, bank: Bank, index: SearchIndex) -> BankInfo:
    """Statistics of a bank, whose messages are in `index`. Bytes are those of its rows and indexes, without free space
    in the file."""
    totals = sizes.message_totals(connection, bank.id)
    tiers = sizes.tier_totals(connection, bank.id)
    held = {
        "tokens": sum(tier.token_bytes for tier in tiers),
        "text": sum(tier.text_bytes for tier in tiers) + totals.open_text_bytes,
        "index": index.statistics(connection, bank.id).bytes,
        "embeddings": embeddings.total_bytes(connection, bank.id),
        "keepsakes": sizes.keepsake_bytes(connection, bank.id),
        "metadata": totals.metadata_bytes
        + sizes.page_metadata_bytes(connection, bank.id)
        + sizes.thread_bytes(connection, bank.id)
        + sizes.idempotency_bytes(connection, bank.id),
        "wastebasket": sizes.wastebasket_bytes(connection, bank.id),
    }
    return BankInfo(
        id=bank.name,
        created_at=bank.created_at,
        messages=totals.messages,
        open_messages=totals.open_messages,
        threads=banks.count_threads(connection, bank.id),
        pages=sum(tier.pages for tier in tiers),
        tiers={
            tier.tier: TierStatistics(pages=tier.pages, vision_tokens=tier.vision_tokens, token_bytes=tier.token_bytes)
            for tier in sorted(tiers, key=lambda t: tier_rank(t.tier))
        },
        bytes=BankBytes(**held, total=sum(held.values())),
        first_at=totals.first_at,
        last_at=totals.last_at,
    )
