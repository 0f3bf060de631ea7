"""Typesetting: messages onto the grid of a page, and back from cells to text.

Every Unicode string survives. What a page cannot show is typeset as an escape, `⟦` + hexadecimal code point + `⟧`:
control characters, lone surrogates, characters without a glyph or outside the reader's repertoire, and the marks
themselves where they stand in a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .atlas import load_atlas
from .errors import RenderError
from .layout import DENSE_PAGE, PageLayout
from .page import (
    BLANK,
    ESCAPE_CLOSE,
    ESCAPE_OPEN,
    FILLER_MARK,
    MESSAGE_MARK,
    NEWLINE_MARK,
    RESERVED,
    TAB_MARK,
    THREAD_MARK,
    WIDE_TAIL,
    Cells,
    Page,
    Span,
)

_LINE_BREAK = 2  # only inside this module: a unit that breaks the row
_NARROW, _WIDE, _ESCAPED, _MARKED = 1, 2, 3, 4
_HEX_DIGITS = frozenset("0123456789ABCDEF")
_LONGEST_ESCAPE = 6  # hexadecimal digits
_NEEDED = "0123456789ABCDEF " + RESERVED + MESSAGE_MARK + THREAD_MARK  # what headers and escapes are made of


@dataclass(frozen=True)
class Entry:
    """A message as the typesetter takes it. `created_at` must be timezone-aware; the page shows it in UTC."""

    message_id: str
    role: str
    content: str
    created_at: datetime
    thread: str = ""
    name: str | None = None
    skip_chars: int = 0  # characters already typeset on an earlier page


class Repertoire:
    """The characters a reader can read; what is outside it is typeset as an escape. `None`: all that have a glyph."""

    def __init__(self, characters: str | None = None) -> None:
        atlas = load_atlas()
        kind = np.full(len(atlas.width), _ESCAPED, dtype=np.uint8)
        if characters is None:
            shown = np.flatnonzero(atlas.width)
        else:
            shown = np.unique(np.array([ord(c) for c in characters], dtype=np.int64))
            without_glyph = shown[atlas.width[shown] == 0]
            if len(without_glyph):
                raise RenderError(f"U+{int(without_glyph[0]):04X} is in the repertoire but has no glyph")
        kind[shown] = atlas.width[shown]
        missing = [c for c in _NEEDED if kind[ord(c)] != _NARROW]
        if missing:
            raise RenderError(f"the repertoire lacks {''.join(missing)!r}, which every page needs; add them")
        kind[0x7F:0xA0] = _ESCAPED  # control characters, though Unifont has pictures of them
        kind[[ord(c) for c in RESERVED]] = _ESCAPED
        kind[[ord("\n"), ord("\t")]] = _MARKED
        self.kind: npt.NDArray[np.uint8] = kind


@lru_cache(maxsize=1)
def full_repertoire() -> Repertoire:
    """Every character that has a glyph."""
    return Repertoire()


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """uint32[len(text)]; lone surrogates are kept."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)


def escape(character: str) -> str:
    return f"{ESCAPE_OPEN}{ord(character):X}{ESCAPE_CLOSE}"


def _units(text: str, repertoire: Repertoire, newline: str) -> tuple[Cells, npt.NDArray[np.int64]]:
    """What stands on the page for `text`, one code point a unit, and for each unit which character it came from."""
    points = code_points(text)
    owner = np.arange(len(points), dtype=np.int64)
    kinds = repertoire.kind[points]
    special = np.flatnonzero(kinds >= _ESCAPED)
    if not len(special):
        return points, owner
    pieces: list[Cells] = []
    owners: list[npt.NDArray[np.int64]] = []
    before = 0
    for index in special.tolist():
        pieces.append(points[before:index])
        owners.append(owner[before:index])
        if kinds[index] == _ESCAPED:
            piece = code_points(escape(chr(points[index])))
        elif points[index] == 0x0A:
            piece = np.array([ord(NEWLINE_MARK) if newline == "mark" else _LINE_BREAK], dtype=np.uint32)
        else:
            piece = code_points(TAB_MARK)
        pieces.append(piece)
        owners.append(np.full(len(piece), index, dtype=np.int64))
        before = index + 1
    pieces.append(points[before:])
    owners.append(owner[before:])
    return np.concatenate(pieces), np.concatenate(owners)


