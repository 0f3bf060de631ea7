"""Drawing pages at a tier of a codec: what the tier does not hold, or what does not read as it was drawn, fades.

A page of a codec with costs is laid out again until its tokens fit and every word on it reads as it is drawn, so that
nothing is read that was never there. A page of another codec fades to the text tokens that the tier is read well at.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from foxing.renderer import (
    BLANK,
    GAP_MARK,
    Cells,
    Edge,
    Entry,
    Page,
    Placement,
    Typesetter,
    grid_text,
    render,
    transcribe,
)
from foxing.renderer.fading import (
    BITS_PER_CELL,
    BYTES_PER_BIT,
    CellCosts,
    FadedPage,
    FadedText,
    MessageWords,
    Salience,
    SalienceScorer,
    fade,
    faded,
    isolated_bits,
    plain,
    text_salience,
    word_bits,
    words_of,
)

from .annotation import AnnotatedPage, Flags, match_rows
from .capabilities import CostableCodec, capabilities_of
from .contract import Codec, Reading, TierSpec
from .gap_cells import write_gaps, write_other_marks
from .text_tokens import count_text_tokens
from .tokens import VisionTokens

#: How often a page is drawn, at most. What still does not read as it was drawn after that is flagged, or cut.
ATTEMPTS = 7
#: How often words take the place of those that do not read as they were drawn. They may misread as well.
REFILLS = 1
#: Share of a tier's capacity that a faded page is to take, at first by the costs of its cells alone, then by what its
#: last tokens took for them.
AIM = 0.985
#: Share of the capacity that a faded page takes at least; one that takes less is laid out again with more.
LEAST = 0.95
#: In as many attempts before the page is given up, gaps replace all words that are misread, even if
#: it is cut then.
LAST_ATTEMPTS = 3
#: Gaps replace words as long as the page is expected to take no more than this share of the capacity.
FULL = 0.98
#: Bytes of each such gap, beside the costs of its cells: what stands around it is read with less confidence.
GAP_BYTES = 4
#: A character is often misread where it is in this share of its places on a page, and in more than one.
OFTEN = 0.3
#: Characters beside a word that are a part of it as far as misreading goes: a blank.
_BESIDE = 1
_NO_ROOM = 1 << 40
WORKERS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class FadedLayout:
    """A page of which something has faded."""

    #: Its placements are those of all messages, in order; one of which nothing is left has no cells.
    page: Page
    #: What is left of each message.
    texts: Sequence[FadedText]


@dataclass(frozen=True)
class DrawnPage:
    """A page as it is drawn at a tier."""

    #: uint32[rows, columns].
    cells: Cells
    tokens: VisionTokens
    #: What the tokens read as, where it is known already.
    reading: Reading | None
    #: None if the page is drawn as it was.
    faded: FadedLayout | None


class PageDrawer:
    """Draws and encodes pages. Safe to share between threads."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._costable = capabilities_of(codec).costable
        self._typesetter = Typesetter(codec.layout, codec.repertoire)

    def draw(self, pages: Sequence[AnnotatedPage], tier: str) -> list[DrawnPage]:
        """Each page at `tier`, with its tokens. Raises `CodecError`."""
        fader = _Fader(self.codec.tiers[tier], self._costable, self._typesetter)
        drawn: dict[int, DrawnPage] = {}
        with ThreadPoolExecutor(WORKERS, "foxing-fading") as pool:
            drafts = dict(enumerate(pool.map(fader.draft, pages)))
            for attempt in range(ATTEMPTS):
                images = [render(draft.cells, draft.page.layout, tier) for draft in drafts.values()]
                encoded = self.codec.encode(images, tier)
                read = self.codec.decode(encoded) if self._costable is not None else [None] * len(encoded)
                for (number, draft), tokens, reading in zip(drafts.items(), encoded, read, strict=True):
                    drawn[number] = DrawnPage(draft.cells, tokens, reading, draft.layout())
                if attempt == ATTEMPTS - 1:
                    break
                correct = partial(fader.correct, attempt=attempt)
                again = list(pool.map(correct, drafts.values(), encoded, read))
                drafts = {number: draft for (number, draft), redo in zip(drafts.items(), again, strict=True) if redo}
                if not drafts:
                    break
        return [drawn[number] for number in range(len(pages))]


