"""Index terms and embeddings of messages, and removal of words that have faded.

By default the index recognises a message by rare words that have faded and by the embedding of all that was said; with
the policy `index: "faded"` it holds only what can still be read. Terms and codes are computed before the transaction
that changes the pages, so that nothing is decoded under the write lock. The transaction writes them only if their
inputs are unchanged.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import MessageCodes, spoken
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, images, messages, pages, threads
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageRow, SpanRow
from foxing.memory.storage.repositories.sealed.changes import set_passages
from foxing.memory.storage.repositories.sealed.lookup import messages_on
from foxing.memory.text.passages import Passage, split_passages
from foxing.memory.text.speakers import name_terms
from foxing.memory.text.terms import is_unspaced, term_runs
from foxing.memory.text.titles import request_title
from foxing.memory.values.part_text import label_of
from foxing.memory.values.policy import RARE_MESSAGES, stored_policy

from .assembler import MessageAssembler, StoredMessages
from .message_parts import RememberedMessage
from .ready_page import PageChange, ReadyPage

#: Characters of the text in an image that are embedded: the embedding of more says less of each.
EMBEDDED_CHARS = 600
#: Maximum side of an image that is embedded, in px; models scale it further down.
EMBEDDED_SIDE_PX = 512
#: message id → number and text of those of its images in which a machine has read some
PicturedTexts = Mapping[int, Sequence[tuple[int, str]]]
#: Characters of a request in which its title is looked for, and what stands for a gap in the title.
TITLED_CHARS = 4_000
TITLE_GAP = "⋯"
_WORD = re.compile(r"\S+")
#: A character that occurs only in terms of numbers and identifiers.
_EXACT = re.compile(r"[0-9_@./:+-]")


@dataclass(frozen=True)
class _Basis:
    """State that terms were computed from, compared before they are written."""

    bank_id: int
    #: message id → whether it is open, and number of sealed characters
    messages: Mapping[int, tuple[bool, int]]
    #: message id → ids of the pages that hold it
    places: Mapping[int, Sequence[int]]
    #: page id → version
    versions: Mapping[int, int]

    @classmethod
    def of(
        cls,
        bank_id: int,
        of_page: Collection[Message],
        spans: Mapping[int, Sequence[SpanRow]],
        rows: Mapping[int, PageRow],
    ) -> "_Basis":
        """Returns the basis of terms computed from these rows."""
        return cls(
            bank_id,
            {message.id: (message.open, message.sealed_chars) for message in of_page},
            {i: [span.page_id for span in parts] for i, parts in spans.items()},
            {page_id: row.version for page_id, row in rows.items()},
        )


@dataclass(frozen=True)
class PreparedTerms:
    """Index terms and codes computed for a change of pages, not yet written."""

    basis: _Basis
    #: message id → terms of each passage with their counts
    counts: Mapping[int, Sequence[Counter[str]]]
    #: the same for messages of which rare terms stay in the index that have faded
    faded: Mapping[int, Sequence[Counter[str]]] = field(default_factory=dict)
    #: maximum number of messages that contain such a term; None: it stays in any case
    max_messages: int | None = None
    #: message id → number of passages, where it changes
    passages: Mapping[int, int] = field(default_factory=dict)
    #: ids of messages whose text differs from the original, and their codes; None if a job computes them later
    changed: Sequence[int] = ()
    codes: MessageCodes | None = None
    #: id of a message from which its thread has its title → the title that its words make now; None for none
    titles: Mapping[int, str | None] = field(default_factory=dict)


class Reindexer:
    """Limits the index to words that can still be read, and to what it keeps of faded ones."""

    def __init__(self, database: Database, search: HybridSearch, assembler: MessageAssembler) -> None:
        self.database = database
        self.index = search.index
        self.vectors = search.vectors
        self.assembler = assembler

    def prepare(
        self,
        bank_id: int,
        changes: Sequence[PageChange],
        *,
        sealed: Collection[int] = (),
        erased: Collection[int] = (),
        restored: bool = False,
    ) -> PreparedTerms:
        """Returns the terms of the messages of a bank that `changes` affect, as they will be afterwards. May decode
        pages.

        Open messages keep their terms, because their text is exact, and so do messages of which a part could not be
        read this time. `sealed`: ids of open messages that will be sealed completely and may lose words. `erased`: ids
        of messages that will be deleted. `restored`: True if pages will regain text, so that embeddings are computed
        again as well.
        """
        states = {page.row.id: page.state for change in changes for page in change.after if page.state is not None}
        affecting = [
            change.before.id
            for change in changes
            if change.before is not None
            and any(_loses_words(page) or (restored and page.state) for page in change.after)
        ]
        if not sealed and not affecting:
            return PreparedTerms(_Basis(bank_id, {}, {}, {}), {})
        with self.database.read() as connection:
            ids = {*sealed, *messages_on(connection, affecting)}.difference(erased)
            by_id = messages.by_ids(connection, bank_id, ids)
            affected = [message for message in by_id.values() if not message.open or message.id in sealed]
            stored = StoredMessages.fetch(connection, bank_id, affected)
            recognises = keeps_faded_words(connection, bank_id)
            pictured = images.texts_of(connection, bank_id, [message.id for message in affected])
            titled = threads.requests_with_titles(connection, bank_id, [message.id for message in affected])
        basis = _Basis.of(bank_id, by_id.values(), stored.spans, stored.pages)
        remembered = self.assembler.assemble(stored.with_changes(changes), states)
        readable = {i: item for i, item in remembered.items() if not item.failed}
        counts, faded, passages = _terms_of(readable, by_id, pictured, recognises)
        if recognises:
            changed = [i for i in counts if restored or (i in sealed and i in pictured)]
        else:
            changed = [i for i, item in readable.items() if restored or i in pictured or not is_as_said(item)]
        codes = self.vectors.encode_now(
            [embedded_texts(remembered[i], by_id[i].name, pictured.get(i, ())) for i in changed]
        )
        if recognises and codes is None:  # the codes of what was said are still there
            changed = [*passages, *(i for i in changed if i not in passages and i in pictured)]
        titles = {i: remembered_title(remembered[i]) for i in titled}
        return PreparedTerms(basis, counts, faded, RARE_MESSAGES, passages, changed, codes, titles)

    def prepare_words(self, bank_id: int, message_ids: Sequence[int]) -> PreparedTerms:
        """Returns the terms of messages as they are remembered now; what the index keeps of faded words, it keeps. With
        the policy `index: "faded"`, returns codes of what is left of messages as well. May decode pages."""
        by_id, basis, remembered, pictured = self._read(bank_id, message_ids)
        with self.database.read() as connection:
            recognises = keeps_faded_words(connection, bank_id)
        counts, faded, passages = _terms_of(remembered, by_id, pictured, recognises)
        changed = [] if recognises else [i for i, item in remembered.items() if not is_as_said(item)]
        codes = self.vectors.encode_now(
            [embedded_texts(remembered[i], by_id[i].name, pictured.get(i, ())) for i in changed]
        )
        return PreparedTerms(basis, counts, faded, None, passages, changed, codes)

    def prepare_codes(self, bank_id: int, message_ids: Sequence[int]) -> PreparedTerms:
        """Returns the codes of messages as they are remembered now. May decode pages. Raises `EmbedderError`."""
        by_id, basis, remembered, pictured = self._read(bank_id, message_ids)
        ready = list(remembered)
        remains = [embedded_texts(remembered[i], by_id[i].name, pictured.get(i, ())) for i in ready]
        passages = [by_id[i].passages for i in ready]
        pictures = {
            (number, _original_passage(passage, len(remains[number]), passages[number])): files
            for (number, passage), files in (
                self._pictures(bank_id, remembered) if self.vectors.source.sees else {}
            ).items()
        }
        texts = [_spread_texts(*pair) for pair in zip(remains, passages, strict=True)]
        codes = self.vectors.encode(texts, pictures)
        return PreparedTerms(basis, {}, changed=ready, codes=codes)

    def _pictures(
        self, bank_id: int, remembered: Mapping[int, RememberedMessage]
    ) -> dict[tuple[int, int], list[bytes]]:
        """Returns place of a message and number of its passage → previews of the images in the passage."""
        from foxing.memory.images.decoding import preview

        with self.database.read() as connection:
            placed = images.of_messages(connection, bank_id, remembered) if remembered else []
        numbers = {message_id: number for number, message_id in enumerate(remembered)}
        places: dict[tuple[int, int], list[bytes]] = {}
        for item in placed:
            text = remembered[item.message_id].text
            size = item.image.size
            with self.database.read() as connection:  # one by one, since many images take much memory
                content = images.contents(connection, bank_id, [item.image.id]).get(item.image.id)
            if content is None:
                continue
            ends = [stop for _, stop in split_passages(text)]
            file = ImageFile(content, size.media_type, size.width_px, size.height_px)
            with suppress(ImageRefused):  # a damaged file
                place = numbers[item.message_id], _passage_of_image(text, item.number, ends)
                places.setdefault(place, []).append(preview(file, EMBEDDED_SIDE_PX))
        return places

    def _read(
        self, bank_id: int, message_ids: Sequence[int]
    ) -> tuple[Mapping[int, Message], _Basis, Mapping[int, RememberedMessage], PicturedTexts]:
        """Returns the messages by id, the basis of what is read from them, the messages that can be read now, as
        remembered, and the texts in images of sealed ones."""
        with self.database.read() as connection:
            by_id = messages.by_ids(connection, bank_id, message_ids)
            stored = StoredMessages.fetch(connection, bank_id, list(by_id.values()))
            pictured = pictured_texts(connection, bank_id, by_id)
        remembered = self.assembler.assemble(stored)
        basis = _Basis.of(bank_id, by_id.values(), stored.spans, stored.pages)
        return by_id, basis, {i: item for i, item in remembered.items() if not item.failed}, pictured

    def is_current(self, connection: Connection, prepared: PreparedTerms) -> bool:
        """True if nothing that the terms were computed from has changed since. Otherwise prepare them again."""
        basis = prepared.basis
        if not basis.messages:
            return True
        by_id = messages.by_ids(connection, basis.bank_id, basis.messages)
        spans = pages.spans_of_messages(connection, basis.bank_id, basis.places)
        rows = pages.by_ids(connection, sorted(basis.versions))
        return basis == _Basis.of(basis.bank_id, by_id.values(), spans, rows)

    def write(self, connection: Connection, bank_id: int, prepared: PreparedTerms) -> None:
        """Replaces the terms and codes of the messages. A message without terms is removed from the index, except for
        what the index keeps of faded words."""
        self.index.replace(connection, bank_id, {i: parts for i, parts in prepared.counts.items() if any(parts)})
        self.index.remove(connection, bank_id, [i for i, parts in prepared.counts.items() if not any(parts)])
        self.index.fade(connection, bank_id, prepared.faded, prepared.max_messages)
        set_passages(connection, bank_id, prepared.passages)
        threads.fade_titles(connection, bank_id, prepared.titles)
        if prepared.changed or prepared.passages:
            self.vectors.replace(connection, bank_id, prepared.changed, prepared.codes)


def _loses_words(page: ReadyPage) -> bool:
    return page.state is not None and page.state.source != "text"


def keeps_faded_words(connection: Connection, bank_id: int) -> bool:
    """True if the index of a bank keeps rare words that have faded."""
    return stored_policy(banks.by_id(connection, bank_id).policy).index == "recognise"


def pictured_texts(connection: Connection, bank_id: int, rows: Mapping[int, Message]) -> PicturedTexts:
    """Returns the texts in images of those messages that are sealed: only these have them in the index."""
    return images.texts_of(connection, bank_id, [i for i, message in rows.items() if not message.open])


_Terms = dict[int, list[Counter[str]]]


def _terms_of(
    remembered: Mapping[int, RememberedMessage], rows: Mapping[int, Message], pictured: PicturedTexts, recognises: bool
) -> tuple[_Terms, _Terms, dict[int, int]]:
    """Returns message id → terms of its passages; the same for messages of which the index keeps faded words; and
    message id → number of passages where that changed. `recognises`: True if the index keeps faded words."""
    counts: _Terms = {}
    faded: _Terms = {}
    for i, item in remembered.items():
        of_passages = remembered_terms(item, rows[i].name, pictured.get(i, ()))
        if recognises and not is_as_said(item):
            faded[i] = _spread(of_passages, rows[i].passages)
        else:
            counts[i] = of_passages
    return counts, faded, {i: len(parts) for i, parts in counts.items() if len(parts) != rows[i].passages}


def _original_passage(number: int, remains: int, passages: int) -> int:
    """Returns the original passage in which passage `number` of the `remains` that are left of a message is placed; see
    `passage_left`."""
    return min(passages - 1, -(-number * passages // remains))


def _spread(counts: Sequence[Counter[str]], passages: int) -> list[Counter[str]]:
    """Returns the terms of what is left of a message, placed in its original passages."""
    spread = [Counter[str]() for _ in range(passages)]
    for number, of_passage in enumerate(counts):
        spread[_original_passage(number, len(counts), passages)] += of_passage
    return spread


def _spread_texts(texts: Sequence[str], passages: int) -> list[str]:
    """Returns the texts of what is left of a message, placed in its original passages, of which others are empty. The
    index may have kept their number when the message faded before it was embedded."""
    spread: list[list[str]] = [[] for _ in range(passages)]
    for number, text in enumerate(texts):
        spread[_original_passage(number, len(texts), passages)].append(text)
    return ["\n".join(parts) for parts in spread]


def remembered_terms(
    message: RememberedMessage, name: str | None, pictured: Sequence[tuple[int, str]] = ()
) -> list[Counter[str]]:
    """Returns the index terms of each passage of a message with their counts: the words without flagged characters or
    gaps, and the words of `name`, its speaker. Numbers and identifiers are indexed even if flagged: queries do not
    contain one by chance, and the answer flags the doubtful characters. `pictured`: number and text of images, whose
    words belong to the passage with the label."""
    flagged_before = np.concatenate([[0], np.cumsum(message.flagged)])
    gaps = set(message.gaps.tolist())
    spoken_by = name_terms(name)
    ends = [stop for _, stop in split_passages(message.text)]
    counts = [Counter(spoken_by) for _ in ends]
    for term, start, stop in term_runs(message.text):
        torn = gaps and _is_torn(message.text, gaps, start, stop)
        sure = flagged_before[stop] == flagged_before[start] or _EXACT.search(term) is not None
        if sure and not torn:
            counts[bisect_right(ends, start)][term] += 1
    for number, text in pictured if counts else ():
        counts[_passage_of_image(message.text, number, ends)].update(term for term, _, _ in term_runs(text))
    return counts


def _passage_of_image(text: str, number: int, ends: Sequence[int]) -> int:
    """Returns the number of the passage with the label of an image; the last one if it has faded."""
    label = label_of(text, number)
    return len(ends) - 1 if label is None else min(len(ends) - 1, bisect_right(ends, text.index(label)))


def embedded_texts(message: RememberedMessage, name: str | None, pictured: Sequence[tuple[int, str]] = ()) -> list[str]:
    """Returns the text to embed for each passage of a message: the speaker, and the words without flagged characters.
    Gaps are left out. `pictured`: number and text of images, whose beginnings follow the passage with the label."""
    passages = split_passages(message.text)
    ends = [stop for _, stop in passages]
    body = _said(message, passages)
    for number, text in pictured if body else ():
        body[_passage_of_image(message.text, number, ends)] += "\n" + text[:EMBEDDED_CHARS]
    return [spoken(text, name) for text in body]


def _said(message: RememberedMessage, passages: Sequence[Passage]) -> list[str]:
    """Returns the words of each passage without flagged characters and gaps."""
    if is_as_said(message):
        return [message.text[start:stop] for start, stop in passages]
    gaps = {*message.gaps.tolist()}
    legible = "".join(" " if place in gaps else character for place, character in enumerate(message.text))
    flagged_before = np.concatenate([[0], np.cumsum(message.flagged)])
    speech = []
    for start, stop in passages:
        runs = _WORD.finditer(legible, start, stop)
        words = (m[0] for m in runs if flagged_before[m.end()] == flagged_before[m.start()])
        speech.append(" ".join(words))
    return speech


def remembered_title(message: RememberedMessage) -> str | None:
    """Returns the title that a request makes, as it is remembered; None if it cannot be read or has no words left."""
    gaps = {*message.gaps.tolist()}
    text = message.text[:TITLED_CHARS]
    legible = "".join(TITLE_GAP if place in gaps else character for place, character in enumerate(text))
    return request_title(legible) or None if message.readable else None


def is_as_said(message: RememberedMessage) -> bool:
    """True if nothing of a message has faded, may be misread or cannot be read."""
    return message.readable and not len(message.gaps) and not message.flagged.any()


def _is_torn(text: str, gaps: Container[int], start: int, stop: int) -> bool:
    """True if a gap cuts the word of the term at these places. In scripts without spaces a word may begin at the end of
    a gap."""
    at_start = start - 1 in gaps
    at_stop = stop in gaps
    return (at_start and not is_unspaced(text[start])) or (at_stop and not is_unspaced(text[stop - 1]))
