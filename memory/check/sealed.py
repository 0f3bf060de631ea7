"""Checks of what finds sealed messages: the manifests of pages, ranges, keys, and the ids that are given next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.manifest import Numbers, PageManifest
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import sealed
from foxing.memory.storage.repositories.integrity.sealed import KeyRow, ManifestRow
from foxing.memory.storage.repositories.sealed import keys, ranges

from .problem import Problem, in_bank, in_one

_RESTORE = "restore a backup"
_PAGES_AT_ONCE = 64
_KEYS_AT_ONCE = 5_000
_NAMED = 5  # pages that a problem names


@dataclass(frozen=True)
class BankSurvey:
    """The messages of a bank as its open messages and the manifests of its pages had them at one moment."""

    bank_id: int
    bank: str
    pages: int
    #: int64[n], ascending, each once
    ids: Numbers
    #: int64[k, 2], hash and message of every id that a caller chose
    keys: Numbers
    #: Pages whose manifests cannot be used.
    unreadable: frozenset[int]
    #: MessageRanges on these pages, first and last message: they cannot be looked up.
    hidden: Sequence[tuple[int, int]]
    #: Check → what is wrong.
    problems: Mapping[str, Sequence[Problem]]

    @property
    def newest(self) -> int:
        """No message had a higher id."""
        return max([*self.ids[-1:].tolist(), *(last for _, last in self.hidden)], default=0)

    def visible(self, ids: Iterable[int]) -> list[int]:
        """Those of the ids that can be looked up."""
        return [i for i in ids if not any(first <= i <= last for first, last in self.hidden)]

    def missing(self, connection: Connection, ids: Iterable[int]) -> list[int]:
        """Those of the ids, read in this later transaction, that are no message's, ascending; none where that cannot
        be told."""
        if self.unreadable:
            return []
        given = np.unique(np.fromiter(ids, np.int64))
        unseen = given[~np.isin(given, self.ids)].tolist()
        return sorted(set(unseen) - messages.by_ids(connection, self.bank_id, unseen).keys())


@dataclass
class _Survey:
    """What is gathered of a bank."""

    bank: Bank
    threads: npt.NDArray[np.int64]
    range_counts: Mapping[int, int]
    pages: int = 0
    ids: list[Numbers] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)
    lacking: dict[str, int] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)
    damage: list[Problem] = field(default_factory=list)
    #: Pages whose ranges do not fit.
    unfit: list[str] = field(default_factory=list)

    def add_keys(self, connection: Connection, found: Mapping[int, str | None]) -> None:
        chosen = {key: message_id for message_id, key in found.items() if key is not None}
        self.keys += [(keys.hash_of(self.bank.id, key), message_id) for key, message_id in chosen.items()]
        self.lacking |= keys.lacking(connection, self.bank.id, chosen)

    def add_pages(self, connection: Connection, rows: Sequence[ManifestRow]) -> None:
        readable: dict[ManifestRow, PageManifest] = {}
        for row in rows:
            manifest = row.unpack()
            if manifest is not None and np.isin(manifest.threads, self.threads).all():
                readable[row] = manifest
                continue
            self.unreadable.add(row.page_id)
            reason = "is damaged" if manifest is None else "names a thread that the bank does not have"
            reason = "is missing" if row.packed is None else reason
            self.damage.append(
                Problem(f"the manifest of page {row.page} of bank {self.bank.name} {reason}; {_RESTORE}")
            )
        self.pages += len(rows)
        self.ids += [manifest.ids for manifest in readable.values()]
        for manifest in readable.values():
            self.add_keys(connection, dict(zip(manifest.ids.tolist(), manifest.keys, strict=True)))
        if readable:
            self._add_unfit(connection, readable)

    def _add_unfit(self, connection: Connection, readable: Mapping[ManifestRow, PageManifest]) -> None:
        """Notes the pages whose messages would not be found, or be found elsewhere."""
        ids = np.unique(np.concatenate([manifest.ids for manifest in readable.values()]))
        found = ranges.of_messages(connection, self.bank.id, ids.tolist())
        low, high = (int(ids[0]), int(ids[-1])) if len(ids) else (0, 0)
        of_pages = sealed.ranges_between(connection, self.bank.id, [row.page_id for row in readable], low, high)
        for row, manifest in readable.items():
            number = self.range_counts.get(row.page_id, 0)
            if not _fits(row.page_id, manifest, of_pages.get(row.page_id, []), number, found):
                self.unfit.append(row.page)


def _fits(
    page_id: int,
    manifest: PageManifest,
    of_page: Sequence[ranges.MessageRange],
    number: int,
    found: Mapping[int, Sequence[ranges.MessageRange]],
) -> bool:
    """Whether the ranges of a page are those of its manifest. `of_page`: its ranges that begin near its messages;
    `number`: of all its ranges; `found`: message → the ranges that it is found by."""
    ends = {end for run in of_page for end in (run.first, run.last)}
    if len(of_page) != number or not ends <= manifest.place_of.keys():
        return False
    begun = np.unique(manifest.cells[manifest.cells[:, 4] == 0, 0])
    if sum(run.messages for run in of_page) != len(begun):
        return False
    there = zip(manifest.ids.tolist(), manifest.threads.tolist(), strict=True)
    return all(
        any(run.page_id == page_id and run.thread_id == thread for run in found.get(message_id, ()))
        for message_id, thread in there
    )


class SealedChecks:
    """Surveys banks, and compares with what it saw what belongs to no bank by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._surveys: list[tuple[Numbers, Numbers]] = []
        self._newest = 0
        self._complete = True

    @property
    def note(self) -> str | None:
        """Why keys without a message are not looked for, if they are not."""
        return None if self._complete else "some manifests cannot be read: keys without a message were not looked for"

    def survey(self, bank: Bank) -> BankSurvey:
        """Reads all manifests of a bank, at one moment."""
        with self._database.read() as connection:
            threads = np.array(sealed.thread_ids(connection, bank.id), np.int64)
            gathered = _Survey(bank, threads, sealed.range_counts(connection, bank.id))
            still_open = sealed.open_keys(connection, bank.id)
            gathered.ids.append(np.fromiter(still_open, np.int64))
            gathered.add_keys(connection, still_open)
            rows = sealed.manifests(connection, bank.id)
            while part := list(islice(rows, _PAGES_AT_ONCE)):
                gathered.add_pages(connection, part)
            unreadable = sealed.ranges_of_pages(connection, bank.id, gathered.unreadable)
        result = BankSurvey(
            bank.id,
            bank.name,
            gathered.pages,
            np.unique(np.concatenate(gathered.ids)),
            np.array(gathered.keys, np.int64).reshape(-1, 2),
            frozenset(gathered.unreadable),
            [(run.first, run.last) for run in unreadable],
            {
                "page-manifests": gathered.damage,
                "message-ranges": list(self._unfit(gathered)),
                "message-keys": list(self._lacking(gathered)),
            },
        )
        self._surveys.append((result.ids, result.keys))
        self._newest = max(self._newest, result.newest)
        self._complete = self._complete and not result.unreadable
        return result

    def _unfit(self, gathered: _Survey) -> Iterator[Problem]:
        if gathered.unfit:
            pages = ", ".join(gathered.unfit[:_NAMED]) + (", …" if len(gathered.unfit) > _NAMED else "")
            bank = gathered.bank
            yield Problem(
                f"messages on {len(gathered.unfit)} pages of bank {bank.name} would not be found there ({pages}): "
                "ranges do not fit manifests",
                in_bank(self._database, bank.id, partial(sealed.rebuild_ranges, bank_id=bank.id)),
            )

    def _lacking(self, gathered: _Survey) -> Iterator[Problem]:
        if gathered.lacking:
            bank_id, lacking = gathered.bank.id, gathered.lacking
            yield Problem(
                f"{len(lacking)} messages of bank {gathered.bank.name} would not be found by their ids",
                in_bank(self._database, bank_id, lambda c: keys.add(c, bank_id, keys.lacking(c, bank_id, lacking))),
            )

    def foreign_ranges(self) -> Iterator[Problem]:
        """Ranges of a page of another bank. Its own bank gets them back when ranges are compared with manifests."""
        with self._database.read() as connection:
            number = sealed.count_foreign_ranges(connection)
        if number:
            yield Problem(
                f"{number} ranges are of a page of another bank", in_one(self._database, sealed.delete_foreign_ranges)
            )

    def lost_keys(self) -> Iterator[Problem]:
        """Keys without a message; once all banks are surveyed."""
        if not self._complete:
            return
        ids = np.unique(np.concatenate([np.zeros(0, np.int64), *(of_bank for of_bank, _ in self._surveys)]))
        known = np.concatenate([np.zeros((0, 2), np.int64), *(of_bank for _, of_bank in self._surveys)])
        known = known[np.argsort(known[:, 0], kind="stable")]
        after: KeyRow | None = None
        while True:
            with self._database.read() as connection:
                found = sealed.keys_after(connection, after, _KEYS_AT_ONCE)
                lost = self._lost(connection, found, known, ids)
            if not found:
                return
            after = found[-1]
            if lost:
                repair = in_one(self._database, partial(sealed.delete_keys, rows=lost))
                yield Problem(f"{len(lost)} ids that callers chose are those of no message", repair)

    def _lost(self, connection: Connection, found: Sequence[KeyRow], known: Numbers, ids: Numbers) -> list[KeyRow]:
        if not found:
            return []
        start = np.searchsorted(known[:, 0], found[0].hash)
        stop = np.searchsorted(known[:, 0], found[-1].hash, side="right")
        expected = {KeyRow(*row) for row in known[start:stop].tolist()}
        suspects = [row for row in found if row not in expected]
        unseen = {row.message_id for row in suspects} - set(
            ids[np.isin(ids, [r.message_id for r in suspects])].tolist()
        )
        stored_since = sealed.existing(connection, unseen) if unseen else set()
        return [row for row in suspects if row.message_id not in stored_since]

    def next_id(self) -> Iterator[Problem]:
        """That no message gets an id that another has had; once all banks are surveyed."""
        with self._database.read() as connection:
            following = dialect_of(connection).next_message_id(connection)
        if following <= self._newest:
            yield Problem(
                f"the next message would get id {following}, and there is one with id {self._newest}",
                in_one(self._database, partial(_raise_next_id, above=self._newest)),
            )

    def recall_weights(self, survey: BankSurvey) -> Iterator[Problem]:
        """Rehearsals of messages that do not exist."""
        after = 0
        while True:
            with self._database.read() as connection:
                found = sealed.weights_after(connection, survey.bank_id, after, 4096)
                lost = survey.missing(connection, found)
            if not found:
                return
            after = found[-1]
            if lost:
                remove = partial(sealed.delete_recall_weights, bank_id=survey.bank_id, ids=lost)
                yield Problem(
                    f"{len(lost)} recall weights of bank {survey.bank} are of messages that do not exist",
                    in_bank(self._database, survey.bank_id, remove),
                )


def _raise_next_id(connection: Connection, above: int) -> bool:
    """Has the next message get an id above this one; whether it would not have."""
    dialect = dialect_of(connection)
    if dialect.next_message_id(connection) > above:
        return False
    dialect.set_last_message_id(connection, above)
    return True
