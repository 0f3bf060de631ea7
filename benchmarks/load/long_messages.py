"""Recall over HTTP from a bank of long messages that is aged, erased, undone and packed, and traces left by erasure."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from benchmarks.command_line import Advance
from foxing.memory import Forgotten, Memory
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.postings import Postings
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.packed_codes import unpack_codes
from foxing.memory.storage.repositories import banks, messages, pages, postings
from foxing.memory.text.passages import message_of, split_passages
from foxing.memory.text.terms import terms

from . import texts
from .banks import BANK, BATCH, database_path, place_of
from .processes import FoxingProcess, Service, client

DAYS = 600  # between the oldest and the newest message
PASSAGE_CHARS = 340  # of a paragraph that forms a passage of its own
SHORT_CHARS = 60  # of a message of one passage
MOST_PASSAGES = 40
CLIENTS = 2
ERASED_AT_ONCE, STORED_AT_ONCE, UNDONE_AT_ONCE = 5, 40, 8
PIECES, PIECE = 8, 24  # pieces of a blob that are searched for, and their length in bytes
_LETTERS = "bcdfghjklmnpqrtvwxz"
_WORD_LETTERS = 8


@dataclass(frozen=True)
class LongMessages:
    """Results of recalls and erasures on SQLite."""

    messages: int
    passages: int
    pages: int
    segments: int
    #: number of changes during the recalls, by kind
    changes: dict[str, int]
    recalls: int
    #: responses with a status of 500 or more
    server_errors: int
    #: responses that show a message erased before the request
    erased_shown: int
    #: erased messages, and their passages
    erased: int
    erased_passages: int
    #: traces of the erased messages: postings, words in the index, vectors, and pieces in the files of the database and
    #: the service
    postings_left: int
    words_left: int
    vectors_left: int
    pieces_left: int
    #: result of `foxing db check --all` before and after the changes
    sound_before: bool
    sound_after: bool
    faults: list[str]


class _LongBank:
    """Expected content of the bank. Every passage has a word that occurs nowhere else."""

    def __init__(self, folder: Path, seed: int, several: float) -> None:
        self.folder = folder
        self.several = several
        self.random = Random(seed)
        self.now = datetime.now(UTC)
        self.memory = Memory(place_of(folder), clock=lambda: self.now)
        #: message id → the words of its passages
        self.held: dict[str, list[str]] = {}
        self.erased: dict[str, list[str]] = {}
        self.changes: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self._numbers, self._words = count(), count()

    def store(self, number: int, oldest: timedelta) -> None:
        """Stores `number` messages with times between `oldest` ago and now."""
        given: list[dict[str, Any]] = []
        for place in range(number):
            words = [_word(next(self._words)) for _ in range(self._passages())]
            chars = PASSAGE_CHARS if len(words) > 1 else SHORT_CHARS
            content = "\n\n".join(f"{texts.message(self.random, chars)} {word}" for word in words)
            assert len(split_passages(content)) <= len(words)
            key = f"m{next(self._numbers)}"
            at = self.now - oldest * (1 - place / number)
            given.append({"id": key, "role": "user", "content": content, "created_at": at})
            self.held[key] = words
        for start in range(0, number, BATCH):
            self.memory.store(BANK, given[start : start + BATCH])

    def _passages(self) -> int:
        """Number of passages of a message. One in eight messages of several passages fills a large part of a page, or
        more."""
        if self.random.random() >= self.several:
            return 1
        return self.random.randint(6, MOST_PASSAGES) if self.random.random() < 1 / 8 else self.random.randint(2, 5)

    def change(self, asking: "_Asking") -> None:
        """Makes a random change of the kinds that users and the scheduler make."""
        kind = self.random.choice(("age", "erase", "erase", "undo", "pack"))
        self.changes[kind] += 1
        if kind == "age":
            self.now += timedelta(days=self.random.choice((1, 7, 30)))
            self.memory.age(BANK)
        elif kind == "undo":
            listed = [page.id for page in self.memory.pages(BANK, limit=500).pages]
            for page in self.random.sample(listed, min(UNDONE_AT_ONCE, len(listed))):
                with suppress(Forgotten):
                    self.memory.undo(BANK, page=page)
                self.memory.unpin(BANK, page)
        elif kind == "pack":
            self.store(STORED_AT_ONCE, timedelta(days=5))
            self.memory.seal(BANK)
        else:
            self.erase(asking)

    def erase(self, asking: "_Asking") -> None:
        """Erases messages, half of them of several passages, and counts their traces."""
        long = [key for key, words in self.held.items() if len(words) > 1]
        keys = {self.random.choice(long if n % 2 == 0 and long else list(self.held)) for n in range(ERASED_AT_ONCE)}
        with Database(place_of(self.folder)) as database:
            with database.read() as connection:
                bank_id = banks.get(connection, BANK).id
                ids = {message.id for message in messages.by_keys(connection, bank_id, sorted(keys)).values()}
                spans = pages.spans_of_messages(connection, bank_id, ids)
                page_ids = {span.page_id for parts in spans.values() for span in parts}
                before = _blobs(connection, page_ids)
            for key in sorted(keys):
                self.memory.erase_message(BANK, key)
                self.erased[key] = self.held.pop(key)
            words = [word for key in keys for word in self.erased[key]]
            with asking.paused():
                database.purge_deleted()  # as the scheduler does once no reader needs it
                with database.read() as connection:
                    self._count_rows(connection, bank_id, ids, words)
                    now = b"".join(_blobs(connection, page_ids))
                pieces = {blob[at : at + PIECE] for blob in before for at in _places(blob)}
                gone = [piece for piece in pieces if piece not in now] + [word.encode() for word in words]
                path = database_path(self.folder)
                for file in (path, Path(f"{path}-wal"), *self.folder.glob("*.log")):
                    content = file.read_bytes() if file.exists() else b""
                    self.left["pieces"] += sum(piece in content for piece in gone)

    def _count_rows(self, connection: Connection, bank_id: int, ids: Collection[int], words: Sequence[str]) -> None:
        recent = [message_id for message_id, _ in postings.recent(connection, bank_id)]
        stored = postings.packed(connection, [segment.id for segment in postings.segments(connection, bank_id)])
        packed = [message_of(Postings.unpack(data).records["document"]) for data in stored.values()]
        self.left["postings"] += int(np.isin(np.concatenate([*packed, np.array(recent, np.int64)]), list(ids)).sum())
        counted = [term for word in words for term in terms(word)]
        self.left["words"] += len(PackedIndex().document_frequencies(connection, bank_id, counted))
        query = select(schema.embedding_segments.c.codes).where(schema.embedding_segments.c.bank_id == bank_id)
        coded = {i for data in connection.execute(query).scalars() for i in unpack_codes(data)}
        coded |= set(connection.execute(select(schema.embeddings.c.message_id)).scalars())
        self.left["vectors"] += len(coded.intersection(ids))


class _Asking:
    """Clients that recall until `recalls` recalls were made."""

    def __init__(self, bank: _LongBank, url: str, recalls: int, progress: Advance | None) -> None:
        self.bank = bank
        self.url = url
        self.recalls = recalls
        self.progress = progress
        self.asked = self.erased_shown = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._running = threading.Semaphore(CLIENTS)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Holds back requests while the context is open."""
        for _ in range(CLIENTS):
            self._running.acquire()
        try:
            yield
        finally:
            self._running.release(CLIENTS)

    def ask(self, seed: int) -> None:
        random = Random(seed)
        with client(self.url) as connection:
            body: dict[str, Any] = {}
            while self._next():
                body = body if body.get("cursor") else self._body(random)
                with self._running:
                    erased = set(self.bank.erased)
                    response = connection.post(f"/v1/banks/{BANK}/recall", json=body)
                if response.status_code >= 500:
                    self.failures.append(f"{response.status_code} {response.text[:200]}")
                found = response.json() if response.is_success else {}
                if erased & {span["message_id"] for span in found.get("spans", ())}:
                    self.erased_shown += 1
                follows = random.random() < 0.6 and found.get("next_cursor")
                body = {**body, "cursor": found["next_cursor"]} if follows else {}

    def _next(self) -> bool:
        with self._lock:
            if self.asked == self.recalls:
                return False
            self.asked += 1
            if self.progress is not None:
                self.progress(self.asked, self.recalls)
            return True

    def _body(self, random: Random) -> dict[str, Any]:
        """Request for frequent words, for words of a stored or erased message, or for a time window."""
        body: dict[str, Any] = {"limit": random.randint(1, 5)}
        kind = random.random()
        if kind < 0.4:
            body["query"] = texts.query(random)
        elif kind < 0.9:
            of = self.bank.erased if kind > 0.8 and self.bank.erased else self.bank.held
            words = of[random.choice(list(of))]
            body["query"] = " ".join(random.sample(words, min(3, len(words))))
        else:
            since = self.bank.now - timedelta(days=random.randint(1, DAYS))
            body |= {"since": since.isoformat(), "until": (since + timedelta(days=9)).isoformat()}
        if "query" in body and random.random() < 0.3:
            body["neighbours"] = random.randint(1, 5)
        if random.random() < 0.2:
            body["max_tokens"] = random.choice((1, 100, 1_000))
        return body