def _place(
    units: Cells, owner: npt.NDArray[np.int64], position: int, layout: PageLayout
) -> tuple[Cells, npt.NDArray[np.int64]]:
    """Units as cells beginning at cell `position`: full-width characters take two and start on an even column.

    Returns the cells and, for each, the character it belongs to (fillers belong to the character they precede).
    """
    width = load_atlas().width[units]
    is_break = units == _LINE_BREAK
    if not (width == _WIDE).any() and not is_break.any():
        return units, owner
    wide = width == _WIDE
    edges = np.flatnonzero(np.diff(wide) | is_break[1:] | is_break[:-1]) + 1
    starts = [0, *edges.tolist()]
    pieces: list[Cells] = []
    owners: list[npt.NDArray[np.int64]] = []
    filler = np.array([ord(FILLER_MARK)], dtype=np.uint32)
    for start, stop in zip(starts, [*starts[1:], len(units)], strict=True):
        run, run_owner = units[start:stop], owner[start:stop]
        if is_break[start]:
            blanks = layout.columns - position % layout.columns
            # a blank in the last column alone looks like the space of a text that goes on
            run = np.full(blanks, ord(NEWLINE_MARK) if blanks == 1 else BLANK, dtype=np.uint32)
            run_owner = np.full(blanks, owner[start], dtype=np.int64)
        elif wide[start]:
            if position % 2:
                pieces.append(filler)
                owners.append(run_owner[:1])
                position += 1
            doubled = np.full(2 * len(run), WIDE_TAIL, dtype=np.uint32)
            doubled[::2] = run
            run, run_owner = doubled, np.repeat(run_owner, 2)
        pieces.append(run)
        owners.append(run_owner)
        position += len(run)
    return np.concatenate(pieces), np.concatenate(owners)


def _utc(entry: Entry) -> datetime:
    if entry.created_at.utcoffset() is None:
        raise RenderError(f"message '{entry.message_id}' has a time without timezone; give it one")
    try:
        return entry.created_at.astimezone(UTC)
    except OverflowError as error:
        raise RenderError(f"message '{entry.message_id}' has a time that UTC cannot express; give it in UTC") from error


def _header(entry: Entry, before: Entry | None, show_thread: bool) -> str:
    """Role, name and time; the date and the time only where they differ from the message before."""
    at = _utc(entry)
    last = _utc(before) if before is not None and not show_thread else None
    words = [f"{MESSAGE_MARK}{entry.role}"]
    if entry.name:
        words.append(entry.name)
    if last is None or at.date() != last.date():
        words.append(f"{at.year:04d}-{at.month:02d}-{at.day:02d}")
    if last is None or at.replace(second=0, microsecond=0) != last.replace(second=0, microsecond=0):
        words.append(f"{at.hour:02d}:{at.minute:02d}")
    thread = f"{THREAD_MARK}{entry.thread} " if show_thread and entry.thread else ""
    return thread + " ".join(words) + " "


