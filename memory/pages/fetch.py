"""Fetching messages by their references."""

from collections.abc import Sequence
from datetime import datetime

from foxing.memory.errors import Forgotten, InvalidInput, NotFound
from foxing.memory.references import message_id_of, normalized
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, expiries, messages
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import MAX_REFS, FetchResult, MissingReference, reference_list

from .assembler import MessageAssembler, StoredMessages
from .message_parts import recalled_message

ERASED = "the message of the reference {ref} in bank '{bank}' was erased"
UNKNOWN = (
    "no message in bank '{bank}' has had the reference {ref}; it may have been misread on a page image, or belong to "
    "another bank"
)


class Fetcher:
    """Returns the complete messages of references."""

    def __init__(self, database: Database, assembler: MessageAssembler, gap_mark: str = TEXT_GAP_MARK) -> None:
        """`gap_mark`: the gap mark in the texts."""
        self.database = database
        self.assembler = assembler
        self.gap_mark = gap_mark

    def fetch(self, bank_name: str, refs: str | Sequence[str], now: datetime) -> FetchResult:
        """See `Memory.fetch`."""
        references = reference_list(refs)
        if not 1 <= len(references) <= MAX_REFS:
            raise InvalidInput(f"fetch takes 1 to {MAX_REFS} references, not {len(references)}")
        plain_refs = {ref: normalized(ref) for ref in references}
        ids = {ref: number for ref, plain in plain_refs.items() if (number := message_id_of(plain)) is not None}
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            bank_id = bank.id
            expired = expiries.expired(connection, bank, now)
            rows = messages.by_ids(connection, bank_id, set(ids.values()) - expired)
            by_ref = {row.ref: row for row in rows.values() if row.ref in plain_refs.values()}
            stored = StoredMessages.fetch(connection, bank_id, list(by_ref.values()))
            erased = expired | messages.erased(connection, bank_id, set(ids.values()) - rows.keys())
        missing = [
            MissingReference(ref=ref, reason="erased" if ids.get(ref) in erased else "unknown")
            for ref, plain in plain_refs.items()
            if plain not in by_ref
        ]
        if not by_ref:
            self._refuse(bank_name, missing)
        remembered = self.assembler.assemble(stored)
        ids_asked_for = dict.fromkeys(by_ref[plain].id for plain in plain_refs.values() if plain in by_ref)
        read = (recalled_message(rows[number], remembered[number]) for number in ids_asked_for)
        return FetchResult(messages=[message.with_gap_mark(self.gap_mark) for message in read], missing=missing)

    def _refuse(self, bank_name: str, missing: Sequence[MissingReference]) -> None:
        """Raises `Forgotten` if the messages of all references were erased, else `NotFound`."""
        unknown = [item for item in missing if item.reason == "unknown"]
        if unknown:
            raise NotFound(UNKNOWN.format(ref=f"'{unknown[0].ref}'", bank=bank_name))
        raise Forgotten(ERASED.format(ref=f"'{missing[0].ref}'", bank=bank_name))
