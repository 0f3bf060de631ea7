"""Page manifest: author, time and cells of each message of a page, in a compact encoding."""

import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from foxing.memory.compact_json import compact_json
from foxing.memory.errors import StorageError

#: Bytes of the keyed digest of a sealed message, which is forgotten with its text.
DIGEST_BYTES = 8
_FORMAT = 3
#: Divisors of times in microseconds: minutes, seconds, milliseconds.
_UNITS = (60_000_000, 1_000_000, 1_000, 1)
_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 0, "lp": 0, "pb": 0, "nice_len": 273}]

Numbers = npt.NDArray[np.int64]


class SealedMessage(NamedTuple):
    """Message on a page, without its text."""

    id: int
    #: Public id; None if it was generated from `id`, see `keys.generated`.
    key: str | None
    thread_id: int
    role: str
    name: str | None
    #: Microseconds since 1970.
    created_at: int
    #: Length of its complete text.
    chars: int
    #: Number of content parts; 0 if the content is a plain text.
    parts: int
    #: Number of passages in the index.
    passages: int
    #: First bytes of its digest; empty once its text is purged.
    digest: bytes
    #: Metadata of the caller, as JSON.
    metadata: str | None
    #: Trust class; None for that of its role.
    trust: str | None = None
    #: Whether rules recognise instructions in it, though it is data.
    suspicious: bool = False

    @property
    def author(self) -> "Author":
        """Its role, trust class and mark."""
        return Author(self.role, self.trust, self.suspicious)


class Author(NamedTuple):
    """Role of a message with its trust class and mark, which are one label of a manifest."""

    role: str
    #: None for that of the role
    trust: str | None
    suspicious: bool

    @property
    def label(self) -> str:
        """The label: the role alone, or followed by what is special. No name has the character between them."""
        if self.trust is None and not self.suspicious and _BETWEEN not in self.role:
            return self.role
        return f"{self.role}{_BETWEEN}{self.trust or ''}{_SUSPICIOUS if self.suspicious else ''}"

    @classmethod
    def of(cls, label: str) -> "Author":
        """Returns the author of a label."""
        role, between, marks = label.rpartition(_BETWEEN)
        return cls(
            role if between else label,
            (between and marks.removesuffix(_SUSPICIOUS)) or None,
            bool(between) and marks.endswith(_SUSPICIOUS),
        )


_BETWEEN = "\x1f"
_SUSPICIOUS = "!"


class Place(NamedTuple):
    """Cells of a page that hold a message, or a part of one. Cells are counted row by row; ranges are half open."""

    message_id: int
    #: First cell of the header, which precedes the text.
    header_start: int
    #: Range of cells of the text.
    start: int
    stop: int
    #: Range of characters of the message in these cells.
    char_start: int
    char_stop: int


class ManifestDamaged(StorageError):
    """The manifest of a page is damaged, or in an unknown format."""


