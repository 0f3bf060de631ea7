"""Databases for load tests. Pages, which are slow to encode, are made once and copied."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from random import Random

from sqlalchemy import String, cast, delete, update

from benchmarks.idle_banks import copy_bank
from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings
from foxing.memory import Memory
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

from . import texts

BANK = "bench"
BATCH = 500  # messages per store call


def database_path(folder: Path) -> Path:
    """Returns the path of the SQLite database in `folder`."""
    return folder / "bench.db"


def place_of(folder: Path, database: str | None = None) -> str:
    """Returns the URL `database`, or else that of the SQLite database in `folder`."""
    return database or f"sqlite:///{database_path(folder)}"


def open_database(folder: Path, database: str | None = None) -> Memory:
    """Opens the memory in a folder, or at the URL `database`, with the service's settings for codec and embedder."""
    return open_memory(load_settings({"database_url": place_of(folder, database)}))


def store_messages(memory: Memory, number: int, oldest: timedelta, newest: timedelta) -> None:
    """Stores `number` messages in the bank, with times evenly spaced between two ages."""
    random, now = Random(number), datetime.now(UTC)
    step = (oldest - newest) / number
    messages: Sequence[dict[str, object]] = [
        {"role": "user", "content": texts.message(random), "created_at": now - oldest + step * n} for n in range(number)
    ]
    memory.set_policy(BANK, {"age_from": "message"})
    for start in range(0, number, BATCH):
        memory.store(BANK, messages[start : start + BATCH])


def make_large_bank(folder: Path, messages: int, different: int, days: float, *, database: str | None = None) -> None:
    """Creates a bank of about `messages` messages from the last `days` days, sealed and aged as the scheduler does;
    `different` of them are distinct, the rest copies."""
    with open_database(folder, database) as memory:
        store_messages(memory, min(messages, different), timedelta(days=days), timedelta(minutes=1))
        memory.seal(BANK)
        memory.tick()
    copy_bank(place_of(folder, database), ceil(messages / different))
    merge_banks(place_of(folder, database))


def make_due_pages(folder: Path, pages: int, different: int, *, banks: int = 1, database: str | None = None) -> None:
    """Creates `banks` equal banks with at least `pages` pages in all that are due for a lower tier; about `different`
    pages per bank are distinct."""
    pages = ceil(pages / banks)
    with open_database(folder, database) as memory:
        made, step = 0, 16 * min(pages, different)
        while made < min(pages, different):
            store_messages(memory, step, timedelta(days=29), timedelta(days=8))
            memory.seal(BANK)
            made = memory.bank(BANK).pages
    copy_bank(place_of(folder, database), ceil(pages / made))
    merge_banks(place_of(folder, database))
    copy_bank(place_of(folder, database), banks)


def merge_banks(place: str) -> None:
    """Moves everything into the first bank of a database, given by URL, that holds copies of one bank."""
    database = Database(place)
    with database.write() as connection:
        first = 1
        threads = schema.threads
        unique = cast(threads.c.bank_id, String) + "-" + threads.c.name
        connection.execute(update(threads).where(threads.c.bank_id != first).values(name=unique))
        for table in (schema.schedule, schema.jobs):
            connection.execute(delete(table).where(table.c.bank_id != first))
        for table in schema.metadata.sorted_tables:
            if "bank_id" in table.c:
                connection.execute(update(table).where(table.c.bank_id != first).values(bank_id=first))
        connection.execute(delete(schema.banks).where(schema.banks.c.id != first))
    database.close()