@dataclass
class _Draft:
    """A page on its way to a tier."""

    page: AnnotatedPage
    #: What is drawn.
    cells: Cells
    #: Bits of each of `cells`.
    costs: CellCosts
    #: The messages, without the words that did not read as they were drawn.
    messages: list[MessageWords]
    #: Salience of their words.
    salience: list[Salience]
    #: Character of a message → the character of the page's message that it is, as `FadedText.origin`.
    origins: list[npt.NDArray[np.int64]]
    #: What it may take by its costs.
    aim: int
    #: What is left of `messages`, and the placements of all of them on `cells`; None if the page is drawn as it was.
    faded: FadedPage | None = None
    placements: Sequence[Placement] = ()
    #: Whether it was given more capacity once.
    grown: bool = False
    #: bool[words] for each message: those that were written over with gaps where they stood.
    gapped: list[Flags] = field(default_factory=list)
    #: The cells of the page whose size was asked for last, and their bits.
    tried: tuple[Cells, CellCosts] | None = None

    @property
    def short(self) -> bool:
        """Whether words have faded for want of capacity."""
        return self.faded is not None and not all(kept.all() for kept in self.faded.kept)

    def layout(self) -> FadedLayout | None:
        """The page as it was laid out again; None if it is drawn as it was."""
        if self.faded is None:
            return None
        pairs = zip(self.faded.texts, self.origins, strict=True)
        texts = [replace(text, origin=origin[text.origin]) for text, origin in pairs]
        return FadedLayout(Page(self.page.layout, self.cells, tuple(self.placements)), texts)


