"""Consistency check of a database after its processes have ended, cleanly or not."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Table, select, text

from foxing.encoder import TokensError, VisionTokens
from foxing.memory.lifecycle.jobs import LEASE as JOB_LEASE
from foxing.memory.pages.page_writer import LEASE as PAGE_LEASE
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages

LEASED: tuple[Table, ...] = (schema.pages, schema.jobs)


@dataclass(frozen=True)
class Inspection:
    """Counts of a database, and its faults."""

    messages: int
    #: tier → pages
    tiers: dict[str, int]
    #: leases on pages and jobs
    leases: int
    #: leases that expire later than a lease taken now
    endless_leases: int
    #: pages whose tokens are missing or do not match the tier, size or codec of the page
    broken_pages: int
    #: result of SQLite's own check; True on PostgreSQL
    sound: bool

    def faults(self) -> list[str]:
        """Returns a description of each kind of fault; empty for a sound database."""
        found = []
        if self.broken_pages:
            found.append(f"{self.broken_pages} pages have missing or mismatched tokens")
        if self.endless_leases:
            found.append(f"{self.endless_leases} leases expire too late")
        if not self.sound:
            found.append("SQLite reports a damaged file")
        return found


def _is_whole(tier: str, codec: str, token_bytes: int, blob: bytes | None) -> bool:
    """True if the tokens of a page are there and match the page."""
    if blob is None:
        return False
    try:
        tokens = VisionTokens.from_bytes(blob)
    except TokensError:
        return False
    return (tokens.tier, tokens.codec, len(blob)) == (tier, codec, token_bytes)


def inspect(place: Path | str) -> Inspection:
    """Returns the inspection of the database at a path or URL."""
    database = Database(place)
    latest = datetime.now(UTC) + max(JOB_LEASE, PAGE_LEASE)
    try:
        with database.read() as connection:
            page, content = schema.pages.c, schema.page_contents.c
            tiers: Counter[str] = Counter()
            broken = 0
            rows = connection.execute(
                select(page.tier, page.codec, page.token_bytes, content.tokens).outerjoin_from(
                    schema.pages, schema.page_contents
                )
            )
            for row in rows:
                tiers[row.tier] += 1
                broken += not _is_whole(*row)
            until = [
                time for table in LEASED for time in connection.scalars(select(table.c.lease_until)) if time is not None
            ]
            bank_ids = connection.scalars(select(schema.banks.c.id)).all()
            return Inspection(
                messages=sum(messages.count(connection, bank_id) for bank_id in bank_ids),
                tiers=dict(tiers),
                leases=len(until),
                endless_leases=sum(time > latest for time in until),
                broken_pages=broken,
                sound=not database.dialect.single_writer or connection.scalar(text("PRAGMA quick_check")) == "ok",
            )
    finally:
        database.close()
