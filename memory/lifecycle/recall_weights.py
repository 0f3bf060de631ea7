"""Recall weights: counts of recalled messages, kept in memory and written later, so that recall takes no write lock."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from threading import Lock

from foxing.memory.access import Access
from foxing.memory.errors import Closed, NotFound, StorageError
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, recall_weights
from foxing.memory.values.messages import MessageInfo, RecalledMessage
from foxing.memory.values.recall import RecalledImages, RecallResult

MAX_WAITING = 10_000  # cap on messages with unwritten counts; further ones are not counted until these are written

log = logging.getLogger(__name__)


class RecallWeights:
    """Recall weights of a memory. Safe to share between threads.

    The first match of an answer counts 1, the second 1/2, the third 1/3 and so on, because matches far down are seldom
    relevant. Unwritten counts are lost if the process is killed.
    """

    def __init__(self, database: Database, *, enabled: bool) -> None:
        """`enabled`: True to count recalls; existing weights are read either way."""
        self._database = database
        self._enabled = enabled
        self._lock = Lock()
        #: (bank, message key) → weight to add
        self._waiting: dict[tuple[str, str], float] = {}

    def record(self, bank: str, result: RecallResult, now: datetime) -> None:
        """Counts the matches of an answer. A recall by time window alone has none, and neighbours do not count."""
        self.record_keys(bank, (span.message_id for span in result.spans if span.score is not None), now)

    def record_images(self, bank: str, words: str, result: RecalledImages, now: datetime) -> None:
        """Counts the matches of an answer with page images. `words`: the query without its time expressions."""
        if words.strip():
            keys = [key for image in result.images for key in image.message_ids]
            self.record_keys(bank, [*keys, *(span.message_id for span in result.open_spans)], now)

    def record_keys(self, bank: str, keys: Iterable[str], now: datetime) -> None:
        """Counts matches by message key, best first; repeated keys count once."""
        if not self._enabled:
            return
        bank = Access.current().full_name(bank)  # they are written for callers of all tenants together
        weight = recall_weights.weight_at(now)
        with self._lock:
            for rank, key in enumerate(dict.fromkeys(keys), 1):
                message = (bank, key)
                if message in self._waiting or len(self._waiting) < MAX_WAITING:
                    self._waiting[message] = self._waiting.get(message, 0.0) + weight / rank

    def info(self, bank: str, message: RecalledMessage, keepsakes: list[str], now: datetime) -> MessageInfo:
        """Returns a message with its keepsakes and its recall weight as of `now`, unwritten counts included."""
        bank = Access.current().full_name(bank)
        with self._lock:
            waiting = self._waiting.get((bank, message.message_id), 0.0)
        strength = waiting / recall_weights.weight_at(now)
        with self._database.read() as connection:
            bank_row = banks.find(connection, bank)
            if bank_row is not None:
                ids = [row.id for row in messages.by_keys(connection, bank_row.id, [message.message_id]).values()]
                strength += sum(recall_weights.strengths(connection, bank_row.id, ids, now).values())
        return MessageInfo.model_validate(
            {**dict(message), "keepsakes": keepsakes, "recall_weight": round(strength, 3)}
        )

    def write(self) -> int:
        """Writes the counts since the last call. Returns the number of messages. Counts that cannot be written now,
        because the database is read-only or locked for long, are kept for the next call."""
        with self._lock:
            waiting = self._waiting
            self._waiting = {}
        if not waiting:
            return 0
        by_bank: dict[str, dict[str, float]] = {}
        for (bank, key), weight in waiting.items():
            by_bank.setdefault(bank, {})[key] = weight
        try:
            with self._database.write() as connection:
                existing = [(row.id, keys) for name, keys in by_bank.items() if (row := banks.find(connection, name))]
                written = 0
                for bank_id, keys in sorted(existing, key=lambda item: item[0]):  # in a fixed order, to avoid deadlocks
                    with suppress(NotFound):  # the bank was erased
                        banks.lock(connection, bank_id)  # keeps the messages from being erased meanwhile
                        written += recall_weights.add(connection, bank_id, keys)
                return written
        except Closed:
            return 0
        except StorageError as error:
            log.info("recall weights could not be written yet: %s", error)
            self._put_back(waiting)
            return 0

    def _put_back(self, waiting: dict[tuple[str, str], float]) -> None:
        with self._lock:
            for message, weight in waiting.items():
                self._waiting[message] = self._waiting.get(message, 0.0) + weight
