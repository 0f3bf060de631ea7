"""Import of a bundle into a new bank.

A bundle is read twice: completely before anything is written, then in the transaction that writes it, so that a damaged
or forged one stores nothing, and an import that is killed has stored nothing and is run again. Every number is moved to
what this database gives, so that no row can name another bank's.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, get_args

import numpy as np
import zstandard
from sqlalchemy import Connection

from foxing.encoder import TokensError, VisionTokens
from foxing.memory.errors import Conflict, InvalidBundle, InvalidPolicy
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.index.postings import ENTRY
from foxing.memory.storage import schema
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.manifest import ManifestDamaged, PageManifest
from foxing.memory.storage.packed_codes import pack_codes
from foxing.memory.storage.repositories import bundles
from foxing.memory.storage.repositories.blobs import contents as blobs
from foxing.memory.storage.repositories.images import new_stamp
from foxing.memory.storage.repositories.postings import insert_segment
from foxing.memory.storage.secrets import digest_key, message_digest
from foxing.memory.text.passages import MAX_PASSAGES, message_of
from foxing.memory.text.titles import one_line
from foxing.memory.values.base import Role
from foxing.memory.values.facts import KINDS
from foxing.memory.values.policy import stored_policy
from foxing.memory.values.threads import TITLE_SOURCES
from foxing.memory.values.trust import RANKS
from foxing.renderer import PageLayout
from foxing.renderer.marks import GAP_MARK

from . import postings
from .archive import HEADER, BundleFile, document, read
from .export import AFTER, BEFORE, VERSION
from .rows import decoded, value_of

#: Highest number of a message, and of numbers between its first and its last, in a bundle.
MOST_NUMBER = 1 << 37
MOST_NUMBERS = 1 << 32
_ORDER = (HEADER.partition(".")[0], *BEFORE, "pages", *AFTER, "index", "codes")
_PAGE_KINDS = ("json", "manifest", "tokens", "text")
_ROLES = frozenset(get_args(get_args(Role)[0]))
_MAX_CODE_BYTES = 1 << 20
_CELL_BYTES = 8  # of kept text, at most: four bytes a cell, and their place

#: Returns why the tokens of a codec and its weights cannot be read here; None if they can. Raises `InvalidBundle` for a
#: codec that is not there.
Readable = Callable[[str, str], str | None]


@dataclass
class Contents:
    """Contents of a bundle."""

    messages: int = 0
    pages: int = 0
    images: int = 0
    records: int = 0
    #: bytes of texts and images
    size: int = 0
    #: first and last number of a message
    numbers: tuple[int, int] | None = None
    #: reason → number of pages that cannot be read here
    unreadable: dict[str, int] = field(default_factory=dict)
    #: number of pages whose ids another bank has, so that they have new ones
    renamed_pages: int = 0
    #: True if references to its messages are the same here
    keeps_references: bool = True
    policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Target:
    """The bank that is written."""

    connection: Connection
    bank_id: int
    #: What is added to the numbers of messages.
    added: int
    #: table → number in the bundle → id
    ids: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class _PageFiles:
    """The files of a page."""

    number: int = 0
    files: dict[str, bytes] = field(default_factory=dict)


class BundleReader:
    """Reads a bundle, checks all of it, and writes it if there is a target."""

    def __init__(self, readable: Readable, target: "Callable[[Mapping[str, Any], Contents], _Target] | None") -> None:
        self._readable = readable
        self._open = target
        self._target: _Target | None = None
        self.contents = Contents()
        self._header: dict[str, Any] = {}
        self._embedders: list[tuple[str, int]] = []
        self._threads = 0
        #: for each image, whether its file follows
        self._images: list[dict[str, Any]] = []
        #: numbers of the messages on pages and of the open ones
        self._numbers: list[np.ndarray[Any, Any]] = []
        self._open_numbers: list[int] = []
        self._keys: dict[str, int] = {}
        self._page = _PageFiles()
        self._manifests: list[int] = []
        self._known: np.ndarray[Any, Any] | None = None
        self._position = (0, 0, 0)
        #: rows to insert
        self._batch: list[dict[str, Any]] = []

    def read(self, stream: IO[bytes]) -> Contents:
        """Reads a bundle and returns its contents. Raises `InvalidBundle`, and `Conflict` if the name is taken."""
        for member in read(stream):
            try:
                self._check_order(member)
                self._member(member)
            except InvalidBundle:
                raise
            except (ValueError, TypeError, KeyError, IndexError, OverflowError, TokensError, ManifestDamaged) as error:
                raise InvalidBundle(f"'{member.name}' in the bundle is not valid: {error}") from error
        self._end_page()
        self._finish()
        return self.contents

    def _check_order(self, member: BundleFile) -> None:
        table = member.table if "/" in member.name else HEADER.partition(".")[0]
        if table not in _ORDER or (member.name == HEADER and self._header):
            raise ValueError("no bundle of this version has such a file")
        kind = _PAGE_KINDS.index(member.kind) if table == "pages" else int(member.kind == "file")
        place = _ORDER.index(table)
        position = (place, kind, member.number) if table == "images" else (place, member.number, kind)
        if position <= self._position and member.name != HEADER:
            raise ValueError("its files are not in order")
        self._position = position

    def _member(self, member: BundleFile) -> None:
        if member.name == HEADER:
            self._read_header(document(member.name, member.data))
        elif member.table == "pages":
            if member.number != self._page.number:
                self._end_page()
                self._page = _PageFiles(member.number)
            self._page.files[member.kind] = member.data
        else:
            self._end_page()
            if member.table == "images" and member.kind == "file":
                self._image_file(member.number, member.data)
            elif member.table == "index":
                self._index(member.data)
            elif member.table == "codes":
                self._codes(document(member.name, member.data))
            else:
                for line in member.data.split(b"\n"):
                    self._row(member.table, document(member.name, line))
                if self._target is not None:
                    bundles.insert(self._target.connection, member.table, self._batch)
                self._batch = []

    def _read_header(self, header: Any) -> None:
        version = header.get("foxing_bundle") if isinstance(header, dict) else None
        if version != VERSION:
            raise InvalidBundle(
                f"the bundle is of version {version}, and this version of Foxing reads {VERSION}: upgrade foxing, or "
                "export the bank again"
            )
        if header.keys() != {"foxing_bundle", "bank", "index_key", "embedders", "messages"}:
            raise ValueError("its fields are not those of this version")
        c = schema.banks.c
        bank = decoded(header["bank"], [c.created_at, c.policy, c.expires_at, c.records_version])
        try:
            stored_policy(bank["policy"])
        except InvalidPolicy as error:
            raise InvalidBundle(f"the policy in the bundle: {error}") from error
        key = bytes.fromhex(header["index_key"])
        if len(key) != 32:
            raise ValueError("index_key must have 32 bytes")
        for name, dimensions in header["embedders"]:
            embedder = value_of(name, schema.embedders.c.name), value_of(dimensions, schema.embedders.c.dimensions)
            if not 0 < embedder[1] < 1 << 20:
                raise ValueError("an embedder has no such number of dimensions")
            self._embedders.append(embedder)
        if header["messages"] is not None:
            first, last = header["messages"]
            if type(first) is not int or type(last) is not int or not 0 < first <= last < MOST_NUMBER:
                raise ValueError("the numbers of its messages are out of range")
            if last - first >= MOST_NUMBERS:
                raise ValueError("the numbers of its messages are too far apart")
            self.contents.numbers = first, last
        self.contents.policy = bank["policy"]
        self._header = {"bank": bank, "index_key": key}
        if self._open is not None:
            self._target = self._open(self._header, self.contents)
            ids = [bundles.insert_embedder(self._target.connection, *embedder) for embedder in self._embedders]
            self._target.ids["embedders"] = ids

    def _number(self, number: Any) -> int:
        """Returns the number of a message, which is within those that the header states."""
        ends = self.contents.numbers
        if type(number) is not int or ends is None or not ends[0] <= number <= ends[1]:
            raise ValueError("it names a message that the bundle does not have")
        return number

    # rows

    def _row(self, table: str, fields: Any) -> None:
        row = decoded(fields, bundles.moved_columns(table))
        if table in AFTER and self._known is None:
            self._known = self._all_numbers()
        for column, of_table in bundles.NUMBERED.items():
            if row.get(column) is not None:
                self._check_numbered(table, column, of_table, row[column])
        check = _CHECKS.get(table)
        if check is not None:
            check(row)
        if table == "threads":
            self._threads += 1
        elif table == "images":
            self._images.append(row)
        elif table == "messages":
            self._open_message(row)
        elif table == "records":
            self.contents.records += 1
        if self._target is not None:
            self._insert(self._target, table, row)

    def _check_numbered(self, table: str, column: str, of_table: str, number: int) -> None:
        if of_table == "messages":
            self._number(number)
            # a correction may have been erased since, and threads come before the messages
            if column in ("closed_by", "title_message_id"):
                return
            assert self._known is not None
            place = int(np.searchsorted(self._known, number))
            is_there = place < len(self._known) and self._known[place] == number
            if is_there == (table == "erased_messages"):
                raise ValueError("it names a message that the bundle does not have")
            return
        rows = {"threads": self._threads, "images": len(self._images), "embedders": len(self._embedders)}[of_table]
        if not 0 <= number < rows:
            raise ValueError(f"{column} names what the bundle does not have")

    def _open_message(self, row: dict[str, Any]) -> None:
        number = self._number(row["id"])
        content = row["content"]
        gaps = row["gaps"]
        if row["role"] not in _ROLES or (row["trust"] is not None and row["trust"] not in RANKS):
            raise ValueError("its role or its trust class is unknown")
        if row["chars"] != len(content) or not 0 <= row["sealed_chars"] < max(1, len(content)) or row["parts"] < 0:
            raise ValueError("its text has another length")
        if not 1 <= row["passages"] <= MAX_PASSAGES:
            raise ValueError("its passages are out of range")
        if gaps is not None and (
            not isinstance(gaps, list)
            or any(type(gap) is not int or content[gap : gap + 1] != GAP_MARK for gap in gaps)
        ):
            raise ValueError("its gaps are not marks in its text")
        if row["metadata"] is not None and not isinstance(row["metadata"], dict):
            raise ValueError("its metadata is no object")
        if self._open_numbers and number <= self._open_numbers[-1]:
            raise ValueError("its messages are not in order")
        self._open_numbers.append(number)
        self._key(row["key"], number)
        self.contents.size += len(content.encode())

    def _key(self, key: str | None, number: int) -> None:
        """Notes the public id of a message, which is on several pages or one."""
        if not key or len(key) > 200 or any(character < " " for character in key):
            raise ValueError("a message has no valid id")
        if self._keys.setdefault(key, number) != number:
            raise ValueError("two messages have the same id")

    def _insert(self, target: _Target, table: str, row: dict[str, Any]) -> None:
        values = {**row, "bank_id": target.bank_id}
        connection = target.connection
        for column, of_table in bundles.NUMBERED.items():
            if values.get(column) is not None:
                number = values[column]
                values[column] = number + target.added if of_table == "messages" else target.ids[of_table][number]
        if table in ("threads", "images"):
            if table == "images":
                digest = blobs.digest_of(digest_key(connection), target.bank_id, secrets.token_bytes(32))
                values |= {"digest": digest, "stamp": new_stamp(), "content": None}
            target.ids.setdefault(table, []).append(bundles.insert_numbered(connection, table, values))
            return
        if table == "messages":
            values["id"] += target.added
            identity = [row["role"], row["name"], row["content"]]
            exact = not row["parts"]
            values["digest"] = message_digest(digest_key(connection), identity, row["metadata"]) if exact else b""
        elif table == "quarantine":
            values["digest"] = b""
        self._batch.append(values)

    def _image_file(self, number: int, data: bytes) -> None:
        row = self._images[number - 1]
        try:
            file = ImageFile.read(data)
        except ImageRefused as error:
            raise ValueError(str(error)) from error
        if (file.media_type, file.width_px, file.height_px) != (row["media_type"], row["width"], row["height"]):
            raise ValueError("the image is not what its row says")
        if row["bytes"] != len(data):
            raise ValueError("the image has another size")
        self.contents.images += 1
        self.contents.size += len(data)
        if self._target is not None:
            target = self._target
            bundles.put_image(target.connection, target.bank_id, target.ids["images"][number - 1], data)

    # pages

    def _end_page(self) -> None:
        page = self._page
        if not page.files:
            return
        self._page = _PageFiles()
        try:
            self._write_page(page)
        except InvalidBundle:
            raise
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, TokensError, ManifestDamaged) as error:
            raise InvalidBundle(f"page {page.number} in the bundle is not valid: {error}") from error

    def _write_page(self, page: _PageFiles) -> None:
        if not page.files.keys() >= {"json", "manifest", "tokens"}:
            raise ValueError("it has not all of its files")
        fields = document("page", page.files["json"])
        entries = fields.pop("keepsakes")
        row = decoded(fields, [schema.pages.c[name] for name in bundles.PAGE_COLUMNS])
        layout = PageLayout.from_dict(row["layout"])
        cells = row["rows_used"] * layout.columns
        if not 0 < row["rows_used"] <= 10_000 or cells > 1 << 22:
            raise ValueError("its rows are out of range")
        text = page.files.get("text")
        self._check_contents(row, page.files["tokens"], text, cells)
        manifest = PageManifest.unpack(page.files["manifest"])
        self._check_manifest(manifest, cells)
        numbers = set(manifest.ids.tolist())
        keepsakes = []
        for start, stop, number, words in entries:
            ints = all(type(value) is int for value in (start, stop, number))
            if not ints or type(words) is not str or not 0 <= start < stop <= cells or number not in numbers:
                raise ValueError("its keepsakes are not in it")
            keepsakes.append({"start": start, "stop": stop, "message_id": number, "text": words})
        self.contents.pages += 1
        if self._target is not None:
            self._insert_page(self._target, row, page, manifest, keepsakes)

    def _check_contents(self, row: Mapping[str, Any], stored: bytes, text: bytes | None, cells: int) -> None:
        tokens = VisionTokens.from_bytes(stored)
        if (tokens.codec, tokens.tier, tokens.count) != (row["codec"], row["tier"], row["vision_tokens"]):
            raise ValueError("its tokens are of another codec, tier or number than its row says")
        if row["text_kept"] != (text is not None):
            raise ValueError("its kept text is missing, or not expected")
        if text:
            frame = text.removeprefix(b"\x01")
            size = zstandard.frame_content_size(frame) if frame else -1
            if not 0 <= size <= _CELL_BYTES * max(cells, 1 << 14):
                raise ValueError("its kept text expands to more than a page")
        reason = self._readable(tokens.codec, tokens.weights)
        if reason is not None:
            self.contents.unreadable[reason] = self.contents.unreadable.get(reason, 0) + 1
        self.contents.size += len(stored) + len(text or b"")

    def _check_manifest(self, manifest: PageManifest, cells: int) -> None:
        ids = manifest.ids
        ends = self.contents.numbers
        if len(ids) and (ends is None or ids.min() < ends[0] or ids.max() > ends[1]):
            raise ValueError("its manifest names a message that the bundle does not have")
        if len(np.unique(ids)) != len(ids):
            raise ValueError("its manifest has a message twice")
        threads = manifest.threads
        if len(threads) and not 0 <= threads.min() <= threads.max() < self._threads:
            raise ValueError("its manifest names a thread that the bundle does not have")
        if manifest.has_digest.any():
            raise ValueError("its manifest has digests")
        which, header, start, stop, first, last = manifest.cells.T
        inside = (header >= 0) & (header <= start) & (start <= stop) & (stop <= cells) & (first >= 0) & (first <= last)
        if not inside.all() or (len(which) and not 0 <= which.min() <= which.max() < len(ids)):
            raise ValueError("its manifest has places outside of it")
        if (last > manifest.chars[which]).any() or (manifest.chars < 0).any() or (manifest.parts < 0).any():
            raise ValueError("its manifest has messages with impossible lengths")
        if len(ids) and not 1 <= manifest.passages.min() <= manifest.passages.max() <= MAX_PASSAGES:
            raise ValueError("its manifest has passages out of range")
        for message in manifest.messages:
            if message.role not in _ROLES or (message.trust is not None and message.trust not in RANKS):
                raise ValueError("its manifest has a role or a trust class that is unknown")
            if len(message.name or "") > 200:
                raise ValueError("its manifest has a name that is too long")
            self._key(message.key, message.id)
        self._numbers.append(ids)

    def _insert_page(
        self,
        target: _Target,
        row: dict[str, Any],
        page: _PageFiles,
        manifest: PageManifest,
        keepsakes: Sequence[Mapping[str, Any]],
    ) -> None:
        connection = target.connection
        if bundles.page_keys(connection, [row["key"]]):
            row = {**row, "key": secrets.token_hex(16)}
            self.contents.renamed_pages += 1
        page_id = bundles.insert_page(connection, target.bank_id, row, page.files["tokens"], page.files.get("text"))
        threads = np.array([target.ids["threads"][number] for number in manifest.threads.tolist()], np.int64)
        moved = replace(manifest, ids=manifest.ids + target.added, threads=threads)
        moved_keepsakes = [{**row_, "message_id": row_["message_id"] + target.added} for row_ in keepsakes]
        bundles.insert_page_parts(connection, page_id, moved, secrets.randbits(62), moved_keepsakes)
        self._manifests.append(page_id)

    # index

    def _index(self, data: bytes) -> None:
        self._known = self._all_numbers() if self._known is None else self._known
        added = 0 if self._target is None else self._target.added
        segment = postings.from_bytes(data, self._known, added)
        if self._target is not None:
            span = int(message_of(segment.documents[0])), int(message_of(segment.documents[-1]))
            insert_segment(self._target.connection, self._target.bank_id, span, segment.pack())

    def _codes(self, fields: Any) -> None:
        self._known = self._all_numbers() if self._known is None else self._known
        codes = {self._number(int(number)): bytes.fromhex(code) for number, code in fields["codes"].items()}
        are_there = np.isin(np.array(list(codes), np.int64), self._known)
        if not codes or not are_there.all() or sum(map(len, codes.values())) > _MAX_CODE_BYTES << 4:
            raise ValueError("it names messages that the bundle does not have")
        embedder = fields["embedder"]
        if type(embedder) is not int or not 0 <= embedder < len(self._embedders):
            raise ValueError("it names an embedder that the bundle does not have")
        if self._target is not None:
            target = self._target
            moved = {number + target.added: code for number, code in codes.items()}
            bundles.insert_codes(
                target.connection, target.bank_id, target.ids["embedders"][embedder], moved, pack_codes(moved)
            )

    def _all_numbers(self) -> "np.ndarray[Any, Any]":
        """Returns the numbers of all messages, ascending."""
        parts = [np.zeros(0, np.int64), *self._numbers, np.array(self._open_numbers, np.int64)]
        return np.unique(np.concatenate(parts))

    def _finish(self) -> None:
        if self.contents.images != sum(1 for row in self._images if row["bytes"]):
            raise InvalidBundle("an image in the bundle has no file")
        numbers = self._all_numbers() if self._known is None else self._known
        self.contents.messages = len(numbers)
        target = self._target
        if target is None:
            return
        connection = target.connection
        bundles.insert_keys(connection, target.bank_id, {key: n + target.added for key, n in self._keys.items()})
        ids = (numbers + target.added).tolist()
        for page_id, manifest in bundles.manifests_of(connection, self._manifests):
            bundles.insert_ranges(connection, target.bank_id, page_id, manifest, ids)
        bundles.make_due(connection, target.bank_id)


def _check_thread(row: Mapping[str, Any]) -> None:
    if any(character < " " for character in row["name"]):
        raise ValueError("the name of a thread has control characters")
    if row["title"] is not None and row["title"] != one_line(row["title"]):
        raise ValueError("the title of a thread is not one line")
    if row["title_source"] not in (None, *TITLE_SOURCES) or (row["title"] is None) != (row["title_source"] is None):
        raise ValueError("the title of a thread has no known source")


def _check_person(row: Mapping[str, Any]) -> None:
    if row["messages"] < 1 or any(character < " " for character in row["name"]):
        raise ValueError("a speaker of a thread has no messages, or control characters in the name")


def _check_recent(row: Mapping[str, Any]) -> None:
    if len(row["entries"]) % ENTRY.itemsize:
        raise ValueError("its entries have another length")
    entries = np.frombuffer(row["entries"], ENTRY)
    if len(entries) and (entries["passage"].max() >= MAX_PASSAGES or entries["term"].max() >= 1 << 32):
        raise ValueError("its entries are out of range")


def _check_image(row: Mapping[str, Any]) -> None:
    if min(row["width"], row["height"], row["original_width"], row["original_height"]) < 1 or row["bytes"] < 0:
        raise ValueError("an image has no such size")


def _check_record(row: Mapping[str, Any]) -> None:
    document("record", row["value"].encode())
    if any(character < " " and character != "\x1f" for character in row["namespace"] + row["key"]):
        raise ValueError("a record has control characters in its key")


def _check_quarantine(row: Mapping[str, Any]) -> None:
    from foxing.memory.values.messages import NewMessage

    NewMessage.model_validate(document("message", row["message"].encode()))


def _check_fact(row: Mapping[str, Any]) -> None:
    if not 0 <= row["start"] < row["stop"] or row["kind"] not in (None, *KINDS):
        raise ValueError("a fact has no such range or kind")


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "threads": _check_thread,
    "thread_persons": _check_person,
    "recent_postings": _check_recent,
    "images": _check_image,
    "records": _check_record,
    "quarantine": _check_quarantine,
    "facts": _check_fact,
}


def target_of(connection: Connection, name: str) -> "Callable[[Mapping[str, Any], Contents], _Target]":
    """Returns what makes the bank of a bundle, with its full name."""

    def make(header: Mapping[str, Any], contents: Contents) -> _Target:
        added = 0
        if contents.numbers is not None:
            first, last = contents.numbers
            added = dialect_of(connection).reserve_message_block(connection, first, last - first + 1) - first
        contents.keeps_references = added == 0
        bank_id = bundles.insert_bank(connection, name, header["bank"], header["index_key"], added)
        if bank_id is None:
            raise Conflict(
                f"there is a bank '{name.rpartition('~')[2]}' already; choose another name, or merge the two"
            )
        return _Target(connection, bank_id, added)

    return make
