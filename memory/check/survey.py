"""Survey of the messages of a bank: compares the manifests of its pages with ranges and keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.manifest import Numbers, PageManifest
from foxing.memory.storage.repositories import integrity, messages
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.integrity import ManifestRow
from foxing.memory.storage.repositories.sealed import keys, ranges

from .finding import RESTORE, Finding, chunks, in_bank

_PAGES_AT_ONCE = 64
_NAMED = 5  # pages named per problem


@dataclass
class BankSurvey:
    """Messages of a bank in one state: its open messages, and those in the manifests of its pages."""

    bank_id: int
    bank: str
    pages: int = 0
    #: int64[n], ascending, each once
    ids: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    #: Pages whose manifests cannot be used.
    unreadable: set[int] = field(default_factory=set)
    #: Ranges on these pages, first and last message, which cannot be looked up.
    hidden: Sequence[tuple[int, int]] = ()
    #: Problems of manifests, in words.
    damage: list[str] = field(default_factory=list)
    #: Pages whose ranges do not match their manifests.
    unfit: list[str] = field(default_factory=list)
    #: Id chosen by a caller → message that is not found by it.
    unindexed: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, database: Database, bank: Bank) -> "BankSurvey":
        """Reads all manifests of a bank in one transaction."""
        survey = cls(bank.id, bank.name)
        with database.read() as connection:
            threads = np.array(integrity.thread_ids(connection, bank.id), np.int64)
            ranges_by_page = integrity.ranges_by_page(connection, bank.id)
            still_open = integrity.open_keys(connection, bank.id)
            survey._add_keys(connection, still_open)
            ids = [np.fromiter(still_open, np.int64)]
            for rows in chunks(integrity.manifests(connection, bank.id), _PAGES_AT_ONCE):
                readable = survey._readable(rows, threads)
                ids += [manifest.ids for manifest in readable.values()]
                for manifest in readable.values():
                    survey._add_keys(connection, dict(zip(manifest.ids.tolist(), manifest.keys, strict=True)))
                survey._add_unfit(connection, readable, ranges_by_page)
        survey.ids = np.unique(np.concatenate(ids))
        lost = (run for page_id in survey.unreadable for run in ranges_by_page.get(page_id, ()))
        survey.hidden = [(run["first_message"], run["last_message"]) for run in lost]
        return survey

    def visible(self, ids: Iterable[int]) -> list[int]:
        """Returns the ids that can be looked up."""
        return [i for i in ids if not any(first <= i <= last for first, last in self.hidden)]

    def missing(self, connection: Connection, ids: Iterable[int]) -> list[int]:
        """Returns the ids, read in this later transaction, that belong to no message, in ascending order; empty if
        manifests are unreadable."""
        if self.unreadable:
            return []
        values = np.unique(np.fromiter(ids, np.int64))
        unseen = values[~np.isin(values, self.ids)].tolist()
        return sorted(set(unseen) - messages.by_ids(connection, self.bank_id, unseen).keys())

    def _add_keys(self, connection: Connection, keys_by_id: Mapping[int, str | None]) -> None:
        chosen = {key: message_id for message_id, key in keys_by_id.items() if key is not None}
        self.unindexed |= keys.unindexed(connection, self.bank_id, chosen)

    def _readable(self, rows: Sequence[ManifestRow], threads: Numbers) -> dict[ManifestRow, PageManifest]:
        """Usable manifests; records the problems of the others."""
        readable: dict[ManifestRow, PageManifest] = {}
        for row in rows:
            manifest = row.unpack()
            if manifest is not None and np.isin(manifest.threads, threads).all():
                readable[row] = manifest
                continue
            reason = "is damaged" if manifest is None else "names a thread that the bank does not have"
            reason = "is missing" if row.packed is None else reason
            self.unreadable.add(row.page_id)
            self.damage.append(f"the manifest of page {row.page} of bank {self.bank} {reason}; {RESTORE}")
        self.pages += len(rows)
        return readable

    def _add_unfit(
        self,
        connection: Connection,
        readable: Mapping[ManifestRow, PageManifest],
        ranges_by_page: Mapping[int, Sequence[dict[str, int]]],
    ) -> None:
        """Records pages whose ranges are not as they would be written, or whose messages would be found elsewhere."""
        ids = {i for manifest in readable.values() for i in manifest.ids.tolist()}
        pages = ranges.pages_of(connection, self.bank_id, ids)
        for row, manifest in readable.items():
            stored = ranges_by_page.get(row.page_id, [])
            # messages between two ranges may have been erased since
            others = [run["first_message"] - 0.5 for run in stored]
            written = list(ranges.of_manifest(manifest, sorted([*manifest.ids.tolist(), *others])))
            if written != stored or any(row.page_id not in pages.get(i, ()) for i in manifest.ids.tolist()):
                self.unfit.append(row.page)


def check_manifests(survey: BankSurvey) -> Iterator[Finding]:
    """Finds pages whose manifest cannot be read or names a thread that the bank does not have."""
    return map(Finding, survey.damage)


def check_lookup(database: Database, survey: BankSurvey) -> Iterator[Finding]:
    """Finds messages that are not found on their pages, or by the ids that callers chose."""
    bank_id = survey.bank_id
    bank = survey.bank
    if survey.unfit:
        pages = ", ".join(survey.unfit[:_NAMED]) + (", …" if len(survey.unfit) > _NAMED else "")
        yield Finding(
            f"messages on {len(survey.unfit)} pages of bank {bank} would not be found there ({pages}): ranges do not "
            "fit manifests",
            in_bank(database, bank_id, partial(integrity.rebuild_ranges, bank_id=bank_id)),
        )
    if survey.unindexed:
        yield Finding(
            f"{len(survey.unindexed)} messages of bank {bank} would not be found by their ids",
            in_bank(database, bank_id, lambda c: keys.add(c, bank_id, keys.unindexed(c, bank_id, survey.unindexed))),
        )
