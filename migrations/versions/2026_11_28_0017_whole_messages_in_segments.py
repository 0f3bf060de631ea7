"""The postings of a message in one segment of the index: what lies in several is put together, and what erasing, ageing
and undoing left behind is removed."""

import lzma
import secrets
import struct
import zlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
import zstandard
from alembic import op

revision = "2026_11_28_0017"
down_revision = "2026_11_28_0016"
branch_labels = None
depends_on = None

Numbers = npt.NDArray[np.int64]
#: `RECORD`[p], a term of a passage and how often it stands there.
Records = npt.NDArray[Any]

RECORD = np.dtype([("document", "<i8"), ("term", "<u8"), ("count", "<u2")])
PASSAGE_BITS = 12
HEADER, SIZE = struct.Struct("<BIIIq"), struct.Struct("<I")
FORMAT = 3
GROUPED = 1 << 14
PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    9, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False
)
DIRECTORY_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 0, "lp": 0, "pb": 0, "nice_len": 273}]
DIRECTORY_FORMAT = 2
DIRECTORY_COLUMNS, IDS, PASSAGES = 15, 0, 5
DAMAGED = (ValueError, IndexError, struct.error, zstandard.ZstdError, lzma.LZMAError)

segments = sa.table(
    "posting_segments",
    sa.column("id"),
    sa.column("bank_id"),
    sa.column("stamp"),
    sa.column("first_message"),
    sa.column("last_message"),
    sa.column("postings", sa.LargeBinary()),
)
messages = sa.table("messages", sa.column("id"), sa.column("bank_id"), sa.column("passages"))
pages = sa.table("pages", sa.column("id"), sa.column("bank_id"))
directories = sa.table("page_directories", sa.column("page_id"), sa.column("directory", sa.LargeBinary()))


def upgrade() -> None:
    connection = op.get_bind()
    banks = sa.select(segments.c.bank_id).distinct().order_by(segments.c.bank_id)
    for bank_id in connection.execute(banks).scalars().all():
        _mend(connection, bank_id)


def downgrade() -> None:
    """Nothing: the older version reads what is here, and may part it again."""


def _mend(connection: sa.Connection, bank_id: int) -> None:
    passages = _passages(connection, bank_id)
    if passages is None:
        return
    query = sa.select(segments.c.id, segments.c.postings).where(segments.c.bank_id == bank_id).order_by(segments.c.id)
    held: dict[int, Records] = {}
    for segment_id, packed in connection.execute(query):
        try:
            held[segment_id] = _unpacked(bytes(packed))
        except DAMAGED:
            continue  # foxing db check says so
    for segment_id, kept in _mended(held, passages).items():
        row = segments.c.id == segment_id
        if not len(kept):
            connection.execute(segments.delete().where(row))
            continue
        ids = kept["document"] >> PASSAGE_BITS
        values = {"first_message": int(ids.min()), "last_message": int(ids.max()), "stamp": secrets.randbits(62)}
        connection.execute(segments.update().where(row).values(**values, postings=_packed(kept)))


def _mended(held: Mapping[int, Records], passages: Mapping[int, int]) -> dict[int, Records]:
    """Segment id → its records, for those that change. The first segment with a message was written with each change of
    it; a later one holds passages that belong to it, unless the first has these or later ones, or the message has not
    as many."""
    known = np.array(sorted(passages), dtype=np.int64)
    numbers_of = np.array([passages[i] for i in known.tolist()], dtype=np.int64)
    whole: dict[int, list[Records]] = {}
    changed: set[int] = set()
    #: message id → the first segment that holds it, and its last passage there
    first: dict[int, tuple[int, int]] = {}
    for segment_id, records in held.items():
        ids, numbers = records["document"] >> PASSAGE_BITS, records["document"] & ((1 << PASSAGE_BITS) - 1)
        there = np.isin(ids, known)
        there[there] = numbers[there] < numbers_of[np.searchsorted(known, ids[there])]
        again = there & np.isin(ids, np.array(list(first), dtype=np.int64))
        for message_id in np.unique(ids[again]).tolist():
            of_message = again & (ids == message_id)
            at, last = first[message_id]
            if numbers[of_message].min() > last:
                whole[at].append(records[of_message])
                changed.add(at)
                first[message_id] = at, int(numbers[of_message].max())
        new = there & ~again
        if not new.all():
            changed.add(segment_id)
        whole[segment_id] = [records[new]]
        documents = np.unique(records["document"][new])  # ascending, so that the last passage of each message stays
        first |= {
            document >> PASSAGE_BITS: (segment_id, document & ((1 << PASSAGE_BITS) - 1))
            for document in documents.tolist()
        }
    return {segment_id: np.concatenate(whole[segment_id]) for segment_id in sorted(changed)}


