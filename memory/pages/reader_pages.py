"""Page images for readers: the remembered text of a page laid out for a reader, cached until the page changes."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import Connection

from foxing.memory.errors import Unreadable
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageParts, PageRow
from foxing.renderer import Entry
from foxing.renderer.readers import PageImage, Proof, ProofReader, Reader, is_read, page_images

from .content import StoredContents
from .decoder import PageDecoder
from .message_parts import read_part
from .spans import part_edges

#: Capacity of the image cache, and bytes per cell of an image: its character and its part of the PNG.
CACHE_BYTES = 64 << 20
BYTES_PER_CELL = 20

T = TypeVar("T")


@dataclass(frozen=True)
class ReaderPage:
    """A page image and the messages on it."""

    #: Stored page that it shows; None for one that is composed of messages of several.
    page: PageRow | None
    image: PageImage
    #: Its messages in order, each with the part of the text that the image shows.
    parts: Sequence[Entry]
    #: Message id → share of the message that the image shows, 0 to 1.
    shares: Mapping[int, float]
    #: Keys of these messages, in the same order.
    keys: tuple[str, ...]
    #: Ids of messages that begin on an earlier image or page, and of those that continue on a later one.
    begins_before: frozenset[int] = frozenset()
    continues_after: frozenset[int] = frozenset()
    #: Proof-reads the image.
    proofs: ProofReader = field(default_factory=ProofReader)

    @property
    def proof(self) -> Proof:
        """Proof of the image, which is read once, before the image is first given to a reader."""
        return self.proofs.read(self.image)

    @property
    def in_part(self) -> frozenset[int]:
        """Ids of the messages that the image does not show completely."""
        return self.begins_before | self.continues_after

    def keys_of(self, ids: Collection[int]) -> list[str]:
        """Returns the keys of those of its messages that are in `ids`, in order."""
        return [key for number, key in zip(self.shares, self.keys, strict=True) if number in ids]


class _OnPage(NamedTuple):
    """A message on a page."""

    entry: Entry
    key: str
    #: share of the message that is on the page, 0 to 1
    share: float


@dataclass(frozen=True)
class _Stored:
    """Snapshot of the rows of some pages."""

    rows: Mapping[int, PageRow]
    contents: StoredContents
    parts: Mapping[int, PageParts]
    messages: Mapping[int, Message]


class ReaderPages(Generic[T]):
    """Lays out page images for readers and caches the result. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        decoder: PageDecoder,
        make: Callable[[ReaderPage], T],
        cache_bytes: int = CACHE_BYTES,
        proofs: ProofReader | None = None,
    ) -> None:
        """`make`: returns the value to cache for a page image. `cache_bytes`: capacity of the cache. `proofs`: proof
        reader of the images, by default a new one."""
        self.database = database
        self.decoder = decoder
        self._make = make
        self._cache_bytes = cache_bytes
        self.proofs = proofs or ProofReader()
        self._kept: OrderedDict[tuple[int, int, Reader], tuple[list[T], int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def images(self, page_ids: Sequence[int], reader: Reader) -> list[T]:
        """Returns the values of the images of the pages, ordered by the pages' times. Pages that cannot be read or no
        longer exist are left out, and so are messages in a script that the reader is not known to read."""
        with self.database.read() as connection:
            rows = sorted(pages.by_ids(connection, page_ids).values(), key=lambda row: (row.last_at, row.id))
            cached = {row.id: self._cached(row, reader) for row in rows}
            stored = _fetch(connection, [row for row in rows if cached[row.id] is None])
        new = self._set(stored, reader)
        for row in stored.rows.values():
            cached[row.id] = self._keep(row, reader, new.get(row.id, []))
        return [image for row in rows for image in cached[row.id] or ()]

    def _set(self, stored: _Stored, reader: Reader) -> dict[int, list[ReaderPage]]:
        """Returns page id → its images."""
        states = self.decoder.read(list(stored.rows.values()), stored.contents)
        result: dict[int, list[ReaderPage]] = {}
        for page_id, row in stored.rows.items():
            state = states[page_id]
            if isinstance(state, Unreadable):
                continue
            entries: list[_OnPage] = []
            for span in stored.parts[page_id].spans:
                message = stored.messages[span.message_id]
                part = read_part(state, row, span, stored.parts[page_id].keepsakes)
                who = Entry(str(message.id), message.role, part.text, message.created_at, message.thread, message.name)
                share = (span.char_stop - span.char_start) / message.chars if message.chars else 1.0
                begin, end = part_edges(state.cells, span, message.chars)
                gaps = frozenset(part.gaps.tolist())
                entry = replace(who, gaps=gaps, begin=begin, end=end, ref=message.ref, marks=message.page_marks)
                if is_read(f"{entry.thread} {entry.role} {entry.name} {entry.content}", reader):
                    entries.append(_OnPage(entry, message.key, share))
            if entries:
                by_id = {drawn.entry.message_id: drawn for drawn in entries}
                images = page_images([drawn.entry for drawn in entries], reader)
                result[page_id] = [_reader_page(row, image, by_id, self.proofs) for image in images]
        return result

    def _cached(self, row: PageRow, reader: Reader) -> list[T] | None:
        with self._lock:
            key = (row.id, row.version, reader)
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _keep(self, row: PageRow, reader: Reader, images: Sequence[ReaderPage]) -> list[T]:
        """Returns the values of `images` and caches them, evicting the least recently used."""
        new_pages = list(map(self._make, images))
        size = sum(page.image.page.cells.size for page in images) * BYTES_PER_CELL
        with self._lock:
            key = (row.id, row.version, reader)
            self._size += size - self._kept.pop(key, ([], 0))[1]
            self._kept[key] = new_pages, size
            while self._size > self._cache_bytes and self._kept:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone
        return new_pages


def _fetch(connection: Connection, rows: Sequence[PageRow]) -> _Stored:
    ids = [row.id for row in rows]
    parts = pages.parts_of(connection, ids)
    return _Stored(
        {row.id: row for row in rows}, pages.contents(connection, ids), parts, messages.on_pages(connection, ids)
    )


def _reader_page(row: PageRow, image: PageImage, by_id: Mapping[str, _OnPage], proofs: ProofReader) -> ReaderPage:
    """Returns the image with the messages on it. `by_id`: messages of the page."""
    entries_on_it = [by_id[span.message_id] for span in image.page.placements]
    parts = [
        replace(entry.entry, content=entry.entry.content[span.char_start : span.char_stop], gaps=frozenset())
        for entry, span in zip(entries_on_it, image.page.placements, strict=True)
    ]
    shares = {
        int(part.message_id): entry.share * (len(part.content) / len(entry.entry.content) if part.content else 1.0)
        for entry, part in zip(entries_on_it, parts, strict=True)
    }
    edges = [
        (entry.entry.begin or span.char_start > 0, entry.entry.end or span.char_stop < len(entry.entry.content))
        for entry, span in zip(entries_on_it, image.page.placements, strict=True)
    ]
    begins_before = frozenset(number for number, (begins, _) in zip(shares, edges, strict=True) if begins)
    continues_after = frozenset(number for number, (_, goes) in zip(shares, edges, strict=True) if goes)
    keys = tuple(entry.key for entry in entries_on_it)
    return ReaderPage(row, image, parts, shares, keys, begins_before, continues_after, proofs)