class _Fader:
    """Fades pages to one tier."""

    def __init__(self, spec: TierSpec, costable: CostableCodec | None, typesetter: Typesetter) -> None:
        self.spec = spec
        self.costable = costable
        self.typesetter = typesetter
        #: In bytes, or in text tokens; None if nothing has to fade.
        self.capacity = spec.bytes_per_page if costable is not None else spec.text_tokens

    def draft(self, page: AnnotatedPage) -> _Draft:
        """The page as it is drawn first: as it was if it fits."""
        costs = self._costs(page.cells)
        messages = []
        for message in page.messages:
            words = words_of(message.entry.content, message.entry.gaps)
            own = costs.reshape(-1)[message.start : message.stop]
            messages.append(MessageWords(message.entry, words, word_bits(words, message.cell, own)))
        origins = [np.arange(len(message.entry.content)) for message in page.messages]
        aim = int((self.capacity or 0) * (AIM if self.costable is not None else 1))
        draft = _Draft(page, page.cells, costs, messages, [], origins, aim)
        if self.capacity is not None and messages and self._taken(page.cells, costs) > self.capacity:
            self._fade(draft)
        return draft

    def correct(self, draft: _Draft, tokens: VisionTokens, reading: Reading | None, *, attempt: int) -> bool:
        """Lays the page out again if it does not fit, leaves much of it free, or does not read as it was drawn; False
        if all is well. `attempt`: how often it was drawn before."""
        if self.capacity is None or reading is None or not draft.messages:
            return False
        refill, last = attempt < REFILLS, attempt >= ATTEMPTS - LAST_ATTEMPTS
        seen, used = match_rows(reading.cells, draft.cells), len(tokens.data)
        stored = _stored_cells(draft.cells, seen)
        wrong = _misread_words(draft, seen, stored, wary=not (refill or stored < draft.cells.size))
        marks = _misread_marks(draft, seen, stored)
        cut, misread = stored < draft.cells.size, any(flags.any() for flags in wrong) or len(marks) > 0
        spare = refill and draft.short and not draft.grown and not cut and used < LEAST * self.capacity
        if cut:
            taken = float(draft.costs.reshape(-1)[:stored].sum()) / 8
            draft.aim = int(min(draft.aim, taken) * AIM)
        elif spare:
            draft.aim, draft.grown = int(draft.aim * AIM * self.capacity / used), True
        if not (cut or spare or misread):
            return False
        if (last or not (cut or refill)) and self._write_gaps(draft, wrong, marks, 0 if last else used):
            return True
        self._score(draft)
        if not refill and draft.faded is not None:
            wrong = [flags | ~kept for flags, kept in zip(wrong, draft.faded.kept, strict=True)]
        _remove(draft, [flags | gone for flags, gone in zip(wrong, draft.gapped or wrong, strict=True)])
        draft.gapped = []
        if draft.short:
            draft.messages = [replace(m, entry=replace(m.entry, header=False)) for m in draft.messages]
        self._fade(draft)
        return True

    def _write_gaps(self, draft: _Draft, wrong: Sequence[Flags], marks: npt.NDArray[np.int64], used: int) -> bool:
        """Writes gaps over the words that are `wrong`, and others over the `marks` that are misread, so that nothing
        else moves and reads otherwise than before; False if the page might not fit then. `marks`: cells; `used`: the
        bytes of its tokens so far."""
        if draft.faded is None or self.capacity is None:
            return False
        cells, texts = draft.cells.copy(), list(draft.faded.texts)
        write_other_marks(cells.reshape(-1), marks)
        for number, (placement, words) in enumerate(zip(draft.placements, wrong, strict=True)):
            run, drawn = (each.reshape(-1)[placement.start : placement.stop] for each in (cells, draft.cells))
            before = transcribe(drawn, layout=draft.page.layout, start=placement.start)
            bad = [w for w, flag in zip(draft.messages[number].words, words, strict=True) if flag]
            write_gaps(run, before, texts[number], bad)
            if (run != drawn).any():
                after = transcribe(run, layout=draft.page.layout, start=placement.start)
                origin = texts[number].origin[np.searchsorted(before.cell, after.cell, side="right") - 1]
                texts[number] = FadedText(after.text, frozenset(after.gaps.tolist()), origin)
        costs = self._costs(cells)
        gaps = sum(map(np.count_nonzero, wrong))
        if used * float(costs.sum() / draft.costs.sum()) + GAP_BYTES * gaps > FULL * self.capacity:
            return False
        draft.cells, draft.costs, draft.faded = cells, costs, replace(draft.faded, texts=tuple(texts))
        draft.gapped = [a | b for a, b in zip(draft.gapped or wrong, wrong, strict=True)]
        return True

    def _fade(self, draft: _Draft) -> None:
        """Lays the page out again with what fits."""
        self._score(draft)
        scale = BYTES_PER_BIT if draft.faded is None else draft.faded.bytes_per_bit
        draft.faded = fade(draft.messages, draft.salience, draft.aim, partial(self._size, draft), scale)
        page = self.typesetter.page(draft.faded.entries)
        if draft.tried is None or not np.array_equal(draft.tried[0], page.cells):
            draft.tried = page.cells, self._costs(page.cells)
        draft.cells, draft.costs = draft.tried
        draft.placements = _all_placements(page, [message.entry for message in draft.messages], draft.faded.texts)

    def _score(self, draft: _Draft) -> None:
        """Works out the salience of the words of the page, once: before any is taken out. A word that may be misread is
        less salient than any other."""
        if draft.salience:
            return
        texts = [message.entry.content for message in draft.messages]
        scorer: SalienceScorer = text_salience
        if self.costable is not None:
            listed = (plain(t[w.start : w.stop]) for t, m in zip(texts, draft.messages, strict=True) for w in m.words)
            alone = isolated_bits(dict.fromkeys(listed), self.typesetter, self._costs)
            scorer = partial(text_salience, isolated_bits=alone)
        salience = scorer(draft.messages)
        for refine in draft.page.refinements:
            salience = refine(draft.messages, salience)
        for message, annotated, scores in zip(draft.messages, draft.page.messages, salience, strict=True):
            doubt = np.concatenate([[0], np.cumsum(annotated.likely_misread)])
            doubtful = [number for number, word in enumerate(message.words) if doubt[word.stop] > doubt[word.start]]
            scores[doubtful] %= 1
        draft.salience = salience

    def _costs(self, cells: Cells) -> CellCosts:
        if self.costable is None:
            return np.full(cells.shape, BITS_PER_CELL, dtype=np.float32)
        return self.costable.cost(cells, self.spec.name)

    def _size(self, draft: _Draft, entries: Sequence[Entry]) -> int:
        """What `entries`, set on a page, take of the capacity."""
        page = self.typesetter.page(entries)
        if len(page.placements) < len(entries) or page.placements[-1].char_stop < len(entries[-1].content):
            return _NO_ROOM
        costs = self._costs(page.cells)
        draft.tried = page.cells, costs
        return self._taken(page.cells, costs)

    def _taken(self, cells: Cells, costs: CellCosts) -> int:
        """What a page takes of the capacity."""
        return count_text_tokens(grid_text(cells)) if self.costable is None else int(costs.sum() / 8) + 1


def _all_placements(page: Page, entries: Sequence[Entry], texts: Sequence[FadedText]) -> list[Placement]:
    """The placements of all messages, whose characters count from the start of `texts`. One without text has no
    cells."""
    by_id = {placement.message_id: placement for placement in page.placements}
    placements: list[Placement] = []
    position = 0
    for entry, text in zip(entries, texts, strict=True):
        placement = by_id.get(entry.message_id)
        if placement is None:
            placement = Placement(entry.message_id, entry.thread, position, position, position, 0, len(text.text))
        position = placement.stop
        placements.append(placement)
    return placements