@dataclass(frozen=True, eq=False)
class PageManifest:
    """Messages of a page and their places on it, as columns."""

    #: int64[n] each; messages in the order of their first places
    ids: Numbers
    threads: Numbers
    times: Numbers
    chars: Numbers
    parts: Numbers
    passages: Numbers
    #: int64[n], indices into `labels`; -1 for messages without a name
    roles: Numbers
    names: Numbers
    labels: Sequence[str]
    keys: Sequence[str | None]
    #: uint8[n, DIGEST_BYTES], and bool[n], True for messages that have a digest
    digests: npt.NDArray[np.uint8]
    has_digest: npt.NDArray[np.bool_]
    metadata: Mapping[int, str]
    #: int64[m, 6], the places in order: index of the message, then the fields of `Place`
    cells: Numbers

    @classmethod
    def of(cls, messages: Iterable[SealedMessage], places: Sequence[Place]) -> "PageManifest":
        """Returns the manifest of these places. Messages without a place are left out."""
        by_id = {message.id: message for message in messages}
        order = {message_id: number for number, message_id in enumerate(dict.fromkeys(p.message_id for p in places))}
        ordered = [by_id[message_id] for message_id in order]
        labels = list(
            dict.fromkeys([m.author.label for m in ordered] + [m.name for m in ordered if m.name is not None])
        )
        number = {label: place for place, label in enumerate(labels)}
        digests = np.zeros((len(ordered), DIGEST_BYTES), np.uint8)
        for row, message in zip(digests, ordered, strict=True):
            if message.digest:
                row[:] = np.frombuffer(message.digest[:DIGEST_BYTES], np.uint8)
        return cls(
            _column(m.id for m in ordered),
            _column(m.thread_id for m in ordered),
            _column(m.created_at for m in ordered),
            _column(m.chars for m in ordered),
            _column(m.parts for m in ordered),
            _column(m.passages for m in ordered),
            _column(number[m.author.label] for m in ordered),
            _column(-1 if m.name is None else number[m.name] for m in ordered),
            labels,
            [m.key for m in ordered],
            digests,
            np.array([bool(m.digest) for m in ordered], dtype=bool),
            {place: m.metadata for place, m in enumerate(ordered) if m.metadata is not None},
            np.array([(order[p.message_id], *p[1:]) for p in places], np.int64).reshape(-1, 6),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def place_of(self) -> Mapping[int, int]:
        """Message id → index of the message on the page."""
        return {message_id: place for place, message_id in enumerate(self.ids.tolist())}

    def message(self, number: int) -> SealedMessage:
        """Returns the message with that index."""
        name = int(self.names[number])
        author = Author.of(self.labels[int(self.roles[number])])
        return SealedMessage(
            int(self.ids[number]),
            self.keys[number],
            int(self.threads[number]),
            author.role,
            None if name < 0 else self.labels[name],
            int(self.times[number]),
            int(self.chars[number]),
            int(self.parts[number]),
            int(self.passages[number]),
            self.digests[number].tobytes() if self.has_digest[number] else b"",
            self.metadata.get(number),
            author.trust,
            author.suspicious,
        )

    def authored(self, admits: Callable[["Author"], bool]) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for the messages whose author is admitted."""
        return np.isin(self.roles, [n for n, label in enumerate(self.labels) if admits(Author.of(label))])

    @property
    def messages(self) -> list[SealedMessage]:
        """All messages, in order."""
        return [self.message(number) for number in range(len(self))]

    @cached_property
    def places(self) -> list[Place]:
        """All places, in order."""
        ids = self.ids.tolist()
        return [Place(ids[number], *cells) for number, *cells in self.cells.tolist()]

    @property
    def memory_bytes(self) -> int:
        """Approximate size in memory, in bytes."""
        return 1_000 + 260 * len(self) + 250 * len(self.cells) + sum(map(len, self.metadata.values()))

    def pack(self) -> bytes:
        """Returns the manifest in its compact encoding, with a checksum."""
        columns, unit, wide = self._columns()
        numbers = [_planes(column) for column in columns]
        counts = [len(self), len(self.cells), unit, wide, int(self.has_digest.sum())]
        head = [*counts, *(len(planes) for planes in numbers)]
        metadata: list[JsonValue] = [[place, text] for place, text in sorted(self.metadata.items())]
        texts: JsonValue = [list(self.labels), list(self.keys), metadata]
        body = np.array(head, "<u4").tobytes() + b"".join(plane for planes in numbers for plane in planes)
        packed = lzma.compress(body + compact_json(texts).encode(), lzma.FORMAT_RAW, filters=_FILTERS)
        packed = len(packed).to_bytes(4, "little") + packed + self.digests[self.has_digest].tobytes()
        return bytes([_FORMAT]) + zlib.crc32(packed).to_bytes(4, "little") + packed

    def _columns(self) -> tuple[list[Numbers], int, bool]:
        """Returns the columns to pack, mostly as differences from predicted values; the unit of the times; and True if
        most characters take two cells."""
        unit = next(number for number, size in enumerate(_UNITS) if not (self.times % size).any())
        which, header, start, stop, char_start, char_stop = self.cells.T
        characters = char_stop - char_start
        second_cells = (stop - start) - characters
        wide = bool(2 * second_cells.sum() > characters.sum())
        digest = np.zeros(0, np.int64) if self.has_digest.all() or not self.has_digest.any() else self.has_digest
        return (
            [
                _steps(self.ids),
                _steps(self.threads),
                _steps(self.times // _UNITS[unit]),
                self.chars,
                self.parts,
                self.passages - 1,
                _zigzag(self.roles),
                self.names + 1,
                digest.astype(np.int64),
                _zigzag(which - np.arange(len(which))),
                _zigzag(header - np.append(0, stop[:-1])[: len(header)]),
                start - header,
                _zigzag(characters - second_cells if wide else second_cells),
                char_start,
                _zigzag(self.chars[which] - char_stop),
            ],
            unit,
            wide,
        )

    @classmethod
    def unpack(cls, packed: bytes) -> "PageManifest":
        """Decodes the result of `pack`. Raises `ManifestDamaged`."""
        try:
            return cls._unpack(packed)
        except _INVALID as error:
            raise ManifestDamaged(_DAMAGED) from error

    @classmethod
    def _unpack(cls, packed: bytes) -> "PageManifest":
        read = _Packed(packed)
        n = read.messages
        digested = read.digested
        unit = read.unit
        ids, threads, times, chars, parts, passages, roles, names, digest, *places = map(read.column, range(_COLUMNS))
        labels, keys, metadata = json.loads(read.texts)
        roles = _signed(roles)
        names = names - 1
        _check_texts(labels, keys, metadata, n)
        if n and not (roles.min() >= 0 and max(roles.max(), names.max()) < len(labels) and names.min() >= -1):
            raise ValueError
        has_digest = digest.astype(bool) if len(digest) else np.full(n, bool(digested))
        digests = np.zeros((n, DIGEST_BYTES), np.uint8)
        digests[has_digest] = np.frombuffer(read.digests, np.uint8).reshape(-1, DIGEST_BYTES)
        return cls(
            _sums(ids),
            _sums(threads),
            _sums(times) * _UNITS[unit],
            chars,
            parts,
            passages + 1,
            roles,
            names,
            labels,
            keys,
            digests,
            has_digest,
            dict(metadata),
            _places(chars, places, read.wide),
        )


class PageMessages(NamedTuple):
    """Ids of the messages on a page."""

    #: int64[n], ids, ascending
    ids: Numbers
    #: Message id → number of passages, for messages with several
    several_passages: Mapping[int, int]

    @classmethod
    def unpack(cls, packed: bytes) -> "PageMessages":
        """Decodes the ids from the result of `PageManifest.pack`, in a quarter of the time of the complete manifest.
        Raises `ManifestDamaged`."""
        try:
            read = _Packed(packed)
            ids = _sums(read.column(_IDS))
            passages = read.column(_PASSAGES) + 1
        except _INVALID as error:
            raise ManifestDamaged(_DAMAGED) from error
        several = np.flatnonzero(passages > 1)
        return cls(np.sort(ids), dict(zip(ids[several].tolist(), passages[several].tolist(), strict=True)))

    @property
    def memory_bytes(self) -> int:
        """Approximate size in memory, in bytes."""
        return 500 + self.ids.nbytes + 200 * len(self.several_passages)


_COLUMNS = 15
_IDS = 0  # indices of columns
_PASSAGES = 5
_HEAD = 5 + _COLUMNS  # counts, and the widths of the columns
_OTHER_VERSION = (
    "the manifest of a page was written by another version of foxing; export the bank with that version, and import it "
    "here"
)
_DAMAGED = "the manifest of a page is damaged; restore the database from a backup"
_INVALID = (lzma.LZMAError, ValueError, IndexError, TypeError, RecursionError)
#: Bytes of an unpacked manifest, its messages or places, and bytes of a number: no page comes near, and a forged one,
#: as of a restored backup, takes no more memory.
_MAX_BODY_BYTES = 64 << 20
_MAX_ROWS = 1 << 18
_MAX_WIDTH = 8


class _Packed:
    """Parser of a packed manifest. Raises one of `_INVALID`, or `ManifestDamaged` for another format."""

    def __init__(self, packed: bytes) -> None:
        if zlib.crc32(packed[5:]) != int.from_bytes(packed[1:5], "little"):
            raise ValueError
        if packed[0] != _FORMAT:
            raise ManifestDamaged(_OTHER_VERSION)
        end = 9 + int.from_bytes(packed[5:9], "little")
        self.digests = packed[end:]
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        self._body = decompressor.decompress(packed[9:end], _MAX_BODY_BYTES + 1)
        n, m, self.unit, wide, self.digested, *self._widths = np.frombuffer(self._body, "<u4", _HEAD).tolist()
        if len(self._body) > _MAX_BODY_BYTES or max(n, m) > _MAX_ROWS or max(self._widths) > _MAX_WIDTH:
            raise ValueError
        self.messages = n
        self.wide = bool(wide)
        self._lengths = [n] * 8 + [0 if self.digested in {0, n} else n] + [m] * 6
        sizes = (width * length for width, length in zip(self._widths, self._lengths, strict=True))
        self._starts = list(accumulate(sizes, initial=4 * _HEAD))

    def column(self, number: int) -> Numbers:
        part = self._body[self._starts[number] : self._starts[number + 1]]
        return _numbers(part, self._widths[number], self._lengths[number])

    @property
    def texts(self) -> bytes:
        return self._body[self._starts[-1] :]


def _check_texts(labels: JsonValue, keys: JsonValue, metadata: JsonValue, messages: int) -> None:
    """Raises `ValueError` or `TypeError` unless the texts of a manifest are those of so many messages."""
    if not (isinstance(labels, list) and isinstance(keys, list) and isinstance(metadata, list)):
        raise TypeError
    if len(keys) != messages or not all(isinstance(label, str) for label in labels):
        raise ValueError
    if not all(key is None or isinstance(key, str) for key in keys):
        raise ValueError
    for item in metadata:
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[1], str):
            raise ValueError
        if type(item[0]) is not int or not 0 <= item[0] < messages:
            raise ValueError


def _places(chars: Numbers, columns: Sequence[Numbers], wide: bool) -> Numbers:
    """Returns int64[m, 6], see `PageManifest.cells`, decoded from the last columns of `PageManifest._columns`."""
    which, header, start, cells, first, chars_after = columns
    which = _signed(which) + np.arange(len(which))
    if len(which) and which.min() < 0:
        raise ValueError
    char_stop = chars[which] - _signed(chars_after)
    characters = char_stop - first
    second_cells = characters - _signed(cells) if wide else _signed(cells)
    length = start + characters + second_cells  # of header and text
    before = _signed(header)
    header_start = np.cumsum(before + length) - length
    starts = header_start + start
    return np.stack([which, header_start, starts, header_start + length, first, char_stop], axis=1)


def _column(values: Iterable[int]) -> Numbers:
    return np.fromiter(values, np.int64)


def _steps(values: Numbers) -> Numbers:
    return _zigzag(np.diff(values, prepend=0))


def _sums(steps: Numbers) -> Numbers:
    return np.cumsum(_signed(steps))


def _zigzag(values: Numbers) -> Numbers:
    """Maps integers to non-negative ones that are small if the integers are near zero: 0, -1, 1, -2, …"""
    return (values << 1) ^ (values >> 63)


def _signed(values: Numbers) -> Numbers:
    return (values >> 1) ^ -(values & 1)


def _planes(column: Numbers) -> list[bytes]:
    """Returns the numbers as byte planes, lowest first, as many as the largest number needs."""
    width = -(-int(column.max(initial=0)).bit_length() // 8) if len(column) else 0
    return [part.tobytes() for part in column.astype("<u8").view(np.uint8).reshape(-1, 8).T[:width]]


def _numbers(planes: bytes, width: int, length: int) -> Numbers:
    """Decodes the result of `_planes`. Most columns have one byte per number, or none."""
    parts = np.frombuffer(planes, np.uint8).reshape(width, length)
    numbers = parts[0].astype(np.int64) if width else np.zeros(length, np.int64)
    for place in range(1, width):
        numbers |= parts[place].astype(np.int64) << (8 * place)
    return numbers
