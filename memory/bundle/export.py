"""Export of a bank as a bundle, from one snapshot of the database.

Numbers that a database gives to rows are those of the order of the rows; messages have the numbers that they had where
the bank began, from which their references follow. What is keyed with the secret of the database is left out; the key
of the index goes with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection

from foxing.memory.index.postings import Postings
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.packed_codes import unpack_codes
from foxing.memory.storage.repositories import bundles
from foxing.memory.storage.repositories.sealed import keys
from foxing.memory.storage.secrets import index_key

from . import postings
from .archive import HEADER, PART_BYTES, BundleFile, compact
from .rows import encoded

VERSION = 1
#: Tables in the order of a bundle, before and after the pages.
BEFORE = ("threads", "images", "messages")
AFTER = tuple(table for table in bundles.TABLES if table not in BEFORE)


@dataclass
class _Numbers:
    """Numbers of rows in a bundle."""

    #: what was added to the numbers of messages
    added: int
    #: table → id → number
    of_table: dict[str, dict[int, int]] = field(default_factory=dict)

    def of(self, column: str, number: int) -> int:
        """Returns the number of a row that a column names."""
        table = bundles.NUMBERED[column]
        return number - self.added if table == "messages" else self.of_table[table][number]


def members(connection: Connection, bank_id: int) -> Iterator[BundleFile]:
    """Yields the files of the bundle of a bank."""
    bank = dict(bundles.bank_fields(connection, bank_id))
    added = int(bank.pop("numbers_added"))
    embedders = bundles.embedders(connection)
    by_name = sorted(embedders, key=lambda number: embedders[number])
    used = _used_embedders(connection, bank_id)
    numbers = _Numbers(added, {"embedders": {n: place for place, n in enumerate(n for n in by_name if n in used)}})
    ends = bundles.number_range(connection, bank_id)
    header = {
        "foxing_bundle": VERSION,
        "bank": encoded(bank),
        "index_key": index_key(connection, bank_id).hex(),
        "embedders": [list(embedders[number]) for number in numbers.of_table["embedders"]],
        "messages": None if ends is None else [ends[0] - added, ends[1] - added],
    }
    yield BundleFile(HEADER, compact(header))
    for table in BEFORE:
        yield from _table(connection, bank_id, table, numbers)
        if table == "images":
            for number, (_, content) in enumerate(bundles.image_contents(connection, bank_id), 1):
                if content is not None:
                    yield BundleFile(f"images/{number:08}.file", bytes(content))
    yield from _pages(connection, bank_id, numbers)
    for table in AFTER:
        yield from _table(connection, bank_id, table, numbers)
    for number, packed in enumerate(bundles.posting_segments(connection, bank_id), 1):
        yield BundleFile(f"index/{number:08}.bin", postings.to_bytes(Postings.unpack(packed), added))
    for number, (embedder, packed) in enumerate(bundles.embedding_segments(connection, bank_id), 1):
        codes = {str(i - added): code.hex() for i, code in unpack_codes(packed).items()}
        fields = {"embedder": numbers.of("embedder_id", embedder), "codes": codes}
        yield BundleFile(f"codes/{number:08}.json", compact(fields))


def _used_embedders(connection: Connection, bank_id: int) -> set[int]:
    used = {embedder for embedder, _ in bundles.embedding_segments(connection, bank_id)}
    for table in ("embeddings", "records"):
        used |= {row["embedder_id"] for row in bundles.rows(connection, bank_id, table)}
    return used - {None}


def _table(connection: Connection, bank_id: int, table: str, numbers: _Numbers) -> Iterator[BundleFile]:
    """Yields the files with the rows of a table, one a line."""
    own = numbers.of_table.setdefault(table, {})
    lines: list[bytes] = []
    size = part = 0
    for row in bundles.rows(connection, bank_id, table):
        if "id" in row and table != "messages":
            own[row.pop("id")] = len(own)
        lines.append(compact(encoded(_moved(connection, table, row, numbers))))
        size += len(lines[-1])
        if size >= PART_BYTES:
            part += 1
            yield BundleFile(f"{table}/{part:08}.jsonl", b"\n".join(lines))
            lines = []
            size = 0
    if lines:
        yield BundleFile(f"{table}/{part + 1:08}.jsonl", b"\n".join(lines))


def _moved(connection: Connection, table: str, row: Mapping[str, Any], numbers: _Numbers) -> dict[str, Any]:
    """Returns a row with the numbers of the bundle."""
    values = dict(row)
    for column in bundles.NUMBERED.keys() & values.keys():
        if values[column] is not None:
            values[column] = numbers.of(column, values[column])
    if table == "messages":
        values["key"] = values["key"] or keys.generated(connection, values["id"])
        values["id"] -= numbers.added
    return values


def _pages(connection: Connection, bank_id: int, numbers: _Numbers) -> Iterator[BundleFile]:
    for number, (row, tokens, text, packed) in enumerate(bundles.page_rows(connection, bank_id), 1):
        manifest = _manifest(connection, PageManifest.unpack(packed), numbers)
        fields = encoded({name: row[name] for name in bundles.PAGE_COLUMNS})
        keepsakes = bundles.keepsakes(connection, row["id"])
        fields["keepsakes"] = [[start, stop, i - numbers.added, words] for start, stop, i, words in keepsakes]
        yield BundleFile(f"pages/{number:08}.json", compact(fields))
        yield BundleFile(f"pages/{number:08}.manifest", manifest.pack())
        yield BundleFile(f"pages/{number:08}.tokens", bytes(tokens))
        if text is not None:
            yield BundleFile(f"pages/{number:08}.text", bytes(text))


def _manifest(connection: Connection, manifest: PageManifest, numbers: _Numbers) -> PageManifest:
    """Returns a manifest with the numbers of the bundle, all public ids, and no digests."""
    ids = manifest.ids.tolist()
    threads = [numbers.of("thread_id", thread) for thread in manifest.threads.tolist()]
    names = [key or keys.generated(connection, i) for key, i in zip(manifest.keys, ids, strict=True)]
    return replace(
        manifest,
        ids=manifest.ids - numbers.added,
        threads=np.array(threads, np.int64),
        keys=names,
        has_digest=np.zeros(len(ids), dtype=bool),
        digests=np.zeros_like(manifest.digests),
    )
