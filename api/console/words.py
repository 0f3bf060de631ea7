"""Remembered words as HTML: escaped, with gaps, doubtful characters and matched terms marked."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from markupsafe import Markup, escape

from foxing.memory import RecalledMessage

#: Characters of a text on one page. A link leads on to the rest.
SHOWN_CHARS = 20_000
#: Stands for what has faded.
GAP_MARK = "⋯"
#: Widest gap, in characters.
_WIDEST = 60
#: Control characters, and those that turn or hide text, are shown by their code.
_CODES = (
    *chain(range(0x00, 0x09), (0x0B, 0x0C), range(0x0E, 0x20), range(0x7F, 0xA0)),
    *chain((0x061C, 0x200E, 0x200F), range(0x2028, 0x202F), range(0x2060, 0x2070), (0xFEFF,), range(0xFFF9, 0xFFFC)),
    *range(0xE0000, 0xE0080),
)
_VISIBLE = {code: f"⟨U+{code:04X}⟩" for code in _CODES}
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Returns a text in which no character is hidden, turns the text around, or cannot be encoded."""
    return _SURROGATE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.translate(_VISIBLE))


def marked_words(
    message: RecalledMessage, gap_mark: str, terms: Sequence[str] = (), start: int = 0, stop: int = SHOWN_CHARS
) -> Markup:
    """Returns characters `start` to `stop` of a message. A gap is as wide as the characters that it stands for, on
    average: the memory keeps how much has faded of a message, not how much at each place. `gap_mark`: that of the
    message's text; `terms`: words to mark."""
    text = message.text
    stop = min(stop, len(text))
    gap = gap_mark_of(message, gap_mark)
    pattern = terms_pattern(terms)
    parts: list[Markup] = []
    at = start
    for begin, end, sure in marked_runs(message, gap_mark, start, stop):
        parts.append(plain_words(text[at:begin], pattern))
        if sure is None:
            parts.append(gap)
        else:
            level = min(4, int((1 - sure) * 5))
            parts.append(
                Markup('<span class="doubt d{}" title="confidence {:.0%}">{}</span>').format(
                    level, sure, plain_words(text[begin:end], pattern)
                )
            )
        at = end
    parts.append(plain_words(text[at:stop], pattern))
    return Markup().join(parts)


def gap_mark_of(message: RecalledMessage, gap_mark: str) -> Markup:
    """Returns what stands for a gap of a message: as wide as the characters that it stands for, on average."""
    width = _gap_chars(message, gap_mark)
    label = f"about {width} characters have faded"
    return Markup('<span class="gap g{}" role="img" aria-label="{}" title="{}">⋯</span>').format(
        min(width, _WIDEST) // 5, label, label
    )


def doubt_mark(level: int) -> str:
    """Returns the begin of a doubtful run. `level`: 0 to 4, 4 for the most doubtful."""
    return f'<span class="doubt d{level}" title="confidence {100 - 20 * (level + 1)} to {100 - 20 * level} %">'


def marked_runs(
    message: RecalledMessage, gap_mark: str, start: int, stop: int
) -> Iterable[tuple[int, int, float | None]]:
    """Yields gaps, with None, and doubtful runs with their confidence, in text order and apart from each other."""
    gaps = [(offset, offset + len(gap_mark), None) for offset in message.gaps]
    at = start
    for begin, end, sure in sorted([*gaps, *message.uncertain], key=lambda run: run[:2]):
        begin = max(begin, at)
        end = min(end, stop)
        if begin < end:
            yield begin, end, sure
            at = end


def _gap_chars(message: RecalledMessage, gap_mark: str) -> int:
    """Returns the characters that a gap of a message stands for, on average."""
    if not message.gaps or not message.kept:
        return 1
    length = len(message.text) - len(gap_mark) * len(message.gaps)
    return max(1, round(length * (1 - message.kept) / message.kept / len(message.gaps)))


def terms_pattern(terms: Sequence[str]) -> re.Pattern[str] | None:
    """Returns the pattern of words that begin with one of the terms; None without terms."""
    words = sorted({term for term in terms if len(term) > 1}, key=len, reverse=True)[:50]
    return re.compile(f"(?:{'|'.join(map(re.escape, words))})\\w*", re.IGNORECASE) if words else None


def plain_words(text: str, pattern: re.Pattern[str] | None) -> Markup:
    """Returns a text, escaped and visible, with the matches of a pattern marked."""
    if pattern is None:
        return escape(visible(text))
    parts: list[Markup] = []
    at = 0
    for match in pattern.finditer(text):
        parts += [escape(visible(text[at : match.start()])), Markup("<mark>{}</mark>").format(visible(match[0]))]
        at = match.end()
    return Markup().join([*parts, escape(visible(text[at:]))])