def is_cut(drawn: Cells, reading: Reading) -> bool:
    """Whether the tokens of a page do not hold all of what is drawn, uint32[rows, columns]."""
    return _stored_cells(drawn, match_rows(reading.cells, drawn)) < drawn.size


def _stored_cells(drawn: Cells, seen: Cells) -> int:
    """How many cells of a page its tokens hold: all, or those before the gap that stands for what did not fit. `drawn`:
    the page, uint32[rows, columns]; `seen`: what its tokens read as, of the same shape."""
    if seen[-1, -1] != ord(GAP_MARK) or drawn[-1, -1] == ord(GAP_MARK):
        return drawn.size
    others = np.flatnonzero(seen.reshape(-1) != ord(GAP_MARK))
    return int(others[-1]) + 1 if len(others) else 0


def _misread_words(draft: _Draft, seen: Cells, stored: int, *, wary: bool) -> list[Flags]:
    """The words of each message that do not read as they were drawn in the first `stored` cells. `wary`: also those
    with a character that is often misread there."""
    drawn, read = draft.cells.reshape(-1), seen.reshape(-1)
    wrong = np.zeros(drawn.size, dtype=bool)
    wrong[:stored] = (_unspaced(drawn[:stored]) != _unspaced(read[:stored])) & (drawn[:stored] != ord(GAP_MARK))
    if wary:
        characters, of, total = np.unique(drawn[:stored], return_inverse=True, return_counts=True)
        misread = np.bincount(of[wrong[:stored]], minlength=len(characters))
        wrong[:stored] |= ((misread > 1) & (misread >= OFTEN * total))[of]
    flags = [np.zeros(len(message.words), dtype=bool) for message in draft.messages]
    if not wrong.any():
        return flags
    for number, message in enumerate(draft.messages):
        if draft.faded is None:
            annotated = draft.page.messages[number]
            start, stop, cell = annotated.start, annotated.stop, annotated.cell
            origin = np.arange(len(message.entry.content))
        else:
            placement, origin = draft.placements[number], draft.faded.texts[number].origin
            start, stop = placement.start, placement.stop
            cell = transcribe(drawn[start:stop], layout=draft.page.layout, start=start).cell
        if not wrong[start:stop].any():
            continue
        before = np.concatenate([[0], np.cumsum(wrong[start:stop])])
        begins = np.append(cell, stop - start)
        bad = np.flatnonzero(before[begins[1:]] > before[begins[:-1]])
        near = np.unique(np.clip(np.add.outer(bad, np.arange(-_BESIDE, _BESIDE + 1)), 0, len(cell) - 1))
        hit = np.zeros(len(message.entry.content) + 1, dtype=np.int64)
        hit[origin[near]] = 1
        hits = np.concatenate([[0], np.cumsum(hit)])
        flags[number][:] = [hits[word.stop] > hits[word.start] for word in message.words]
    return flags


def _misread_marks(draft: _Draft, seen: Cells, stored: int) -> npt.NDArray[np.int64]:
    """The cells of marks of gaps that do not read as such, of the first `stored` cells."""
    if draft.faded is None:
        return np.zeros(0, dtype=np.int64)
    drawn, read = draft.cells.reshape(-1)[:stored], seen.reshape(-1)[:stored]
    return np.flatnonzero((drawn == ord(GAP_MARK)) & (read != ord(GAP_MARK)))


def _unspaced(cells: Cells) -> Cells:
    """`cells` with blanks in place of spaces, which look alike."""
    return np.where(cells == 0x20, np.uint32(BLANK), cells)


def _remove(draft: _Draft, gone: Sequence[Flags]) -> None:
    """Takes the words that are `gone` out of the messages."""
    for number, (message, flags) in enumerate(zip(draft.messages, gone, strict=True)):
        if not flags.any():
            continue
        entry, kept = message.entry, ~flags
        left = faded(entry.content, message.words, kept, entry.gaps, continues_after=entry.end != Edge.WHOLE)
        written = replace(entry, content=left.text, gaps=left.gaps)
        draft.messages[number] = MessageWords(written, words_of(left.text, left.gaps), message.bits[kept])
        draft.salience[number] = draft.salience[number][kept]
        draft.origins[number] = draft.origins[number][left.origin]
