"""Which words of a message are in the index, and removing those that can no longer be read."""

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
    """Index terms of a message with their counts: those of its words that hold no flagged character, and those of
    `name`, its speaker."""
    flagged_before = np.concatenate([[0], np.cumsum(message.flagged)])
    counts = terms(name or "")
    for term, start, stop in term_runs(message.text):
        if flagged_before[stop] == flagged_before[start]:
            counts[term] += 1
    return counts


def reindex(
    connection: Connection,
    bank_id: int,
    assembler: MessageAssembler,
    message_ids: Collection[int],
    states: Mapping[int, PageState],
) -> None:
    """Replaces the index entries of messages by the words that can still be read.

    `states`: page id → state to use instead of reading the page. Open messages keep their entries, because their text
    is exact, and so do messages of which a part could not be read this time.
    """
    found = messages.by_ids(connection, sorted(message_ids))
    sealed = [message for message in found.values() if not message.open]
    remembered = assembler.assemble(connection, sealed, states)
    read = {i: item for i, item in remembered.items() if not item.failed}
    index.replace(connection, bank_id, {i: remembered_terms(item, found[i].name) for i, item in read.items()})


def read_ahead(
    connection: Connection, assembler: MessageAssembler, message_ids: Collection[int], known: Collection[int]
) -> None:
    """Decodes and caches the pages, other than those in `known`, that `reindex` will read for these messages, so that
    it does not decode while it holds the write lock."""
    parts = pages.spans_of_messages(connection, sorted(message_ids))
    elsewhere = [i for i, spans in parts.items() if any(span.page_id not in known for span in spans)]
    found = messages.by_ids(connection, elsewhere)
    assembler.assemble(connection, [replace(message, open=False) for message in found.values()])
