"""What of a message goes into the index, and what of it stays there when pages fade."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from foxing.memory.pages.content import PageState
from foxing.memory.pages.message_parts import RememberedMessage
from foxing.memory.storage.repositories import index, messages, pages
from foxing.memory.text.terms import term_runs, terms

from .assemble import MessageAssembler


def remembered_terms(message: RememberedMessage, name: str | None) -> Counter[str]:
    """The words of a message that can still be read, those without a flagged character, and its speaker's name."""
    doubtful = np.concatenate([[0], np.cumsum(message.flagged)])
    counts = terms(name or "")
    for term, start, stop in term_runs(message.text):
        if doubtful[stop] == doubtful[start]:
            counts[term] += 1
    return counts


def reindex(
    connection: Connection,
    bank_id: int,
    assembler: MessageAssembler,
    message_ids: Collection[int],
    states: Mapping[int, PageState],
) -> None:
    """Leaves of these messages only the words that the memory can still read. `states`: pages as they are read now,
    instead of what the decoder would find. A message that is still open is exact, whatever became of its pages; one of
    which a part could not be read this time keeps the words it has."""
    found = messages.by_ids(connection, sorted(message_ids))
    sealed = [message for message in found.values() if not message.open]
    remembered = assembler.messages(connection, sealed, states)
    read = {i: item for i, item in remembered.items() if not item.failed}
    index.replace(connection, bank_id, {i: remembered_terms(item, found[i].name) for i, item in read.items()})


def read_ahead(
    connection: Connection, assembler: MessageAssembler, message_ids: Collection[int], known: Collection[int]
) -> None:
    """Decodes what `reindex` will need of pages other than `known`, so that it need not while it holds the write lock:
    a message may stand on several pages."""
    parts = pages.spans_of_messages(connection, sorted(message_ids))
    elsewhere = [i for i, spans in parts.items() if any(span.page_id not in known for span in spans)]
    found = messages.by_ids(connection, elsewhere)
    assembler.messages(connection, [replace(message, open=False) for message in found.values()])
