"""Neighbours of a message in its thread, open or sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.ascending import distinct, is_first, places_in
from foxing.memory.storage.manifest import PageMessages

from . import bank_ranges, manifests, open_threads
from .bank_ranges import Numbers


class Neighbours(NamedTuple):
    """Ids of the messages around one in its thread, nearest first on either side."""

    before: Sequence[int]
    after: Sequence[int]


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbours of some messages."""

    #: int64[m, 1 + 2·reach], by id: a message, those before it in its thread and those after it, nearest first, 0 if
    #: there is none
    rows: Numbers
    #: message id → number of passages, for those of all these messages with several
    several_passages: Mapping[int, int]

    @property
    def of(self) -> dict[int, Neighbours]:
        """Message id → its neighbours."""
        reach = self.rows.shape[1] // 2
        return {
            i: Neighbours([n for n in near[:reach] if n], [n for n in near[reach:] if n])
            for i, *near in self.rows.tolist()
        }


def around(connection: Connection, bank_id: int, ids: Sequence[int] | Numbers, reach: int) -> Neighbourhood:
    """Returns up to `reach` messages before and after each of the messages in its thread, in order of storage. Only for
    read-only transactions, see `bank_ranges.of_bank`."""
    if not len(ids):
        return Neighbourhood(np.zeros((0, 1 + 2 * reach), dtype=np.int64), {})
    return _Search(connection, bank_id, reach).around(distinct(np.asarray(ids, dtype=np.int64)))


class _Search:
    """Search for neighbours in a bank."""

    def __init__(self, connection: Connection, bank_id: int, reach: int) -> None:
        self.connection = connection
        self.reach = reach
        self.ranges = bank_ranges.of_bank(connection, bank_id)
        self.open = open_threads.of_bank(connection, bank_id)
        self.pages: dict[int, PageMessages] = {}
        #: ids of all messages on these pages, ascending; none for a page without a manifest, which `foxing db check`
        #: reports
        self.ids: Numbers = np.zeros(0, dtype=np.int64)

    def around(self, message_ids: Numbers) -> Neighbourhood:
        ids = self.open.ids
        threads = self.open.threads
        if len(self.ranges):
            sealed, of_sealed = self.ranges.messages_of(self._ranges_around(message_ids), self.ids)
            ids = np.concatenate([sealed, ids])
            threads = np.concatenate([of_sealed, threads])
            order = np.lexsort((ids, threads))
            order = order[is_first(ids[order])]  # a message that is sealed in part is in both
            ids = ids[order]
            threads = threads[order]
        rows, _ = _windows(ids, threads, message_ids, self.reach)
        return Neighbourhood(rows, self._several_passages(rows))

    def _ranges_around(self, message_ids: Numbers) -> Numbers:
        """Returns the indices of the ranges with the sealed messages among `message_ids`, and with their neighbours and
        those of open ones. Reads the ids on their pages."""
        rows, threads = _windows(self.open.ids, self.open.threads, message_ids, self.reach)
        places = self.ranges.find(message_ids)
        message_ids = message_ids[places >= 0]
        places = places[places >= 0]
        used = distinct(places)
        self._read(used)
        parts = [used, self.ranges.adjacent(distinct(places[self._at_edge(message_ids, places)]), self.reach)]
        behind = rows[:, self.reach] < self.ranges.last_messages(threads)
        pairs = zip(threads[behind].tolist(), rows[behind, 0].tolist(), strict=True)
        parts += [self.ranges.around(thread, message_id, self.reach) for thread, message_id in pairs]
        indices = distinct(np.concatenate(parts))
        self._read(indices)
        return indices

    def _at_edge(self, message_ids: Numbers, places: Numbers) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for messages so close to an end of their range that they have neighbours in other
        ranges."""
        at, first, last = (
            self.ids.searchsorted(values)
            for values in (message_ids, self.ranges.first[places], self.ranges.last[places])
        )
        return (at - first < self.reach) | (last - at < self.reach)

    def _read(self, places: Numbers) -> None:
        """Reads the ids of the messages on the pages of these ranges."""
        missing = set(self.ranges.page[places].tolist()) - self.pages.keys()
        if missing:
            read = manifests.messages_on(self.connection, missing)
            self.pages |= read
            ids = np.concatenate([self.ids, *(page.ids for page in read.values())])
            ids.sort(kind="stable")  # fast for partly sorted input
            self.ids = ids[is_first(ids)]

    def _several_passages(self, rows: Numbers) -> dict[int, int]:
        several: dict[int, int] = {}
        for page in self.pages.values():
            several |= page.several_passages
        of_open = self.open.passages > 1
        several |= zip(self.open.ids[of_open].tolist(), self.open.passages[of_open].tolist(), strict=True)
        ids_in_rows = set(rows.ravel().tolist()) if several else set()
        return {i: passages for i, passages in several.items() if i in ids_in_rows}


def _windows(ids: Numbers, threads: Numbers, message_ids: Numbers, reach: int) -> tuple[Numbers, Numbers]:
    """Returns rows of `Neighbourhood` for those of `message_ids` that are among `ids`, and the thread of each. `ids`:
    sorted by thread and id."""
    if not len(ids):
        return np.zeros((0, 1 + 2 * reach), dtype=np.int64), ids
    order = np.argsort(ids, kind="stable")
    at, is_there = places_in(ids[order], message_ids)
    message_ids = message_ids[is_there]
    at = order[at[is_there]]
    indices = at[:, None] + np.concatenate([-np.arange(1, reach + 1), np.arange(1, reach + 1)])
    inside = (indices >= 0) & (indices < len(ids))
    indices = np.where(inside, indices, 0)
    in_thread = inside & (threads[indices] == threads[at][:, None])
    return np.concatenate([message_ids[:, None], np.where(in_thread, ids[indices], 0)], axis=1), threads[at]
