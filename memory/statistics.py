"""What a bank and its pages hold, in numbers."""

from collections.abc import Sequence

from sqlalchemy import Connection

from foxing.renderer import tier_rank

from .models import BankBytes, BankInfo, PageInfo, TierStatistics
from .storage.repositories import banks, idempotency, index, messages, pages, wastebasket
from .storage.repositories.banks import Bank
from .storage.repositories.pages import PageRow


def page_infos(connection: Connection, bank: str, rows: Sequence[PageRow]) -> list[PageInfo]:
    """What there is to say of each page."""
    ids = [row.id for row in rows]
    threads = pages.threads_of(connection, ids)
    sizes = pages.keepsake_sizes(connection, ids)
    infos = []
    for row in rows:
        count, size = sizes.get(row.id, (0, 0))
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
                    "bytes": row.token_bytes + row.text_bytes + size,
                    "text_kept": row.text_bytes > 0,
                    "confidence": round(row.confidence, 4),
                    "codec": row.codec,
                    "keepsakes": count,
                }
            )
        )
    return infos


def bank_info(connection: Connection, bank: Bank) -> BankInfo:
    """Statistics of a bank. Bytes are those of its rows and indexes; free space of the file is not counted."""
    totals = messages.totals(connection, bank.id)
    tiers = pages.totals(connection, bank.id)
    token_bytes = sum(tier.token_bytes for tier in tiers)
    text_bytes = sum(tier.text_bytes for tier in tiers) + totals.open_text_bytes
    sizes = {
        "tokens": token_bytes,
        "text": text_bytes,
        "index": index.size_bytes(connection, bank.id),
        "keepsakes": pages.keepsake_bytes(connection, bank.id),
        "metadata": totals.metadata_bytes
        + pages.metadata_bytes(connection, bank.id)
        + banks.thread_bytes(connection, bank.id)
        + idempotency.answer_bytes(connection, bank.id),
        "wastebasket": wastebasket.size_bytes(connection, bank.id),
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
        bytes=BankBytes(**sizes, total=sum(sizes.values())),
        first_at=totals.first_at,
        last_at=totals.last_at,
    )
