"""Reencoding: moves pages written by another codec or other weights to the current ones.

Tier, pins, kept text, keepsakes and spans are preserved; a tier that the codec lacks is replaced by a sharper one. A
page without kept text is drawn from its reading, so a misread character stays misread; it stays flagged if it is known
to be. A page that would lose characters is left unchanged and reported. A page laid out for another codec is typeset
again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec, CodecError, TokensError, VisionTokens
from foxing.encoder.contract import can_draw_for
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.pages.assembler import MessageAssembler
from foxing.memory.pages.content import unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.exact_text import is_self_contained
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.values.reports import PageReencoded, ReencodingReport
from foxing.renderer import PageLayout, Progress, tier_rank

from . import reasons
from .changes import Batch, BatchOutcome, BatchResult, Change, Work, carry_out
from .relayout import PageRelayout, RelayoutRequest, undo_reasons
from .rewrite import BATCH, Rewriter

_PAGES_AT_ONCE = 64  # pages surveyed together


class TokenKind(NamedTuple):
    """Properties of tokens that determine whether a codec can read them."""

    codec: str
    weights: str
    tier: str


@dataclass(frozen=True)
class StalePage:
    """A page that was not written by the current codec and weights."""

    page: PageRow
    #: kind of its tokens; None if they are damaged and its text is kept
    kind: TokenKind | None
    #: target tier
    tier: str
    #: True if it was laid out for another codec
    foreign: bool
    #: True if its exact text is kept and can be read without its tokens
    keeps_text: bool


@dataclass
class _Survey:
    """Pages of a bank, by what reencoding has to do."""

    stale: list[StalePage] = field(default_factory=list)
    #: number of pages that the current weights wrote
    current: int = 0
    #: page key → why the page cannot be read
    unreadable: dict[str, str] = field(default_factory=dict)
    #: one sample of tokens of each kind, to test whether they can be read
    samples: dict[TokenKind, VisionTokens] = field(default_factory=dict)


class Reencoder:
    """Moves banks to the current codec and weights."""

    def __init__(self, database: Database, decoder: PageDecoder, search: HybridSearch) -> None:
        """`decoder` must have access to the codecs that wrote the pages."""
        reindexer = Reindexer(database, search, MessageAssembler(decoder))
        self.database = database
        self.rewriter = Rewriter(database, decoder, reindexer)
        self.relayout = PageRelayout(database, decoder, reindexer)

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.rewriter.codec

    def reencode(
        self,
        bank_name: str,
        now: datetime,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        work: Work[StalePage] | None = None,
    ) -> ReencodingReport:
        """Implements `Operations.reencode`. `work`: carries out the batches with `rewrite`, in place of this process. A
        page whose worker was killed after writing it counts as current."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            survey = self._survey(connection, bank.id)
        if dry_run:
            expected = self._expected(survey, now)
            return self._report(bank_name, expected, survey.unreadable, survey.current, dry_run=True)
        result = BatchResult[StalePage](survey.unreadable)
        carry_out(survey.stale, BATCH, self._in_turn if work is None else work, result, now, progress=progress)
        unreported = set() if work is None else self._current(result.busy)
        busy = [item for item in result.busy if item.page.id not in unreported]
        done = [_reencoded(item, page.pages, page.token_bytes, page.confidence) for item, page in result.done]
        current = survey.current + len(unreported)
        return self._report(bank_name, done, result.reasons, current, busy, dry_run=False)

    def rewrite(self, batch: Batch[StalePage]) -> BatchOutcome:
        """Reencodes a batch of pages and returns the outcome. Idempotent; resumes an interrupted batch."""
        changes = [Change(i.page, i.tier, new_tokens=True, faithful=True) for i in batch.items if not i.foreign]
        rewritten = self.rewriter.run(changes, batch.now, pinned=True, owner=batch.owner)
        requests = [RelayoutRequest(item.page, item.tier) for item in batch.items if item.foreign]
        relaid = self.relayout.run(requests, batch.now, owner=batch.owner)
        done = BatchOutcome.of(rewritten)
        typeset_again = BatchOutcome.of(relaid)
        return BatchOutcome(done.done | typeset_again.done, done.reasons | typeset_again.reasons)

    def _in_turn(self, batches: Sequence[Batch[StalePage]]) -> Iterator[tuple[Batch[StalePage], BatchOutcome]]:
        for batch in batches:
            yield batch, self.rewrite(batch)

    def _current(self, stale: Sequence[StalePage]) -> set[int]:
        """Returns the ids of the pages that the current weights have written meanwhile."""
        with self.database.read() as connection:
            contents = pages.contents(connection, [item.page.id for item in stale])
        return {page_id for page_id, content in contents.items() if self._is_current(_unpacked(content.tokens))}

    def _is_current(self, tokens: VisionTokens | TokensError) -> bool:
        if isinstance(tokens, TokensError):
            return False
        return (tokens.codec, tokens.weights) == (self.codec.name, self.codec.weights)

    def _survey(self, connection: Connection, bank_id: int) -> _Survey:
        survey = _Survey()
        after = 0
        while rows := pages.list_after(connection, bank_id, after, _PAGES_AT_ONCE):
            contents = pages.contents(connection, [row.id for row in rows])
            for row in rows:
                tokens = _unpacked(contents[row.id].tokens)
                text = contents[row.id].text
                keeps = text is not None and is_self_contained(text)
                if isinstance(tokens, TokensError):
                    if not keeps:
                        survey.unreadable[row.key] = str(tokens)
                    else:
                        survey.stale.append(self._stale(row, None, keeps))
                elif self._is_current(tokens):
                    survey.current += 1
                else:
                    kind = TokenKind(tokens.codec, tokens.weights, tokens.tier)
                    cut = tokens.has_rows and PageLayout.from_dict(row.layout).cropped
                    survey.samples.setdefault(kind, tokens.crop(0, 1) if cut else tokens)
                    survey.stale.append(self._stale(row, kind, keeps))
            after = rows[-1].id
        return survey

    def _stale(self, page: PageRow, kind: TokenKind | None, keeps_text: bool) -> StalePage:
        foreign = not can_draw_for(self.codec, PageLayout.from_dict(page.layout))
        return StalePage(page, kind, self._served_tier(page.tier), foreign, keeps_text)

    def _served_tier(self, tier: str) -> str:
        """Returns `tier`, or the next sharper one that the codec has."""
        served = list(self.codec.tiers)
        return next((t for t in reversed(served) if tier_rank(t) <= tier_rank(tier)), served[0])

    def _expected(self, survey: _Survey, now: datetime) -> list[PageReencoded]:
        """Returns the expected result of reencoding. Adds the reasons for pages that will be left unchanged to
        `survey`."""
        unreadable = survey.unreadable
        unreadable |= self._unknown_kinds(survey)
        with self.database.read() as connection:
            waiting = undo_reasons(connection, [item.page.id for item in survey.stale if item.foreign], now)
        unreadable |= {item.page.key: waiting[item.page.id] for item in survey.stale if item.page.id in waiting}
        return [self._expected_page(item) for item in survey.stale if item.page.key not in unreadable]

    def _unknown_kinds(self, survey: _Survey) -> dict[str, str]:
        """Returns page key → why its tokens cannot be read, judged by a sample of their kind."""
        needed = {item.kind for item in survey.stale if not item.keeps_text}
        samples = {kind: tokens for kind, tokens in survey.samples.items() if kind in needed}
        readings = dict(zip(samples, self.rewriter.decoder.read_tokens(list(samples.values())), strict=True))
        unknown: dict[str, str] = {}
        for item in survey.stale:
            reading = None if item.keeps_text or item.kind is None else readings[item.kind]
            if isinstance(reading, CodecError):
                unknown[item.page.key] = str(reading)
        return unknown

    def _expected_page(self, item: StalePage) -> PageReencoded:
        if item.foreign:
            return _reencoded(item, *self.relayout.expected(item.page, item.tier), None)
        return _reencoded(item, 1, self.rewriter.expected_tokens(item.page, item.tier)[1], None)

    def _report(
        self,
        bank: str,
        done: Sequence[PageReencoded],
        reasons_by_key: Mapping[str, str],
        current: int,
        busy: Sequence[StalePage] = (),
        *,
        dry_run: bool,
    ) -> ReencodingReport:
        after = [page.confidence_after for page in done if page.confidence_after is not None]
        return ReencodingReport(
            bank=bank,
            codec=self.codec.name,
            weights=self.codec.weights,
            dry_run=dry_run,
            reencoded=list(done),
            current=current,
            busy=[item.page.key for item in busy],
            unreadable=reasons.skipped_pages(reasons_by_key),
            bytes_before=sum(page.bytes_before for page in done),
            bytes_after=sum(page.bytes_after for page in done),
            confidence_before=round(fmean(page.confidence_before for page in done), 4) if done else None,
            confidence_after=round(fmean(after), 4) if after else None,
        )


def _unpacked(blob: bytes) -> VisionTokens | TokensError:
    """Returns the tokens, or the error if they cannot be read."""
    try:
        return unpack_tokens(blob)
    except TokensError as error:
        return error


def _reencoded(item: StalePage, count: int, bytes_after: int, confidence: float | None) -> PageReencoded:
    page = item.page
    return PageReencoded.model_validate(
        {
            "page_id": page.key,
            "tier": item.tier,
            "pages": count,
            "source": "text" if item.page.text_kept else "decoded",
            "from_codec": page.codec,
            "from_weights": None if item.kind is None else item.kind.weights,
            "bytes_before": page.token_bytes,
            "bytes_after": bytes_after,
            "confidence_before": round(page.confidence, 4),
            "confidence_after": None if confidence is None else round(confidence, 4),
        }
    )