def measure_long_messages(
    folder: Path, number: int, recalls: int, *, several: float, seed: int = 1, progress: Advance | None = None
) -> LongMessages:
    """Fills a bank with `number` messages and sends `recalls` recalls to a service while this process changes the bank.
    Returns the results. `several`: share of the messages with several passages."""
    bank = _LongBank(folder, seed, several)
    with bank.memory as memory:
        memory.set_policy(BANK, {"undo_window": "P60D", "seal_after": "P1000D", "age_from": "message"})
        bank.store(number, timedelta(days=DAYS))
        memory.seal(BANK)
        sound_before = _is_sound(folder)
        with Service(folder, environment={"FOXING_AGEING_ENABLED": "false"}) as service:
            asking = _Asking(bank, service.url(), recalls, progress)
            with ThreadPoolExecutor(CLIENTS) as pool:
                clients = [pool.submit(asking.ask, seed + n) for n in range(CLIENTS)]
                while not all(asked.done() for asked in clients) or not bank.changes["erase"]:
                    bank.change(asking)
            for asked in clients:
                asked.result()
        info = memory.bank(BANK)
    with Database(place_of(folder)) as database, database.read() as connection:
        segments = len(postings.segments(connection, banks.get(connection, BANK).id))
    sound_after = _is_sound(folder)
    return LongMessages(
        messages=info.messages,
        passages=sum(map(len, bank.held.values())),
        pages=info.pages,
        segments=segments,
        changes=dict(sorted(bank.changes.items())),
        recalls=asking.asked,
        server_errors=len(asking.failures),
        erased_shown=asking.erased_shown,
        erased=len(bank.erased),
        erased_passages=sum(map(len, bank.erased.values())),
        postings_left=bank.left["postings"],
        words_left=bank.left["words"],
        vectors_left=bank.left["vectors"],
        pieces_left=bank.left["pieces"],
        sound_before=sound_before,
        sound_after=sound_after,
        faults=sorted(set(asking.failures))[:5],
    )


def _is_sound(folder: Path) -> bool:
    with FoxingProcess(folder, "db", "check", "--all", "--json", database=place_of(folder)) as process:
        return process.run() == 0


def _word(number: int) -> str:
    letters = []
    for _ in range(_WORD_LETTERS):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)


def _blobs(connection: Connection, page_ids: Collection[int]) -> list[bytes]:
    """Tokens and texts of pages, and of their entries in the trash."""
    contents, basket = schema.page_contents.c, schema.trash.c
    rows = [
        *connection.execute(select(contents.tokens, contents.text).where(contents.page_id.in_(page_ids))),
        *connection.execute(select(basket.tokens, basket.text).where(basket.page_id.in_(page_ids))),
    ]
    return [value for row in rows for value in row if value is not None]


def _places(blob: bytes) -> Sequence[int]:
    """Offsets of pieces of a blob, from its end: the part before an erased message on a page is encoded as before."""
    return range(len(blob) - PIECE, 0, -max(1, len(blob) // PIECES))
