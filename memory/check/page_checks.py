"""Checks of pages: tokens, kept text, places of messages, and decoding."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection

from foxing.encoder import CodecError, TokensError
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.exact_text import is_self_contained, unpack_differences, unpack_text
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.message_filter import instant
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageContent, PageRow
from foxing.memory.storage.repositories.sealed import manifests
from foxing.renderer import PageLayout

from .finding import RESTORE, Finding
from .survey import BankSurvey


@dataclass(frozen=True)
class PageBatch:
    """Pages of a bank in one state, with all of their data."""

    bank: str
    rows: Sequence[PageRow]
    contents: StoredContents
    #: Page id → manifest, for those that can be read.
    manifests: Mapping[int, PageManifest]
    keepsakes: Mapping[int, Sequence[KeepsakeRow]]

    @classmethod
    def after(cls, connection: Connection, survey: BankSurvey, page_id: int, limit: int) -> "PageBatch":
        """Reads up to `limit` pages with higher ids than `page_id`."""
        rows = pages.list_after(connection, survey.bank_id, page_id, limit)
        ids = [row.id for row in rows]
        return cls(
            survey.bank,
            rows,
            pages.contents(connection, ids),
            manifests.get(connection, set(ids) - survey.unreadable),
            pages.keepsakes_of(connection, ids),
        )

    def name(self, page: PageRow) -> str:
        """Returns the name of a page in reports."""
        return f"page {page.key} of bank {self.bank}"


#: Function that yields the problems of a batch.
PageCheck = Callable[[PageBatch], Iterator[Finding]]


def check_tokens(batch: PageBatch) -> Iterator[Finding]:
    """Finds pages whose tokens are missing, damaged, or not as recorded."""
    for page in batch.rows:
        if page.id not in batch.contents:
            yield Finding(f"{batch.name(page)} has no tokens; {RESTORE}")
            continue
        blob = batch.contents[page.id].tokens
        try:
            tokens = unpack_tokens(blob)
        except TokensError as error:
            yield Finding(f"{batch.name(page)}: {error}")
            continue
        of_row = (page.codec, page.tier, page.vision_tokens, page.token_bytes)
        of_tokens = (tokens.codec, tokens.tier, tokens.count, len(blob))
        if of_row != of_tokens:
            yield Finding(f"{batch.name(page)} says {of_row} of its tokens, which are {of_tokens}; {RESTORE}")


def check_text(batch: PageBatch) -> Iterator[Finding]:
    """Finds pages whose exact text is not kept as recorded, has another size, or cannot be read."""
    for page in batch.rows:
        if page.id in batch.contents and (reason := _text_fault(page, batch.contents[page.id])) is not None:
            yield Finding(f"{batch.name(page)}{reason}")


def _text_fault(page: PageRow, content: PageContent) -> str | None:
    text = content.text
    if page.text_kept != (text is not None):
        state = "gone" if text is None else "there"
        return f" says that its text is {'kept' if page.text_kept else 'dropped'}, and it is {state}; {RESTORE}"
    size = len(text or b"")
    if size != page.text_bytes:
        return f" says {page.text_bytes} bytes of text, and has {size}; {RESTORE}"
    if text is None:
        return None
    try:
        rows = check_kept_text(page, text)
        if not is_self_contained(text):
            unpack_tokens(content.tokens)
    except TokensDamaged as error:
        return f": {error}"
    except TokensError as error:
        return f": its exact text can only be read from its tokens, and {error}; {RESTORE}"
    return None if rows >= page.rows_used else f" uses {page.rows_used} rows, and its text has {rows}; {RESTORE}"


def check_kept_text(page: PageRow, text: bytes) -> int:
    """Returns the number of rows of a kept text. Raises `TokensDamaged` if it is not one of this page."""
    layout = PageLayout.from_dict(page.layout)
    if is_self_contained(text):
        return len(unpack_text(text, layout.columns))
    places = unpack_differences(text).places
    if len(places) and not 0 <= int(places.min()) <= int(places.max()) < layout.cells:
        raise TokensDamaged(f"its exact text corrects cells that it does not have; {RESTORE}")
    return layout.rows


def check_places(batch: PageBatch) -> Iterator[Finding]:
    """Finds pages whose record does not match its messages: number and times, places one after another within the
    messages, and keepsakes inside their places."""
    for page in batch.rows:
        manifest = batch.manifests.get(page.id)
        if manifest is None:
            continue
        wrong = _figure_fault(page, manifest) or _place_fault(page, manifest)
        wrong = wrong or _keepsake_fault(manifest, batch.keepsakes.get(page.id, []))
        if wrong is not None:
            yield Finding(f"{batch.name(page)}: {wrong}; {RESTORE}")


def _figure_fault(page: PageRow, manifest: PageManifest) -> str | None:
    number = len(manifest)
    times = manifest.times
    if number != page.messages:
        return f"it says {page.messages} messages, and has {number}"
    if number and (instant(int(times.min())), instant(int(times.max()))) != (page.first_at, page.last_at):
        return "it has other times than its messages"
    return None


def _place_fault(page: PageRow, manifest: PageManifest) -> str | None:
    cells = page.rows_used * PageLayout.from_dict(page.layout).columns
    for place in manifest.places:
        if not 0 <= place.header_start <= place.start <= place.stop <= cells:
            return f"cells {place.header_start}, {place.start} to {place.stop} are not on it, which has {cells}"
        chars = int(manifest.chars[manifest.place_of[place.message_id]])
        if not 0 <= place.char_start <= place.char_stop <= chars:
            return f"characters {place.char_start} to {place.char_stop} of a message of {chars}"
    overlap = any(b.header_start < a.stop for a, b in pairwise(manifest.places))
    return "the places of two messages overlap" if overlap else None


def _keepsake_fault(manifest: PageManifest, keepsakes: Sequence[KeepsakeRow]) -> str | None:
    for item in keepsakes:
        own = (place for place in manifest.places if place.message_id == item.message_id)
        if not item.text or not any(place.start <= item.start < item.stop <= place.stop for place in own):
            return "a keepsake stands outside its message"
    return None


class WeightsCheck:
    """Check that the tokens of pages were written with the available weights. Caches codecs that cannot be loaded."""

    def __init__(self, decoder: PageDecoder) -> None:
        self._decoder = decoder
        self._known: dict[str, str | CodecError] = {}

    def __call__(self, batch: PageBatch) -> Iterator[Finding]:
        """Finds pages whose tokens need other weights, or a codec that cannot be loaded."""
        for page in batch.rows:
            try:
                tokens = unpack_tokens(batch.contents[page.id].tokens)
            except (TokensError, KeyError):
                continue  # reported by another check
            weights = self._weights(tokens.codec)
            if isinstance(weights, CodecError):
                yield Finding(f"{batch.name(page)}: {weights}")
            elif weights != tokens.weights:
                yield Finding(
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
    """Check that tokens decode to a page of the right size. `step`: one page in this many is decoded. Pages with
    complete kept text, which `decoder` would not decode, are decoded by `afresh`, which must not cache pages."""

    def __init__(self, decoder: PageDecoder, afresh: PageDecoder, step: int) -> None:
        self._decoder = decoder
        self._afresh = afresh
        self._step = step
        self._seen = 0
        self.decoded = 0

    def __call__(self, batch: PageBatch) -> Iterator[Finding]:
        """Finds pages of the sample that do not decode."""
        chosen = [page for page in batch.rows if self._is_chosen() and page.id in batch.contents]
        self.decoded += len(chosen)
        exact = [page for page in chosen if is_self_contained(batch.contents[page.id].text or b"")]
        tokens = {page.id: PageContent(batch.contents[page.id].tokens, None) for page in exact}
        others = [page for page in chosen if page.id not in tokens]
        states = {**self._afresh.read(exact, tokens), **self._decoder.read(others, batch.contents)}
        for page in chosen:
            state = states[page.id]
            if isinstance(state, Unreadable):
                yield Finding(f"{batch.name(page)} does not decode: {state}")

    def _is_chosen(self) -> bool:
        self._seen += 1
        return (self._seen - 1) % self._step == 0


#: Checks of every page, by name.
PAGE_CHECKS: Mapping[str, PageCheck] = {
    "page-tokens": check_tokens,
    "page-text": check_text,
    "page-places": check_places,
}
