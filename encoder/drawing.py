"""Drawing pages at a tier of a codec: text that exceeds the tier's capacity, or that is misread, fades.

A page of a codec with costs is typeset again until its tokens fit and every word reads as it was drawn, so that no text
is invented. A page of another codec fades to the number of text tokens that its model reads well at the tier.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.renderer import Entry, Page, Typesetter, render
from foxing.renderer.breaks import Edge
from foxing.renderer.fading import (
    BITS_PER_CELL,
    BYTES_PER_BIT,
    FACT,
    CellCosts,
    FadedPage,
    FadedText,
    MessageWords,
    Salience,
    fade,
    faded,
    isolated_bits,
    score_page,
    units_of,
    word_bits,
    words_of,
)
from foxing.renderer.interruption import collect
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, Cells, Placement, grid_text
from foxing.renderer.processors import usable_processors
from foxing.renderer.transcription import Transcription, transcribe

from .annotation import AnnotatedPage, Flags, match_rows
from .capabilities import CostableCodec, capabilities_of
from .contract import Codec, Reading, TierSpec
from .gap_cells import write_gaps, write_other_marks
from .text_tokens import count_text_tokens
from .tokens import VisionTokens

#: Confidence from which a cell is all but certain.
SURE = 0.999
#: Share of other cells above which the confidences of a page take space.
UNSURE_SHARE = 0.01
#: Maximum number of times that a page is drawn. Text that is still misread after that is flagged, or cut.
ATTEMPTS = 7
#: Number of attempts in which other words replace misread ones. These may be misread as well.
REFILLS = 1
#: Target size of a faded page as a share of the capacity, estimated from the costs of its cells at first, then from the
#: size of its last tokens.
AIM = 0.985
#: Minimum size of a faded page as a share of the capacity; a smaller page is typeset again with more words.
MIN_FILL = 0.95
#: In this many last attempts, gaps replace all misread words, even if the page is cut as a result.
LAST_ATTEMPTS = 3
#: Gaps replace words only if the estimated size of the page stays below this share of the capacity.
MAX_FILL = 0.98
#: Bytes of such a gap, which include the confidences of the text around it: it is read with less.
GAP_BYTES = 4.5
#: A character counts as often misread if more than one and at least this share of its occurrences on the page are.
OFTEN_MISREAD = 0.3
#: Characters on each side of a misread blank that count as misread with it.
_BESIDE = 1
_NO_ROOM = 1 << 40
WORKERS = min(8, usable_processors())


class MisreadFact(NamedTuple):
    """Fact that does not decode as drawn, so that its cells became a gap."""

    #: Number of its message on the page.
    message: int
    #: Half-open range of its cells on the page.
    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class FadedLayout:
    """Page that was typeset again because something faded."""

    #: Has a placement for each message, in order; the placement of a message that has faded entirely is empty.
    page: Page
    #: Remaining text of each message.
    texts: Sequence[FadedText]
    #: Facts that are lost unless their text is stored beside the page.
    misread_facts: Sequence[MisreadFact] = ()


@dataclass(frozen=True)
class DrawnPage:
    """Page as drawn at a tier."""

    #: uint32[rows, columns]: the cells as drawn.
    cells: Cells
    tokens: VisionTokens
    #: Reading of the tokens, if they were decoded; None otherwise.
    reading: Reading | None
    #: New layout; None if the page was drawn unchanged.
    faded: FadedLayout | None
    #: Whether facts have faded, because they alone exceed the tier's maximum.
    facts_faded: bool = False


class PageDrawer:
    """Drawer and encoder of pages for one codec. Thread-safe."""

    def __init__(self, codec: Codec, *, confidences: bool = True) -> None:
        """`confidences`: False for a caller that stores which cells do not decode as drawn: confidences say nothing
        more, and where they take space, other words get it."""
        self.codec = codec
        self._verifiable = None if confidences else capabilities_of(codec).verifiable
        self._costable = capabilities_of(codec).costable
        self._typesetter = Typesetter(codec.layout, codec.repertoire)

    def draw(self, pages: Sequence[AnnotatedPage], tier: str) -> list[DrawnPage]:
        """Draws and encodes each page at `tier`. Raises `CodecError`."""
        fader = _Fader(self.codec.tiers[tier], self._costable, self._typesetter)
        drawn: dict[int, DrawnPage] = {}
        unsure: dict[int, VisionTokens] = {}
        with ThreadPoolExecutor(WORKERS, "foxing-fading") as pool:
            drafts = dict(enumerate(collect(pool.map(fader.draft, pages))))
            for attempt in range(ATTEMPTS):
                images = [render(draft.cells, draft.page.layout, tier) for draft in drafts.values()]
                encoded = self.codec.encode(images, tier)
                read = self.codec.decode(encoded) if self._costable is not None else [None] * len(encoded)
                if attempt == 0:
                    unsure = {n: encoded[n] for n, reading in enumerate(read) if _is_unsure(reading)}
                    for number, certain in self._without_confidences(unsure).items():
                        drafts[number].stored_share = len(certain.data) / len(encoded[number].data)
                for (number, draft), tokens, reading in zip(drafts.items(), encoded, read, strict=True):
                    drawn[number] = DrawnPage(draft.cells, tokens, reading, draft.layout(), draft.facts_faded)
                if attempt == ATTEMPTS - 1:
                    break
                correct = partial(fader.correct, attempt=attempt)
                again = collect(pool.map(correct, drafts.values(), encoded, read))
                drafts = {number: draft for (number, draft), redo in zip(drafts.items(), again, strict=True) if redo}
                if not drafts:
                    break
        unsure = {n: page.tokens for n, page in drawn.items() if n in unsure or _is_unsure(page.reading)}
        stored = self._without_confidences(unsure)
        for number, reading in zip(stored, self.codec.decode(list(stored.values())) if stored else (), strict=True):
            drawn[number] = replace(drawn[number], tokens=stored[number], reading=reading)
        return [drawn[number] for number in range(len(pages))]

    def _without_confidences(self, tokens: Mapping[int, VisionTokens]) -> dict[int, VisionTokens]:
        """Returns page number → tokens without confidences."""
        if self._verifiable is None or not tokens:
            return {}
        return dict(zip(tokens, self._verifiable.without_confidences(list(tokens.values())), strict=True))


def _is_unsure(reading: Reading | None) -> bool:
    """Returns whether the confidences of a page vary so much that they take space."""
    return reading is not None and float((reading.confidence < SURE).mean()) > UNSURE_SHARE


@dataclass
class _Draft:
    """State of a page between attempts."""

    page: AnnotatedPage
    #: Cells to draw.
    cells: Cells
    #: Cost of each of `cells` in bits.
    costs: CellCosts
    #: Messages without the words that were misread.
    messages: list[MessageWords]
    #: Salience of their words.
    salience: list[Salience]
    #: For each message, offset of each character in the original message, as `FadedText.origin`.
    origins: list[npt.NDArray[np.int64]]
    #: Target size, in bytes or text tokens.
    aim: int
    #: The same for a page whose facts need more.
    fact_aim: int
    #: Result of fading `messages`, and the placements of all messages on `cells`; None and empty if the page is drawn
    #: unchanged.
    faded: FadedPage | None = None
    placements: Sequence[Placement] = ()
    #: Bytes stored in the end ÷ bytes of tokens with confidences.
    stored_share: float = 1.0
    #: Whether the target size was raised once.
    grown: bool = False
    #: bool[words] for each message: words that gaps have replaced in place.
    gapped: list[Flags] = field(default_factory=list)
    #: The facts among them.
    misread_facts: list[MisreadFact] = field(default_factory=list)
    #: Cells of the page that was measured last, and their costs.
    tried: tuple[Cells, CellCosts] | None = None

    @property
    def short(self) -> bool:
        """True if words have faded for lack of capacity."""
        return self.faded is not None and not all(flags.all() for flags in self.faded.kept)

    @property
    def of_facts(self) -> bool:
        """True if only facts are left, which need more than the target size."""
        return self.faded is not None and self.faded.size > self.aim

    @property
    def facts_faded(self) -> bool:
        """True if facts have faded for lack of capacity."""
        return self.faded is not None and self.faded.facts_faded

    def layout(self) -> FadedLayout | None:
        """Returns the new layout; None if the page is drawn unchanged."""
        if self.faded is None:
            return None
        pairs = zip(self.faded.texts, self.origins, strict=True)
        texts = [replace(text, origin=origin[text.origin]) for text, origin in pairs]
        flat = self.cells.reshape(-1)
        facts = [fact for fact in self.misread_facts if (flat[fact.start : fact.stop] == ord(GAP_MARK)).all()]
        return FadedLayout(Page(self.page.layout, self.cells, tuple(self.placements)), texts, facts)


class _Fader:
    """Fader of pages to one tier."""

    def __init__(self, spec: TierSpec, costable: CostableCodec | None, typesetter: Typesetter) -> None:
        self.spec = spec
        self.costable = costable
        self.typesetter = typesetter
        #: Capacity in bytes, or in text tokens for a codec without costs; None if nothing has to fade.
        self.capacity = spec.bytes_per_page if costable is not None else spec.text_tokens
        #: The same for a page whose facts need more.
        self.fact_capacity = spec.max_bytes if costable is not None else spec.text_tokens

    def draft(self, page: AnnotatedPage) -> _Draft:
        """Returns the first draft of a page: unchanged if it fits."""
        costs = self._costs(page.cells)
        messages = []
        for message in page.messages:
            words = words_of(message.entry.content, message.entry.gaps)
            own = costs.reshape(-1)[message.start : message.stop]
            messages.append(MessageWords(message.entry, words, word_bits(words, message.cell, own)))
        origins = [np.arange(len(message.entry.content)) for message in page.messages]
        share = AIM if self.costable is not None else 1
        aim, fact_aim = (int((capacity or 0) * share) for capacity in (self.capacity, self.fact_capacity))
        draft = _Draft(page, page.cells, costs, messages, [], origins, aim, fact_aim)
        if self.capacity is not None and messages and self._taken(page.cells, costs) > self.capacity:
            self._fade(draft)
        return draft

    def correct(self, draft: _Draft, tokens: VisionTokens, reading: Reading | None, *, attempt: int) -> bool:
        """Changes the draft if its tokens are cut, leave much of the capacity unused, or are misread; returns False if
        no change is needed. Misread words make room for others at first, then gaps replace them; misread facts stay
        until gaps replace them. `attempt`: number of earlier attempts."""
        if self.capacity is None or reading is None or not draft.messages:
            return False
        refill = attempt < REFILLS
        last = attempt >= ATTEMPTS - LAST_ATTEMPTS
        seen = match_rows(reading.cells, draft.cells)
        used = int(len(tokens.data) * draft.stored_share)
        stored = _stored_cells(draft.cells, seen)
        wrong = _misread_words(draft, seen, stored, wary=not (refill or stored < draft.cells.size))
        marks = _misread_marks(draft, seen, stored)
        cut = stored < draft.cells.size
        misread = any(flags.any() for flags in wrong) or len(marks) > 0
        over = used > self.capacity and not (cut or draft.of_facts)
        spare = refill and draft.short and not draft.grown and not cut and used < MIN_FILL * self.capacity
        if cut:
            estimate = float(draft.costs.reshape(-1)[:stored].sum()) / 8
            draft.fact_aim = int(min(draft.fact_aim, estimate) * AIM)
            draft.aim = min(draft.aim, draft.fact_aim)
        elif over:
            draft.aim = int(draft.aim * AIM * self.capacity / used)
        elif spare:
            draft.aim = int(draft.aim * AIM * self.capacity / used)
            draft.grown = True
        if not (cut or over or spare or misread):
            return False
        self._score(draft)
        facts = [_exact_words(draft, number) for number in range(len(draft.messages))]
        refill = refill and (cut or over or spare or any((w & ~f).any() for w, f in zip(wrong, facts, strict=True)))
        if (last or not (cut or over or refill)) and self._write_gaps(draft, wrong, marks, 0 if last else used):
            return True
        pairs = zip(wrong, draft.gapped or wrong, facts, strict=True)
        gone = [(flags | gapped) & ~fact for flags, gapped, fact in pairs]
        if not refill and draft.faded is not None:
            gone = [flags | ~stays for flags, stays in zip(gone, draft.faded.kept, strict=True)]
            draft.aim -= int(GAP_BYTES * sum((w & f).sum() for w, f in zip(wrong, facts, strict=True)))
        _remove(draft, gone)
        draft.gapped = []
        draft.misread_facts = []
        if draft.short:
            draft.messages = [replace(m, entry=replace(m.entry, header=False)) for m in draft.messages]
        self._fade(draft)
        return True

    def _write_gaps(self, draft: _Draft, wrong: Sequence[Flags], marks: npt.NDArray[np.int64], used: int) -> bool:
        """Writes gaps over the words that are `wrong` and rewrites the misread gap marks `marks`, in place, so that the
        rest of the page reads as before; returns False, without a change, if the page might then not fit. `marks`:
        int64[n], cells; `used`: bytes of its tokens so far."""
        if draft.faded is None or self.capacity is None:
            return False
        cells = draft.cells.copy()
        texts = list(draft.faded.texts)
        facts = list(draft.misread_facts)
        write_other_marks(cells.reshape(-1), marks)
        for number, (placement, words) in enumerate(zip(draft.placements, wrong, strict=True)):
            run, drawn = (grid.reshape(-1)[placement.start : placement.stop] for grid in (cells, draft.cells))
            before = transcribe(drawn, layout=draft.page.layout, start=placement.start)
            bad = [draft.messages[number].words[i] for i in np.flatnonzero(words).tolist()]
            write_gaps(run, before, texts[number], bad)
            facts += self._misread_facts(draft, number, words & _exact_words(draft, number), before)
            if (run != drawn).any():
                after = transcribe(run, layout=draft.page.layout, start=placement.start)
                origin = texts[number].origin[np.searchsorted(before.cell, after.cell, side="right") - 1]
                texts[number] = FadedText(after.text, frozenset(after.gaps.tolist()), origin)
        costs = np.where(cells == draft.cells, draft.costs, np.float32(0))
        gaps = sum(map(np.count_nonzero, wrong))
        capacity = self.fact_capacity if draft.of_facts else self.capacity
        if used * float(costs.sum() / draft.costs.sum()) + GAP_BYTES * gaps > MAX_FILL * (capacity or 0):
            return False
        draft.cells = cells
        draft.costs = costs
        draft.misread_facts = facts
        draft.faded = replace(draft.faded, texts=tuple(texts))
        draft.gapped = [a | b for a, b in zip(draft.gapped or wrong, wrong, strict=True)]
        return True

    def _misread_facts(self, draft: _Draft, number: int, words: Flags, read: Transcription) -> Iterator[MisreadFact]:
        """Yields the words flagged in `words` of a message, adjacent ones together. `read`: transcription of its
        cells."""
        if draft.faded is None:
            return
        placement = draft.placements[number]
        origin = draft.faded.texts[number].origin
        stops = np.append(read.cell[1:], placement.stop - placement.start)
        content = draft.messages[number].entry.content
        places = draft.messages[number].words
        numbers = np.flatnonzero(words)
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(numbers) else ():
            start = places[run[0]].start
            stop = places[run[-1]].stop
            shown_places = np.flatnonzero((origin >= start) & (origin < stop))
            if len(shown_places) == stop - start:
                first = int(read.cell[shown_places[0]])
                end = int(stops[shown_places[-1]])
                yield MisreadFact(number, placement.start + first, placement.start + end, content[start:stop])

    def _fade(self, draft: _Draft) -> None:
        """Fades the messages to the target size and typesets the page again."""
        self._score(draft)
        scale = BYTES_PER_BIT if draft.faded is None else draft.faded.bytes_per_bit
        size = partial(self._size, draft)
        draft.faded = fade(draft.messages, draft.salience, draft.aim, size, scale, draft.fact_aim)
        page = self.typesetter.page(draft.faded.entries)
        if draft.tried is None or not np.array_equal(draft.tried[0], page.cells):
            draft.tried = page.cells, self._costs(page.cells)
        draft.cells, draft.costs = draft.tried
        draft.placements = _all_placements(page, [message.entry for message in draft.messages], draft.faded.texts)

    def _score(self, draft: _Draft) -> None:
        """Computes the salience of the words of the page once, before words are removed. Words that are likely misread
        get the lowest rank."""
        if draft.salience:
            return
        alone = partial(isolated_bits, typesetter=self.typesetter, cost=self._costs)
        salience, clauses = score_page(draft.messages, None if self.costable is None else alone)
        for refine in draft.page.refinements:
            salience = refine(draft.messages, salience)
        for message, annotated, scores in zip(draft.messages, draft.page.messages, salience, strict=True):
            doubt = np.concatenate([[0], np.cumsum(annotated.likely_misread)])
            doubtful = [number for number, word in enumerate(message.words) if doubt[word.stop] > doubt[word.start]]
            scores[doubtful] %= 1
        draft.salience = salience
        draft.messages = [replace(m, clauses=own) for m, own in zip(draft.messages, clauses, strict=True)]

    def _costs(self, cells: Cells) -> CellCosts:
        if self.costable is None:
            return np.full(cells.shape, BITS_PER_CELL, dtype=np.float32)
        return self.costable.cost(cells, self.spec.name)

    def _size(self, draft: _Draft, entries: Sequence[Entry]) -> int:
        """Returns the size of `entries` typeset on one page, in the unit of the capacity."""
        page = self.typesetter.page(entries)
        if len(page.placements) < len(entries) or page.placements[-1].char_stop < len(entries[-1].content):
            return _NO_ROOM
        costs = self._costs(page.cells)
        draft.tried = page.cells, costs
        return self._taken(page.cells, costs)

    def _taken(self, cells: Cells, costs: CellCosts) -> int:
        """Returns the estimated size of a page in the unit of the capacity."""
        return count_text_tokens(grid_text(cells)) if self.costable is None else int(costs.sum() / 8) + 1


def _all_placements(page: Page, entries: Sequence[Entry], texts: Sequence[FadedText]) -> list[Placement]:
    """Returns a placement for each message, with character offsets in `texts`; an empty one for a message without
    text."""
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
    """Returns whether the tokens of a page are cut, that is, hold less than `drawn`, uint32[rows, columns]."""
    return _stored_cells(drawn, match_rows(reading.cells, drawn)) < drawn.size


def _stored_cells(drawn: Cells, seen: Cells) -> int:
    """Returns the number of cells that the tokens of a page hold: all, or those before the final gap that replaces what
    did not fit. `drawn`: the page, uint32[rows, columns]; `seen`: the decoded cells, of the same shape."""
    if seen[-1, -1] != ord(GAP_MARK) or drawn[-1, -1] == ord(GAP_MARK):
        return drawn.size
    others = np.flatnonzero(seen.reshape(-1) != ord(GAP_MARK))
    return int(others[-1]) + 1 if len(others) else 0


def _exact_words(draft: _Draft, number: int) -> Flags:
    """Returns bool[words]: the words of a message that are kept as text where they are misread: facts, and units of
    notation, which would be worth less with a gap."""
    message = draft.messages[number]
    units = units_of(message.entry.content, message.words, message.entry.gaps)
    exact: Flags = (draft.salience[number] >= FACT) | (units >= 0)
    return exact


def _misread_words(draft: _Draft, seen: Cells, stored: int, *, wary: bool) -> list[Flags]:
    """Returns bool[words] for each message: words misread in the first `stored` cells. `wary`: also words that contain
    a character that is often misread there."""
    wrong = _misread_cells(draft, seen, stored)
    if wary:
        wrong[:stored] |= _often_misread(draft, wrong, stored)
    return _words_at(draft, wrong)


def _misread_cells(draft: _Draft, seen: Cells, stored: int) -> Flags:
    """Returns bool[cells]: the cells misread among the first `stored`, other than gap marks."""
    drawn = draft.cells.reshape(-1)
    read = seen.reshape(-1)
    wrong = np.zeros(drawn.size, dtype=bool)
    wrong[:stored] = (_unspaced(drawn[:stored]) != _unspaced(read[:stored])) & (drawn[:stored] != ord(GAP_MARK))
    return wrong


def _often_misread(draft: _Draft, wrong: Flags, stored: int) -> Flags:
    """Returns bool[stored]: cells with a character that is often misread, see `OFTEN_MISREAD`. `wrong`: bool[cells],
    the misread cells."""
    characters, of, total = np.unique(draft.cells.reshape(-1)[:stored], return_inverse=True, return_counts=True)
    misread = np.bincount(of[wrong[:stored]], minlength=len(characters))
    often: Flags = ((misread > 1) & (misread >= OFTEN_MISREAD * total))[of]
    return often


def _words_at(draft: _Draft, wrong: Flags) -> list[Flags]:
    """Returns bool[words] for each message: the words in the cells of `wrong`, bool[cells]."""
    drawn = draft.cells.reshape(-1)
    flags = [np.zeros(len(message.words), dtype=bool) for message in draft.messages]
    if not wrong.any():
        return flags
    for number, message in enumerate(draft.messages):
        if draft.faded is None:
            annotated = draft.page.messages[number]
            start = annotated.start
            stop = annotated.stop
            cell = annotated.cell
            text = annotated.entry.content
            origin = np.arange(len(text))
        else:
            placement = draft.placements[number]
            origin = draft.faded.texts[number].origin
            start = placement.start
            stop = placement.stop
            read = transcribe(drawn[start:stop], layout=draft.page.layout, start=start)
            cell = read.cell
            text = read.text
        if not wrong[start:stop].any():
            continue
        before = np.concatenate([[0], np.cumsum(wrong[start:stop])])
        begins = np.append(cell, stop - start)
        bad = np.flatnonzero(before[begins[1:]] > before[begins[:-1]])
        blank = np.array([text[place].isspace() for place in bad.tolist()], dtype=bool)
        around_blanks = np.add.outer(bad[blank], np.arange(-_BESIDE, _BESIDE + 1)).reshape(-1)
        affected = np.union1d(bad, np.clip(around_blanks, 0, len(cell) - 1))
        hit = np.zeros(len(message.entry.content) + 1, dtype=np.int64)
        hit[origin[affected]] = 1
        hits = np.concatenate([[0], np.cumsum(hit)])
        flags[number][:] = [hits[word.stop] > hits[word.start] for word in message.words]
    return flags


def _misread_marks(draft: _Draft, seen: Cells, stored: int) -> npt.NDArray[np.int64]:
    """Returns int64[n]: the misread gap marks among the first `stored` cells."""
    if draft.faded is None:
        return np.zeros(0, dtype=np.int64)
    drawn = draft.cells.reshape(-1)[:stored]
    read = seen.reshape(-1)[:stored]
    return np.flatnonzero((drawn == ord(GAP_MARK)) & (read != ord(GAP_MARK)))


def _unspaced(cells: Cells) -> Cells:
    """Returns `cells` with spaces replaced by blanks, which look the same."""
    return np.where(cells == 0x20, np.uint32(BLANK), cells)


def _remove(draft: _Draft, gone: Sequence[Flags]) -> None:
    """Removes the words flagged in `gone` from the messages."""
    for number, (message, flags) in enumerate(zip(draft.messages, gone, strict=True)):
        if not flags.any():
            continue
        entry = message.entry
        stays = ~flags
        remainder = faded(entry.content, message.words, stays, entry.gaps, continues_after=entry.end != Edge.WHOLE)
        written = replace(entry, content=remainder.text, gaps=remainder.gaps)
        clauses = None if message.clauses is None else message.clauses[stays]
        draft.messages[number] = MessageWords(
            written, words_of(remainder.text, remainder.gaps), message.bits[stays], clauses
        )
        draft.salience[number] = draft.salience[number][stays]
        draft.origins[number] = draft.origins[number][remainder.origin]
