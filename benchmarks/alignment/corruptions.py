"""Errors that vision models make in the text of a page, simulated with a fixed seed."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from unicodedata import east_asian_width

#: One line of text per row of the page, blank rows included.
Lines = list[str]
Corruption = Callable[[Lines, random.Random], Lines]

LETTERS = "etaoinshrdlucmfwypvbgkjqxz0123456789.,:;'-"
#: Code points that replace full-width characters: Hangul syllables.
WIDE = range(0xAC00, 0xD7A4)
#: Offset that marks the code point of a misread character until `corrupted` returns.
MISREAD = 0x100000
#: Columns of a printed page. A row filled up to the last column but one may continue in the next row.
COLUMNS = 80
MARKS = "▶◆"
_NUMBER = re.compile(r"\d[\d.,:]*\d|\d")
_COLUMN = re.compile(r"\s{2,}|(?<=[,;|])\s*")


def exact(lines: Lines, rng: random.Random) -> Lines:
    """Returns the lines unchanged."""
    return lines


def misread(share: float) -> Corruption:
    """Returns a corruption that misreads `share` of the characters: of these, 80 % are substituted, 10 % are followed
    by an inserted character, and 10 % are deleted. Wrong characters are marked with `MISREAD`."""

    def corrupt(lines: Lines, rng: random.Random) -> Lines:
        return ["".join(_misread(character, share, rng) for character in line) for line in lines]

    return corrupt


def _misread(character: str, share: float, rng: random.Random) -> str:
    if rng.random() >= share:
        return character
    way = rng.random()
    if way < 0.8:
        wide = east_asian_width(character) == "W"
        return chr(MISREAD + (rng.choice(WIDE) if wide else ord(rng.choice(LETTERS))))
    return character + chr(MISREAD + ord(rng.choice(LETTERS))) if way < 0.9 else ""


def without_blank_lines(lines: Lines, rng: random.Random) -> Lines:
    """Drops blank lines."""
    return [line for line in lines if line.strip()]


def blank_lines_added(lines: Lines, rng: random.Random) -> Lines:
    """Inserts a blank line before each message and before one other row in ten."""
    added: Lines = []
    for line in lines:
        added += ["", line] if line[:1] in MARKS or rng.random() < 0.1 else [line]
    return added


def a_line_lost(lines: Lines, rng: random.Random) -> Lines:
    """Drops a random line that is not blank."""
    lost = rng.choice([number for number, line in enumerate(lines) if line.strip()] or [0])
    return lines[:lost] + lines[lost + 1 :]


def first_line_lost(lines: Lines, rng: random.Random) -> Lines:
    """Drops the first line."""
    return lines[1:]


def rows_joined(lines: Lines, rng: random.Random) -> Lines:
    """Joins rows that continue in the next one."""
    joined: Lines = []
    full = False
    for line in lines:
        if full and line.strip() and line[:1] not in MARKS:
            joined[-1] = joined[-1].ljust(_ends_at(joined[-1])) + line
        else:
            joined.append(line)
        full = len(line) >= COLUMNS - 1
    return joined


def _ends_at(line: str) -> int:
    """Length of a line rounded up to whole rows, so that a blank in the last column is kept."""
    return -(-len(line) // COLUMNS) * COLUMNS


def tables_and_formulas(lines: Lines, rng: random.Random) -> Lines:
    """Turns every third message into an HTML table and writes numbers in LaTeX."""
    result: Lines = []
    rows: Lines = []
    messages = 0
    for line in [*lines, MARKS[0]]:
        messages += line[:1] in MARKS
        if rows and line[:1] in MARKS:
            result.append(f"<table>{''.join(rows)}</table>")
            rows = []
        line = _NUMBER.sub(r"\\(\g<0>\\)", line).replace("%", r"\%")
        if messages % 3 == 0:
            columns = [column for column in _COLUMN.split(line) if column]
            rows.append(f"<tr>{''.join(f'<td>{column}</td>' for column in columns)}</tr>")
        else:
            result.append(line)
    return result[:-1] if messages % 3 else result


def one_line(lines: Lines, rng: random.Random) -> Lines:
    """Joins all lines into one, with a blank after each mark."""
    text = " ".join(line for line in lines if line.strip())
    for mark in MARKS:
        text = text.replace(mark, f"{mark} ")
    return [text]


#: Name → corruption, in the order in which combinations are applied.
CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "rows exact": exact,
        "one line lost": a_line_lost,
        "first line lost": first_line_lost,
        "blank lines dropped": without_blank_lines,
        "wrapped rows joined": rows_joined,
        "blank lines added": blank_lines_added,
        "2 % of characters wrong": misread(0.02),
        "5 % of characters wrong": misread(0.05),
        "tables as HTML, numbers as LaTeX": tables_and_formulas,
        "marks with blanks, all on one line": one_line,
    }
)


def corrupted(lines: Sequence[str], names: Sequence[str], seed: int) -> tuple[str, list[bool]]:
    """Returns the text of a page after the corruptions `names`, and for each of its characters whether it is misread.
    The result is deterministic for a seed."""
    rng = random.Random(f"{seed} {' + '.join(names)}")
    changed = list(lines)
    for name, corruption in CORRUPTIONS.items():
        if name in names:
            changed = corruption(changed, rng)
    text = "\n".join(changed)
    misread = [ord(character) >= MISREAD for character in text]
    return "".join(chr(ord(character) % MISREAD) for character in text), misread
