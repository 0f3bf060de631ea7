"""Checks of pages: tokens, kept text, the places of messages, and what the tokens decode to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection

from foxing.encoder import CodecError, TokensError, VisionTokens
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import StoredContents, unpack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageContent, PageRow, SpanRow
from foxing.renderer import PageLayout

from .problem import Problem

_RESTORE = "restore it from a backup"


@dataclass(frozen=True)
class PageBatch:
    """Some pages of a bank, as they were at one moment, with all that belongs to them."""

    bank: str
    rows: Sequence[PageRow]
    contents: StoredContents
    spans: Mapping[int, Sequence[SpanRow]]
    keepsakes: Mapping[int, Sequence[KeepsakeRow]]
    messages: Mapping[int, Message]

    @classmethod
    def after(cls, connection: Connection, bank_id: int, bank: str, page_id: int, limit: int) -> "PageBatch":
        """Up to `limit` pages with a higher id."""
        rows = pages.list_after(connection, bank_id, page_id, limit)
        ids = [row.id for row in rows]
        spans = pages.spans_of_pages(connection, ids)
        on_them = sorted({span.message_id for found in spans.values() for span in found})
        return cls(
            bank,
            rows,
            pages.contents(connection, ids),
            spans,
            pages.keepsakes_of(connection, ids),
            messages.by_ids(connection, on_them),
        )

    def name(self, page: PageRow) -> str:
        return f"page {page.key} of bank {self.bank}"


#: Looks at a batch and names what is wrong in it.
PageCheck = Callable[[PageBatch], Iterator[Problem]]


def check_tokens(batch: PageBatch) -> Iterator[Problem]:
    """The checksum of the tokens, and that they are what the page says."""
    for page in batch.rows:
        if page.id not in batch.contents:
            yield Problem(f"{batch.name(page)} has no tokens; {_RESTORE}")
            continue
        blob = batch.contents[page.id].tokens
        try:
            tokens = VisionTokens.from_bytes(blob)
        except TokensError as error:
            yield Problem(f"{batch.name(page)}: {error}")
            continue
        said = (page.codec, page.tier, page.vision_tokens, page.token_bytes)
        held = (tokens.codec, tokens.tier, tokens.count, len(blob))
        if said != held:
            yield Problem(f"{batch.name(page)} says {said} of its tokens, which are {held}; {_RESTORE}")


def check_text(batch: PageBatch) -> Iterator[Problem]:
    """The checksum of kept text, and that it has the size that the page says."""
    for page in batch.rows:
        text = batch.contents[page.id].text if page.id in batch.contents else None
        size = 0 if text is None else len(text)
        if size != page.text_bytes:
            yield Problem(f"{batch.name(page)} says {page.text_bytes} bytes of text, and has {size}; {_RESTORE}")
        if text is None:
            continue
        try:
            rows = len(unpack_cells(text, PageLayout.from_dict(page.layout).columns))
        except TokensDamaged as error:
            yield Problem(f"{batch.name(page)}: {error}")
            continue
        if rows < page.rows_used:
            yield Problem(f"{batch.name(page)} uses {page.rows_used} rows, and its text has {rows}; {_RESTORE}")


def check_spans(batch: PageBatch) -> Iterator[Problem]:
    """That the places of messages are on the page, one after the other, and within what was said."""
    for page in batch.rows:
        spans = batch.spans.get(page.id, [])
        cells = page.rows_used * PageLayout.from_dict(page.layout).columns
        wrong = next((reason for span in spans if (reason := _span_fault(span, cells, batch.messages))), None)
        wrong = wrong or next((_ORDER for a, b in pairwise(spans) if b.header_start < a.stop), None)
        if wrong is not None:
            yield Problem(f"{batch.name(page)}: {wrong}; {_RESTORE}")


_ORDER = "the places of two messages overlap"


def _span_fault(span: SpanRow, cells: int, said: Mapping[int, Message]) -> str | None:
    if not 0 <= span.header_start <= span.start <= span.stop <= cells:
        return f"cells {span.header_start}, {span.start} to {span.stop} are not on it, which has {cells}"
    message = said.get(span.message_id)
    if message is None:
        return "a message on it does not exist"
    if not 0 <= span.char_start <= span.char_stop <= message.chars:
        return f"characters {span.char_start} to {span.char_stop} of a message of {message.chars}"
    return None


def check_figures(batch: PageBatch) -> Iterator[Problem]:
    """That its number of messages and its times are those of its messages."""
    for page in batch.rows:
        on_it = {span.message_id for span in batch.spans.get(page.id, [])}
        times = [batch.messages[i].created_at for i in on_it if i in batch.messages]
        if len(on_it) != page.messages:
            yield Problem(f"{batch.name(page)} says {page.messages} messages, and has {len(on_it)}; {_RESTORE}")
        elif times and (min(times), max(times)) != (page.first_at, page.last_at):
            yield Problem(f"{batch.name(page)} has other times than its messages; {_RESTORE}")


def check_keepsakes(batch: PageBatch) -> Iterator[Problem]:
    """That every keepsake stands in a place of its message."""
    for page in batch.rows:
        places: dict[int, list[SpanRow]] = {}
        for span in batch.spans.get(page.id, []):
            places.setdefault(span.message_id, []).append(span)
        for item in batch.keepsakes.get(page.id, []):
            inside = any(s.start <= item.start < item.stop <= s.stop for s in places.get(item.message_id, []))
            if not inside or not item.text:
                yield Problem(f"{batch.name(page)}: a keepsake stands outside its message; {_RESTORE}")
                break


class WeightsCheck:
    """That the tokens are of weights that are at hand. Remembers codecs that are not."""

    def __init__(self, decoder: PageDecoder) -> None:
        self._decoder = decoder
        self._known: dict[str, str | CodecError] = {}

    def __call__(self, batch: PageBatch) -> Iterator[Problem]:
        for page in batch.rows:
            try:
                tokens = VisionTokens.from_bytes(batch.contents[page.id].tokens)
            except (TokensError, KeyError):
                continue  # another check says so
            weights = self._weights(tokens.codec)
            if isinstance(weights, CodecError):
                yield Problem(f"{batch.name(page)}: {weights}")
            elif weights != tokens.weights:
                yield Problem(
                    f"{batch.name(page)} was written by weights {tokens.weights}, and these are {weights}; run foxing "
                    "reencode, or install the version that wrote it"
                )

    def _weights(self, codec: str) -> str | CodecError:
        if codec not in self._known:
            try:
                self._known[codec] = self._decoder.codec_named(codec).weights
            except CodecError as error:
                self._known[codec] = error
        return self._known[codec]


class DecodingCheck:
    """That tokens decode to a page of the right size. `step`: every which page is decoded."""

    def __init__(self, decoder: PageDecoder, step: int) -> None:
        self._decoder = decoder
        self._step = step
        self._seen = 0
        self.decoded = 0

    def __call__(self, batch: PageBatch) -> Iterator[Problem]:
        chosen = [page for page in batch.rows if self._is_chosen() and page.id in batch.contents]
        tokens = {page.id: PageContent(batch.contents[page.id].tokens, None) for page in chosen}
        self.decoded += len(chosen)
        states = self._decoder.read(chosen, tokens)
        for page in chosen:
            state = states[page.id]
            if isinstance(state, Unreadable):
                yield Problem(f"{batch.name(page)} does not decode: {state}")

    def _is_chosen(self) -> bool:
        self._seen += 1
        return (self._seen - 1) % self._step == 0


#: Checks of every page, by name.
PAGE_CHECKS: Mapping[str, PageCheck] = {
    "page-tokens": check_tokens,
    "page-text": check_text,
    "page-spans": check_spans,
    "page-figures": check_figures,
    "page-keepsakes": check_keepsakes,
}