class Typesetter:
    """Sets messages onto pages of one layout for one repertoire."""

    def __init__(self, layout: PageLayout = DENSE_PAGE, repertoire: Repertoire | None = None) -> None:
        self.layout = layout
        self.repertoire = repertoire or full_repertoire()

    def page(self, entries: Sequence[Entry]) -> Page:
        """One page with as many of `entries`, in their order, as it holds.

        A message that does not fit is cut between characters; its span's `char_stop` says where. Messages without a
        span did not fit at all. A header that leaves no room for its message on an empty page is left out, so a page
        always takes something. Raises `RenderError` for naive times or an empty sequence.
        """
        if not entries:
            raise RenderError("a page needs at least one message")
        capacity = self.layout.cells
        flat = np.full(capacity, BLANK, dtype=np.uint32)
        spans: list[Span] = []
        position, before = 0, None
        for entry in entries:
            text = _header(entry, before, before is None or before.thread != entry.thread)
            header, _ = _place(*_units(text, self.repertoire, "mark"), position, self.layout)
            start = position + len(header)
            body, placed = self._fit(entry, start)
            pending = len(entry.content) - entry.skip_chars
            if start > capacity or (pending and not placed):
                if spans:
                    break
                header, start = header[:0], 0
                body, placed = self._fit(entry, start)
            flat[position:start] = header
            flat[start : start + len(body)] = body
            stop = start + len(body)
            spans.append(
                Span(entry.message_id, entry.thread, position, start, stop, entry.skip_chars, entry.skip_chars + placed)
            )
            position, before = stop, entry
            if placed < pending:
                break
            if self.layout.newline == "break" and position % self.layout.columns:
                position += self.layout.columns - position % self.layout.columns
        rows = max(1, -(-position // self.layout.columns))
        cells = flat[: rows * self.layout.columns].reshape(rows, self.layout.columns)
        cells.setflags(write=False)
        return Page(self.layout, cells, tuple(spans))

    def _fit(self, entry: Entry, start: int) -> tuple[Cells, int]:
        """What of the content fits between cell `start` and the end of the page, and how many characters that is."""
        room = max(0, self.layout.cells - start)
        # Each character takes a cell or more; without this limit, time would be quadratic in the length of a message.
        text = entry.content[entry.skip_chars : entry.skip_chars + room + 1]
        cells, owner = _place(*_units(text, self.repertoire, self.layout.newline), start, self.layout)
        if len(cells) <= room:
            return cells, len(text)
        placed = int(owner[room])  # the first character that does not fit whole
        return cells[: int(np.searchsorted(owner, placed))], placed

    def pages(self, entries: Sequence[Entry]) -> list[Page]:
        """All of `entries` on as many pages as they need."""
        rest, pages = list(entries), []
        while rest:
            page = self.page(rest)
            pages.append(page)
            rest = remaining(rest, page)
        return pages

    def cost(self, entry: Entry) -> int:
        """Cells that `entry` takes at least: without fillers, under the shortest header it can have."""
        header = f"{MESSAGE_MARK}{entry.role} {entry.name} " if entry.name else f"{MESSAGE_MARK}{entry.role} "
        units, _ = _units(header + entry.content[entry.skip_chars :], self.repertoire, "mark")
        return int(load_atlas().width[units].sum())


def remaining(entries: Sequence[Entry], page: Page) -> list[Entry]:
    """What of `entries` the page did not take, a cut message from where it was cut."""
    stops = {span.message_id: span.char_stop for span in page.spans}
    rest = []
    for entry in entries:
        stop = stops.get(entry.message_id)
        if stop is None:
            rest.append(entry)
        elif stop < len(entry.content):
            rest.append(
                Entry(entry.message_id, entry.role, entry.content, entry.created_at, entry.thread, entry.name, stop)
            )
    return rest


@dataclass(frozen=True)
class Transcription:
    """Cells read back as text. `confidence`: float32[len(text)] in [0, 1]; `cell`: int64[len(text)], where each
    character begins, counted from the first cell given."""

    text: str
    confidence: npt.NDArray[np.float32]
    cell: npt.NDArray[np.int64]


def transcribe(
    cells: Cells,
    confidence: npt.NDArray[np.float32] | None = None,
    *,
    layout: PageLayout = DENSE_PAGE,
    start: int = 0,
) -> Transcription:
    """The text that stands in `cells` (a run in reading order that begins at cell `start` of its page).

    The inverse of typesetting. `confidence` is one number a cell; an escape has that of its least sure cell. A broken
    escape, as a bad reading may hold, stays as it is.
    """
    flat = np.asarray(cells, dtype=np.uint32).reshape(-1)
    sure = (
        np.ones(len(flat), dtype=np.float32) if confidence is None else np.asarray(confidence, np.float32).reshape(-1)
    )
    index = np.arange(len(flat), dtype=np.int64)
    if layout.newline == "break":
        flat = _breaks_as_marks(flat, layout.columns, start)
    keep = (flat != WIDE_TAIL) & (flat != ord(FILLER_MARK)) & (flat != 3)
    flat, sure, index = flat[keep], sure[keep], index[keep]
    flat = np.where(flat == BLANK, np.uint32(0x20), flat)
    flat = np.where(flat == ord(NEWLINE_MARK), np.uint32(0x0A), flat)
    flat = np.where(flat == ord(TAB_MARK), np.uint32(0x09), flat)
    text = flat.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    if ESCAPE_OPEN not in text:
        return Transcription(text, sure, index)
    return _unescape(text, sure, index)


def _breaks_as_marks(flat: Cells, columns: int, start: int) -> Cells:
    """Blank tails of rows become one newline mark and dropped cells (value 3). One blank alone at the end of a row
    stays: it is a space that has no ink, since a new line there has its mark."""
    out = flat.copy()
    position = 0
    while position < len(out):
        stop = min(len(out), position + columns - (start + position) % columns)
        row = out[position:stop]
        whole_tail = (start + stop) % columns == 0
        used = np.flatnonzero(row != BLANK)
        tail = position + (int(used[-1]) + 1 if len(used) else 0)
        if whole_tail and tail < stop - 1:
            out[tail] = ord(NEWLINE_MARK)
            out[tail + 1 : stop] = 3
        position = stop
    return out


def _unescape(text: str, sure: npt.NDArray[np.float32], index: npt.NDArray[np.int64]) -> Transcription:
    characters: list[str] = []
    sources: list[int] = []
    least: list[float] = []
    position = 0
    while position < len(text):
        character, width = text[position], 1
        if character == ESCAPE_OPEN:
            close = text.find(ESCAPE_CLOSE, position + 1, position + _LONGEST_ESCAPE + 2)
            digits = text[position + 1 : close] if close > 0 else ""
            if digits and _HEX_DIGITS.issuperset(digits) and int(digits, 16) <= 0x10FFFF:
                character, width = chr(int(digits, 16)), close + 1 - position
        characters.append(character)
        sources.append(position)
        least.append(float(sure[position : position + width].min()))
        position += width
    return Transcription("".join(characters), np.array(least, dtype=np.float32), index[sources])
