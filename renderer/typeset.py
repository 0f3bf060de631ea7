"""Typesetting: messages → cells on the grid of a page.

Every Unicode string survives the round trip. Characters that a page cannot show are typeset as an escape, `⟦` +
hexadecimal code point + `⟧`: control characters, soft hyphens, joiners and other invisible characters, lone surrogates,
characters without a glyph or outside the repertoire, literal marks, and characters that would resolve to a look-alike
(see `confusables`). `foxing.renderer.transcription` is the inverse.

Text layout libraries do not fit: they place glyphs at pixel positions, and a page needs cells that transcribe to
exactly the original text.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .breaks import CONTEXT, Edge, best_break, edge_at
from .errors import RenderError
from .layout import DENSE_PAGE, PageLayout
from .marks import (
    CONTINUATION_MARK,
    ESCAPE_CLOSE,
    ESCAPE_OPEN,
    FILLER_MARK,
    MESSAGE_MARK,
    NEWLINE_MARK,
    TAB_MARK,
    THREAD_MARK,
)
from .page import BLANK, PADDING, WIDE_TAIL, Cells, Page, Placement
from .repertoire import ESCAPED, NARROW, WIDE, Repertoire, full_repertoire

_ROW_BREAK = 3  # a unit that ends the row; only inside this module
_ATTEMPTS = 8  # at choosing the look-alikes to escape, before all look-alikes of a message are escaped
_FILLER = np.array([ord(FILLER_MARK)], dtype=np.uint32)
_HEX = np.array([*map(ord, "0123456789ABCDEF")], dtype=np.uint32)
_HEX_DIGITS = 6  # maximum per character

#: Unicode categories of characters that must not begin a row, and of those that must not end one. In scripts without
#: spaces a row may break at any other character.
_NOT_FIRST = frozenset({"Pe", "Pf", "Po", "Pd", "Lm", "Mn", "Mc", "Me", "Cf", "Sk"})
_NOT_LAST = frozenset({"Ps", "Pi", "Sc", "Cf"})
#: Small kana, which must not begin a row either.
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ")
#: Line-breaking properties of a character: it is a word by itself, must not begin a row, must not end one, is a digit.
_ALONE = 1
_STAYS_AFTER = 2
_STAYS_BEFORE = 4
_DIGIT = 8


@dataclass(frozen=True)
class Entry:
    """Message to typeset."""

    message_id: str
    role: str
    content: str
    #: Timezone-aware; shown on the page in UTC, to the minute.
    created_at: datetime
    thread: str = ""
    name: str | None = None
    #: Number of characters of `content` that are already on earlier pages.
    skip_chars: int = 0
    #: Offsets of the gaps in `content`: `GAP_MARK`s that are typeset as themselves, not as escapes.
    gaps: frozenset[int] = frozenset()
    #: Reference of the message, ASCII, which the header shows in brackets; empty for none.
    ref: str = ""
    #: Words that follow the role in the header, each after a slash: whose words these are; `web`, for instance.
    marks: tuple[str, ...] = ()
    #: Whether the page shows thread, role, name and time. If not, the header is a single mark.
    header: bool = True
    #: Edges of `content` if it is part of a message; page breaks within `content` add their own.
    begin: Edge = Edge.WHOLE
    end: Edge = Edge.WHOLE


_Flags = npt.NDArray[np.bool_]


class _Units(NamedTuple):
    """Characters to place, or placed cells, each with the index of the text character to which it belongs."""

    values: Cells
    owners: npt.NDArray[np.int64]


class _Setting(NamedTuple):
    """Entry as cells: its header, the part of its content that fits, and the length of that part in characters."""

    header: Cells
    body: Cells
    characters: int
    #: Edge at the end of the part.
    end: Edge


class _Rest(NamedTuple):
    """Part of a message that is still to be typeset."""

    #: Text, up to the length that can affect the page break.
    text: str
    #: Edge at the end of the message.
    end: Edge
    #: Minimum number of characters to take, if they fit.
    minimum: int


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Returns the code points of `text`, lone surrogates included: uint32[len(text)]."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)


def escape(character: str) -> str:
    """Returns the escape of one character, such as "⟦1F⟧"."""
    return f"{ESCAPE_OPEN}{ord(character):X}{ESCAPE_CLOSE}"


class Typesetter:
    """Typesets messages onto pages of one layout, with escapes for characters outside `repertoire` (default: every
    character with a glyph)."""

    def __init__(self, layout: PageLayout = DENSE_PAGE, repertoire: Repertoire | None = None) -> None:
        self.layout = layout
        self.repertoire = repertoire or full_repertoire()

    def page(self, entries: Sequence[Entry]) -> Page:
        """Typesets as many of `entries`, in order, as fit on one page, and returns the page.

        The last message may be cut at the place that `best_break` chooses; `char_stop` of its placement is where.
        Messages without a placement did not fit. If the layout has `break_marks`, a message that spans pages is marked
        in its headers: a second `MESSAGE_MARK` if it begins on an earlier page, and a `CONTINUATION_MARK` at the end of
        the header if it continues on a later page; one mark more if the page break is inside a word. A header that
        leaves no room for content on an empty page is omitted, so that every page takes at least one character. Raises
        `RenderError` for naive times or an empty sequence.
        """
        if not entries:
            raise RenderError("a page needs at least one message")
        flat = np.full(self.layout.cells, BLANK, dtype=np.uint32)
        placements: list[Placement] = []
        position = 0
        before = None
        for entry in entries:
            setting = self._set(entry, before, position)
            if setting is None:
                break
            start = position + len(setting.header)
            stop = start + len(setting.body)
            flat[position:start] = setting.header
            flat[start:stop] = setting.body
            char_stop = entry.skip_chars + setting.characters
            placements.append(
                Placement(entry.message_id, entry.thread, position, start, stop, entry.skip_chars, char_stop)
            )
            position = stop
            before = entry
            if char_stop < len(entry.content):
                break
            if self.layout.newline == "break":
                position += -position % self.layout.columns
        rows = max(1, -(-position // self.layout.columns))
        cells = flat[: rows * self.layout.columns].reshape(rows, self.layout.columns)
        cells.setflags(write=False)
        return Page(self.layout, cells, tuple(placements))

    def pages(self, entries: Sequence[Entry]) -> list[Page]:
        """Typesets all of `entries` on as many pages as they need. Raises `RenderError` for naive times."""
        queue = list(entries)
        pages = []
        while queue:
            page = self.page(queue)
            pages.append(page)
            queue = remaining(queue, page)
        return pages

    def cost(self, entry: Entry) -> int:
        """Returns a lower bound of the cells that `entry` takes: with its shortest possible header, without fillers,
        counting at most as many characters of its text as a page has cells."""
        header = f"{MESSAGE_MARK}{entry.role} {entry.name} " if entry.name else f"{MESSAGE_MARK}{entry.role} "
        header = header if entry.header else MESSAGE_MARK
        text = entry.content[entry.skip_chars : entry.skip_chars + self.layout.cells]
        units = _units(code_points(header + text), self.repertoire, "mark")
        return int(load_atlas().width[units.values].sum())

    def _set(self, entry: Entry, before: Entry | None, position: int) -> _Setting | None:
        """Sets `entry` from cell `position` on; returns None if nothing of it fits. `before`: the entry above it, if
        any."""
        first = before is None
        marked = entry.end
        setting = self._fit(self._header(entry, before, marked), entry, position, first=first)
        for end in (Edge.BETWEEN, Edge.INSIDE):
            if setting.end == end != marked:  # a longer mark in the header may move the break
                marked = end
                setting = self._fit(self._header(entry, before, marked), entry, position, first=first)
        fits = position + len(setting.header) <= self.layout.cells
        if fits and (setting.characters or entry.skip_chars == len(entry.content)):
            return setting
        return self._fit("", entry, 0, first=True) if first else None

    def _header(self, entry: Entry, before: Entry | None, end: Edge) -> str:
        begin = edge_at(entry.content, entry.skip_chars) if entry.skip_chars else entry.begin
        return _header(entry, before, *((begin, end) if self.layout.break_marks else (Edge.WHOLE, Edge.WHOLE)))

    def _fit(self, header: str, entry: Entry, position: int, *, first: bool) -> _Setting:
        """Sets `header` from cell `position` on, and the content that fits between it and the end of the page. `first`:
        whether to take at least one character."""
        room = max(0, self.layout.cells - position)
        # A character takes at least one cell; without this limit the time would be quadratic in the message length.
        text = entry.content[entry.skip_chars : entry.skip_chars + room + 1]
        following = entry.content[entry.skip_chars + len(text) : entry.skip_chars + len(text) + CONTEXT]
        gaps = [place - entry.skip_chars for place in sorted(entry.gaps)]
        tail = _Rest(text + following, entry.end, int(first))
        confusables = self.repertoire.confusables
        if confusables is None or (text.isascii() and (entry.thread + entry.role + (entry.name or "")).isascii()):
            return self._cut(header, text, None, gaps, position, tail)
        points = code_points(header + text)
        if confusables.plain(points):
            return self._cut(header, text, None, gaps, position, tail)
        setting = self._cut(header, text, self._misread(points), gaps, position, tail)
        for attempt in range(1, _ATTEMPTS + 1):
            if setting.characters == len(text):
                break
            # text that does not fit no longer affects how the rest resolves
            text = text[: setting.characters]
            points = points[: len(header) + len(text)]
            escaped = self._misread(points) if attempt < _ATTEMPTS else confusables.ambiguous(points)
            setting = self._cut(header, text, escaped, gaps, position, tail)
        return setting

    def _misread(self, points: Cells) -> _Flags:
        """Returns bool[len(points)]: characters of a message and its header that would resolve to a look-alike."""
        units = _units(points, self.repertoire, "mark")
        misread = np.zeros(len(points), dtype=bool)
        if self.repertoire.confusables is not None:
            misread[units.owners[self.repertoire.confusables.canonical(units.values) != units.values]] = True
        return misread

    def _cut(
        self, header: str, text: str, escaped: _Flags | None, gaps: Sequence[int], position: int, tail: _Rest
    ) -> _Setting:
        """Sets `header` and as much of `text` as fits. `escaped`: bool, characters of both to escape; `gaps`: offsets
        of gaps in `text`, possibly outside of it; `tail`: the remaining message, which begins with `text`."""
        in_header, in_text = (None, None) if escaped is None else (escaped[: len(header)], escaped[len(header) :])
        header_units = _units(code_points(header), self.repertoire, "mark", in_header)
        header_cells = _place(header_units, position, self.layout).values
        start = position + len(header_cells)
        room = max(0, self.layout.cells - start)
        gaps_in_text = [place for place in gaps if 0 <= place < len(text)]
        units = _units(code_points(text), self.repertoire, self.layout.newline, in_text, gaps_in_text)
        units = _place(units, start, self.layout)
        characters = len(text)
        if len(units.values) > room:
            limit = int(units.owners[room])  # the first character that does not fit entirely
            characters = best_break(tail.text, limit, self.layout.cells, minimum=min(tail.minimum, limit))
        body = units.values[: int(np.searchsorted(units.owners, characters))]
        end = tail.end if characters == len(tail.text) else edge_at(tail.text, characters)
        return _Setting(header_cells, body, characters, end)


def remaining(entries: Sequence[Entry], page: Page) -> list[Entry]:
    """Returns the part of `entries` that is not on `page`; a cut message continues where it was cut."""
    stops = {placement.message_id: placement.char_stop for placement in page.placements}
    entries_left = []
    for entry in entries:
        stop = stops.get(entry.message_id)
        if stop is None:
            entries_left.append(entry)
        elif stop < len(entry.content):
            entries_left.append(replace(entry, skip_chars=stop))
    return entries_left


def _header(entry: Entry, before: Entry | None, begin: Edge, end: Edge) -> str:
    """Returns the header of a part with the edges `begin` and `end`: thread, reference, role, name, date and time; only
    marks if the entry has no header. Thread, date and time are left out where they equal those of the entry `before`.
    The mark of the end replaces the last blank."""
    if not entry.header:  # its parts begin and end between words
        return MESSAGE_MARK * (1 + min(begin, Edge.BETWEEN)) + CONTINUATION_MARK * min(end, Edge.BETWEEN)
    if before is not None and not before.header:
        before = None
    same_thread = before is not None and before.thread == entry.thread
    at = _utc(entry)
    last = _utc(before) if before is not None and same_thread else None
    role = "/".join((entry.role, *entry.marks))
    words = [f"{MESSAGE_MARK * (1 + begin)}[{entry.ref}]", role] if entry.ref else []
    words = words or [f"{MESSAGE_MARK * (1 + begin)}{role}"]
    if entry.name:
        words.append(entry.name)
    if last is None or at.date() != last.date():
        words.append(f"{at.year:04d}-{at.month:02d}-{at.day:02d}")
    if last is None or at.replace(second=0, microsecond=0) != last.replace(second=0, microsecond=0):
        words.append(f"{at.hour:02d}:{at.minute:02d}")
    thread = f"{THREAD_MARK}{entry.thread} " if entry.thread and not same_thread else ""
    return thread + " ".join(words) + (CONTINUATION_MARK * end or " ")


def _utc(entry: Entry) -> datetime:
    if entry.created_at.utcoffset() is None:
        raise RenderError(f"message '{entry.message_id}' has a time without a timezone; add one")
    try:
        return entry.created_at.astimezone(UTC)
    except OverflowError as error:
        raise RenderError(f"the time of message '{entry.message_id}' is out of range in UTC; correct it") from error


def _units(
    points: Cells, repertoire: Repertoire, newline: str, escaped: _Flags | None = None, gaps: Sequence[int] = ()
) -> _Units:
    """Replaces characters of `points` that a page cannot show by escapes and marks, and those flagged in `escaped` by
    escapes. `gaps`: offsets of gap marks, which are kept."""
    owners = np.arange(len(points), dtype=np.int64)
    kinds = repertoire.kind[points]
    if escaped is not None:
        kinds[escaped] = ESCAPED
    kinds[list(gaps)] = NARROW
    special = np.flatnonzero(kinds >= ESCAPED)
    if not len(special):
        return _Units(points, owners)
    characters = points[special]
    hidden = kinds[special] == ESCAPED
    ends_line = characters == ord("\n")
    digits = 1 + np.sum([characters >= 1 << 4 * n for n in range(1, _HEX_DIGITS)], axis=0)
    lengths = np.ones(len(points), dtype=np.int64)
    lengths[special] = np.where(hidden, 2 + digits, np.where(ends_line, 1, len(TAB_MARK)))
    values = np.repeat(points, lengths)
    starts = (np.cumsum(lengths) - lengths)[special]
    values[starts[~hidden & ends_line]] = ord(NEWLINE_MARK) if newline == "mark" else _ROW_BREAK
    values[starts[~hidden & ~ends_line, None] + np.arange(len(TAB_MARK))] = code_points(TAB_MARK)
    values[starts[hidden]] = ord(ESCAPE_OPEN)
    for n in range(_HEX_DIGITS):
        long = hidden & (digits > n)
        values[starts[long] + digits[long] - n] = _HEX[(characters[long] >> 4 * n) & 15]
    values[starts[hidden] + digits[hidden] + 1] = ord(ESCAPE_CLOSE)
    return _Units(values, np.repeat(owners, lengths))


def _place(units: _Units, position: int, layout: PageLayout) -> _Units:
    """Places `units` as cells from cell `position` on. Full-width characters take two cells, and start on an even
    column unless `wrap` is "words"; fillers and padding belong to the character after them."""
    if layout.wrap == "words":
        return _place_words(units, position % layout.columns, layout.columns)
    wide = load_atlas().width[units.values] == WIDE
    breaks = units.values == _ROW_BREAK
    if not wide.any() and not breaks.any():
        return units
    edges = np.flatnonzero(np.diff(wide) | breaks[1:] | breaks[:-1]) + 1
    starts = [0, *edges.tolist()]
    cells: list[Cells] = []
    owners: list[npt.NDArray[np.int64]] = []
    for start, stop in zip(starts, [*starts[1:], len(units.values)], strict=True):
        part = units.values[start:stop]
        part_owners = units.owners[start:stop]
        if breaks[start]:
            part = _row_break(position, layout.columns)
            part_owners = part_owners.repeat(len(part))
        elif wide[start]:
            if position % 2:
                cells.append(_FILLER)
                owners.append(part_owners[:1])
                position += 1
            part = _with_tails(part)
            part_owners = part_owners.repeat(2)
        cells.append(part)
        owners.append(part_owners)
        position += len(part)
    return _Units(np.concatenate(cells), np.concatenate(owners))


def _place_words(units: _Units, column: int, columns: int) -> _Units:
    """Places `units` as cells from `column` on. A word that does not fit in the rest of a row begins the next row; a
    word longer than a row breaks anywhere. The last column holds no ink: a space there ends a row."""
    if not len(units.values):
        return units
    width = load_atlas().width[units.values].astype(np.int64)
    if len(width) < columns - column and (width == 1).all():
        return units
    ink = np.where(units.values == ord(" "), 0, width)
    starts = np.flatnonzero(_word_starts(units.values))
    inked = np.add.reduceat(ink, starts).tolist()
    widths = np.add.reduceat(width, starts).tolist()
    cells: list[Cells] = []
    owners: list[npt.NDArray[np.int64]] = []
    placed = 0

    def end_row(unit: int, value: int) -> None:
        """Places all units before `unit`, and fills the rest of the row with `value`."""
        nonlocal placed
        cells.extend((units.values[placed:unit], np.full(columns - column, value, dtype=np.uint32)))
        owners.extend((units.owners[placed:unit], np.full(columns - column, units.owners[unit], dtype=np.int64)))
        placed = unit

    for start, stop, word, length in zip(
        starts.tolist(), [*starts[1:].tolist(), len(width)], inked, widths, strict=True
    ):
        if units.values[start] == _ROW_BREAK:
            end_row(start, BLANK)
            placed = stop
            column = 0
        elif column + word < columns:
            column = (column + length) % columns
        elif word < columns:
            end_row(start, PADDING)
            column = length % columns
        else:
            for unit in range(start, stop):
                if column + ink[unit] >= columns:
                    end_row(unit, PADDING)
                    column = 0
                column = (column + int(width[unit])) % columns
    cells.append(units.values[placed:])
    owners.append(units.owners[placed:])
    values = np.concatenate(cells)
    wide = load_atlas().width[values] == WIDE
    where = np.repeat(np.arange(len(values)), 1 + wide)
    spread = values[where]
    spread[1:][where[1:] == where[:-1]] = WIDE_TAIL
    return _Units(spread, np.concatenate(owners)[where])


def _word_starts(values: Cells) -> _Flags:
    """Returns bool[len(values)]: the first character, and characters before which a row may end."""
    starts = np.ones(len(values), dtype=bool)
    before = values[:-1]
    after = values[1:]
    breaks = (after == _ROW_BREAK) | (before == _ROW_BREAK)
    for mark in (" ", NEWLINE_MARK, TAB_MARK):
        breaks |= before == ord(mark)
    if (load_atlas().width[values] == WIDE).any():
        distinct, where = np.unique(values, return_inverse=True)
        bonds = np.array([_bonds(point) for point in distinct.tolist()], dtype=np.uint8)[where]
        first = bonds[:-1]
        second = bonds[1:]
        between = ((first | second) & _ALONE > 0) & (after != ord(" "))
        between &= (first & _STAYS_BEFORE == 0) & (second & _STAYS_AFTER == 0)
        between &= (first & _DIGIT == 0) | (second & _ALONE == 0)  # a number and its unit
        breaks |= between
    starts[1:] = breaks
    return starts


@lru_cache(maxsize=1 << 14)
def _bonds(point: int) -> int:
    """Returns the line-breaking properties of a character. A full-width character is a word by itself, except Hangul,
    which has spaces between words, Latin letters and digits."""
    character = chr(point)
    category = unicodedata.category(chr(point))
    wide = load_atlas().width[point] == WIDE
    alone = wide and category not in ("Nd", "Lu", "Ll") and not unicodedata.name(character, "").startswith("HANGUL")
    stays_after = category in _NOT_FIRST or character in _SMALL_KANA
    return (
        _ALONE * alone
        | _STAYS_AFTER * stays_after
        | _STAYS_BEFORE * (category in _NOT_LAST)
        | _DIGIT * (category == "Nd")
    )


def _row_break(position: int, columns: int) -> Cells:
    """Returns the cells of a row break, from `position` to the end of the row."""
    blanks = columns - position % columns
    # a single blank in the last column would look like a space
    return np.full(blanks, ord(NEWLINE_MARK) if blanks == 1 else BLANK, dtype=np.uint32)


def _with_tails(characters: Cells) -> Cells:
    cells = np.full(2 * len(characters), WIDE_TAIL, dtype=np.uint32)
    cells[::2] = characters
    return cells
