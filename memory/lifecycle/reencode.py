"""Reencoding: pages whose tokens another codec or other weights wrote are written anew with those of the present codec.

The tier stays, unless the codec lacks it, and so do pins, kept text, keepsakes and spans. What was decoded is drawn and
encoded as it was read, so a misreading stays one, and may no longer be flagged. A page that would lose by it gets
larger tokens, or stays as it is and is reported. The wastebasket is left as it is: what waits there can be read by
earlier weights, should it be brought back. A page laid out for another codec is typeset again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Self

from sqlalchemy import Connection

from foxing.encoder import Codec, CodecError, TokensError, VisionTokens, can_draw_for
from foxing.memory.models import PageLeft, PageReencoded, ReencodingReport
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import PageLayout, tier_rank

from .relayout import PageRelayout, waiting
from .rewrite import BATCH, Change, Rewriter

_LOOKAHEAD = 64  # pages whose tokens are looked at together

Progress = Callable[[int, int], None]
Kind = tuple[str, str, str]  # of tokens: codec, weights, tier


@dataclass(frozen=True)
class _Stale:
    """A page that the present weights did not write. `kind`: None where its tokens are damaged and its text is kept;
    `tier`: the one it is to have; `foreign`: it was laid out for another codec."""

    page: PageRow
    kind: Kind | None
    tier: str
    foreign: bool

    @property
    def kept(self) -> bool:
        return self.page.text_bytes > 0


class Reencoder:
    """Moves banks to the present codec and its weights."""

    def __init__(self, database: Database, rewriter: Rewriter, retypesetter: PageRelayout) -> None:
        self.database = database
        self.rewriter = rewriter
        self.retypesetter = retypesetter

    @classmethod
    def reading(cls, database: Database, decoder: PageDecoder) -> Self:
        """One that reads by `decoder`, which had better know the codecs that wrote the pages."""
        assembler = MessageAssembler(decoder)
        return cls(database, Rewriter(database, decoder, assembler), PageRelayout(database, decoder, assembler))

    @property
    def codec(self) -> Codec:
        return self.rewriter.codec

    def reencode(
        self, bank_name: str, now: datetime, *, dry_run: bool = False, progress: Progress | None = None
    ) -> ReencodingReport:
        """See `Memory.reencode`."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            stale: list[_Stale] = []
            left: dict[str, str] = {}  # page key → why it cannot be read
            samples: dict[Kind, VisionTokens] = {}
            current = 0
            for page, found in self._look(connection, bank.id, samples):
                if isinstance(found, str):
                    left[page.key] = found
                elif found is None:
                    current += 1
                else:
                    stale.append(found)
        if dry_run:
            left |= self._unknown(stale, samples)
            with self.database.read() as connection:
                foreign = [item.page.id for item in stale if item.foreign]
                waits = waiting(connection, foreign, now)
            left |= {item.page.key: waits[item.page.id] for item in stale if item.page.id in waits}
            expected = [self._expected(item) for item in stale if item.page.key not in left]
            return self._report(bank_name, True, expected, current, [], left)
        done: list[PageReencoded] = []
        busy: list[str] = []
        for start in range(0, len(stale), BATCH):
            batch = stale[start : start + BATCH]
            written, reasons = self._write(bank.id, batch, now)
            done += written
            left |= reasons
            settled = {page.page_id for page in written} | reasons.keys()
            busy += [item.page.key for item in batch if item.page.key not in settled]
            if progress is not None:
                progress(min(start + BATCH, len(stale)), len(stale))
        return self._report(bank_name, False, done, current, busy, left)

    def _write(
        self, bank_id: int, batch: Sequence[_Stale], now: datetime
    ) -> tuple[list[PageReencoded], dict[str, str]]:
        """Pages that were written anew; page key → why another stays."""
        changes = [Change(i.page, i.tier, new_tokens=True, faithful=True) for i in batch if not i.foreign]
        redrawn = self.rewriter.run(bank_id, changes, pinned=True)
        typeset = self.retypesetter.run(bank_id, [(item.page, item.tier) for item in batch if item.foreign], now)
        found = {item.change.page.id: (1, item.token_bytes, item.confidence) for item in redrawn.done}
        found |= {item.page.id: (item.pages, item.token_bytes, item.confidence) for item in typeset.done}
        reasons = redrawn.unreadable | typeset.left
        written = [_page(item, *found[item.page.id]) for item in batch if item.page.id in found]
        return written, {item.page.key: reasons[item.page.id] for item in batch if item.page.id in reasons}

    def _look(
        self, connection: Connection, bank_id: int, samples: dict[Kind, VisionTokens]
    ) -> Iterator[tuple[PageRow, _Stale | str | None]]:
        """Every page of a bank, and whether it is to be written anew: None for no, a sentence where it cannot be. Into
        `samples` goes a row of tokens of each kind."""
        after = 0
        while rows := pages.list_after(connection, bank_id, after, _LOOKAHEAD):
            contents = pages.contents(connection, [row.id for row in rows])
            for row in rows:
                yield row, self._found(row, contents[row.id][0], samples)
            after = rows[-1].id

    def _found(self, page: PageRow, blob: bytes, samples: dict[Kind, VisionTokens]) -> _Stale | str | None:
        kind: Kind | None = None
        layout = PageLayout.from_dict(page.layout)
        try:
            tokens = VisionTokens.from_bytes(blob)
        except TokensError as error:
            if page.text_bytes == 0:
                return str(error)
        else:
            if (tokens.codec, tokens.weights) == (self.codec.name, self.codec.weights):
                return None
            kind = (tokens.codec, tokens.weights, tokens.tier)
            samples.setdefault(kind, tokens.crop(0, 1) if layout.cropped else tokens)
        return _Stale(page, kind, self._served(page.tier), not can_draw_for(self.codec, layout))

    def _served(self, tier: str) -> str:
        """`tier`, or where the codec lacks it the next sharper one that it has: nothing is lost by that."""
        served = list(self.codec.tiers)
        return next((t for t in reversed(served) if tier_rank(t) <= tier_rank(tier)), served[0])

    def _unknown(self, stale: Sequence[_Stale], samples: Mapping[Kind, VisionTokens]) -> dict[str, str]:
        """Page key → why its tokens cannot be read, as far as a row of tokens of its kind tells."""
        needed = {item.kind for item in stale if not item.kept}
        asked = {kind: tokens for kind, tokens in samples.items() if kind in needed}
        answers = dict(zip(asked, self.rewriter.decoder.read_tokens(list(asked.values())), strict=True))
        unknown: dict[str, str] = {}
        for item in stale:
            answer = None if item.kept or item.kind is None else answers[item.kind]
            if isinstance(answer, CodecError):
                unknown[item.page.key] = str(answer)
        return unknown

    def _expected(self, item: _Stale) -> PageReencoded:
        if item.foreign:
            return _page(item, *self.retypesetter.expected(item.page, item.tier), None)
        return _page(item, 1, self.rewriter.expected_token_bytes(item.page, item.tier), None)

    def _report(
        self,
        bank: str,
        dry_run: bool,
        done: Sequence[PageReencoded],
        current: int,
        busy: list[str],
        left: dict[str, str],
    ) -> ReencodingReport:
        after = [page.confidence_after for page in done if page.confidence_after is not None]
        return ReencodingReport(
            bank=bank,
            codec=self.codec.name,
            weights=self.codec.weights,
            dry_run=dry_run,
            reencoded=list(done),
            current=current,
            busy=busy,
            unreadable=[PageLeft(page_id=key, reason=reason) for key, reason in left.items()],
            bytes_before=sum(page.bytes_before for page in done),
            bytes_after=sum(page.bytes_after for page in done),
            confidence_before=round(fmean(page.confidence_before for page in done), 4) if done else None,
            confidence_after=round(fmean(after), 4) if after else None,
        )


def _page(item: _Stale, count: int, bytes_after: int, confidence: float | None) -> PageReencoded:
    page = item.page
    return PageReencoded.model_validate(
        {
            "page_id": page.key,
            "tier": item.tier,
            "pages": count,
            "source": "text" if item.kept else "decoded",
            "from_codec": page.codec,
            "from_weights": None if item.kind is None else item.kind[1],
            "bytes_before": page.token_bytes,
            "bytes_after": bytes_after,
            "confidence_before": round(page.confidence, 4),
            "confidence_after": None if confidence is None else round(confidence, 4),
        }
    )