def _passages(connection: sa.Connection, bank_id: int) -> dict[int, int] | None:
    """Message id → in how many passages it is found; None if a page does not say."""
    still_open = sa.select(messages.c.id, messages.c.passages).where(messages.c.bank_id == bank_id)
    found = {i: number for i, number in connection.execute(still_open)}
    on_pages = sa.outerjoin(pages, directories, directories.c.page_id == pages.c.id)
    query = sa.select(directories.c.directory).select_from(on_pages).where(pages.c.bank_id == bank_id)
    for packed in connection.execute(query).scalars():
        try:
            found |= _on_page(bytes(packed or b""))
        except DAMAGED:
            return None
    return found


def _on_page(packed: bytes) -> dict[int, int]:
    """Message id → number of passages, of a page's directory."""
    if packed[0] != DIRECTORY_FORMAT or zlib.crc32(packed[5:]) != int.from_bytes(packed[1:5], "little"):
        raise ValueError
    end = 9 + int.from_bytes(packed[5:9], "little")
    body = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=DIRECTORY_FILTERS).decompress(packed[9:end])
    head = 5 + DIRECTORY_COLUMNS
    n, _, _, _, _, *widths = np.frombuffer(body, "<u4", head).tolist()
    starts = list(accumulate((width * n for width in widths[: PASSAGES + 1]), initial=4 * head))

    def column(number: int) -> Numbers:
        parts = np.frombuffer(body[starts[number] : starts[number + 1]], np.uint8).reshape(widths[number], n)
        weights = np.left_shift(1, 8 * np.arange(widths[number], dtype=np.int64))[:, None]
        return np.asarray((parts.astype(np.int64) * weights).sum(axis=0), dtype=np.int64)

    steps = column(IDS)
    ids = np.cumsum((steps >> 1) ^ -(steps & 1))
    return dict(zip(ids.tolist(), (column(PASSAGES) + 1).tolist(), strict=True))


def _unpacked(packed: bytes) -> Records:
    """The records of a segment."""
    version, n, t, p, first = HEADER.unpack_from(packed)
    if version != FORMAT:
        raise ValueError
    at = HEADER.size
    decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def read(length: int, width: int) -> Numbers:
        nonlocal at
        parts = np.zeros((8, length), dtype=np.uint8)
        for part in parts[:width]:
            [size] = SIZE.unpack_from(packed, at)
            start = at + SIZE.size
            at = start + size
            if size:
                part[:] = np.frombuffer(decompressor.decompress(packed[start:at], max_output_size=length), np.uint8)
        return np.ascontiguousarray(parts.T).view("<i8").reshape(-1)

    documents = np.cumsum(read(n, 8)) + first
    terms = np.cumsum(read(t, 4))
    frequencies, counts = read(t, 4), read(p, 2)
    gaps = np.empty(p, dtype=np.int64)
    for group in _groups(frequencies):
        gaps[group] = read(len(group), 4)
    starts = np.append(0, np.cumsum(frequencies))
    within = np.cumsum(gaps)
    places = within - np.repeat((within - gaps)[starts[:-1]], frequencies)
    result = np.empty(p, dtype=RECORD)
    result["document"], result["count"] = documents[places], counts
    result["term"] = np.repeat(terms, frequencies)
    return result


def _packed(records: Records) -> bytes:
    """A segment of the records."""
    documents, places = np.unique(records["document"], return_inverse=True)
    order = np.lexsort((places, records["term"]))
    terms, starts, frequencies = np.unique(records["term"][order], return_index=True, return_counts=True)
    places = places[order].astype(np.int64)
    gaps = np.diff(places, prepend=0)
    gaps[starts] = places[starts]  # each term begins anew
    return b"".join(
        [
            HEADER.pack(FORMAT, len(documents), len(terms), len(records), int(documents[0])),
            _planes(np.diff(documents, prepend=documents[0]), 8),
            _planes(np.diff(terms, prepend=np.uint64(0)), 4),
            _planes(frequencies, 4),
            _planes(records["count"][order], 2),
            *(_planes(gaps[group], 4) for group in _groups(frequencies)),
        ]
    )


def _groups(frequencies: Numbers) -> list[Numbers]:
    """Places of the postings, in groups of terms that are about as frequent."""
    if frequencies.sum() < GROUPED:
        return [np.arange(frequencies.sum())]
    group = np.repeat(np.frexp(frequencies)[1], frequencies)
    return [np.flatnonzero(group == one) for one in np.unique(group)]


def _planes(array: npt.NDArray[Any], width: int) -> bytes:
    parts = array.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS)
    planes = [compressor.compress(part.tobytes()) if part.any() else b"" for part in parts]
    return b"".join(SIZE.pack(len(plane)) + plane for plane in planes)
