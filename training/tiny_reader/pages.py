"""Pages for a model that is trained here: messages out of a small vocabulary, typeset and drawn by the renderer."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image

from foxing.renderer import BLANK, WIDE_TAIL, Cells, Entry, Page, PageLayout, Typesetter, render
from foxing.renderer.page import MESSAGE_MARK, THREAD_MARK

#: Large cells with room between the rows: a token shows 4 of them at `tiny`, one at `base`.
TINY_PAGE = PageLayout(
    columns=32, rows=8, cell_width_px=40, cell_height_px=160, newline="break", font="dejavu-sans-mono", cropped=False
)
#: What the model can write. The tokenizer knows nothing else; all other characters are one unknown token.
ALPHABET = "\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!:;'-/()" + MESSAGE_MARK + THREAD_MARK
_WORDS = """
about after again all along also always and answer any apple April around ask August autumn away back bakery
bank battery be because bed before behind bell bird black blue boat book both bread bridge bring brother build
but butter buy by call can carpenter chair change chapter children church city clean clock close coat coffee
cold colour come cook corner could cross cup dark day December dinner doctor dog door down draw drink drive
early east eat egg email empty enough evening every eye family far fast father February few field find finish
fire first fish five floor flower follow food for forest four Friday friend from full game garden give glass go
good grass great green group half hand happen harbour have he hear help her here high hill his home hotel hour
house how if in invoice is island it January July June just keep key kitchen know lake lamp large late learn
leave left letter library light line listen little long look lost lunch many map March market May meet message
milk Monday money month morning mother mountain move much music name near need never new next night nine no
north not November now number October of offer office old on one open or order other our out over page paid
paper park part pay pen people place plan plant plate platform please point price question quick rain read ready
red report rest ride right river road room round salt same Saturday say school sea second see send September
seven she ship shop short should show sister six sleep slow small snow some song soon soup south spring square
stand star start station still stone stop story street summer Sunday table take talk tall tea teacher tell ten
tent test that the their them then there they thing think three through Thursday ticket time today together
tomorrow too town train tree Tuesday two umbrella under until up us very wait walk wall want warm was water we
Wednesday week went west what wheel when where which white who why will wind window winter with without wood
word work would write year yellow yes yesterday you young your zero
"""
WORDS = tuple(_WORDS.split())
#: So many cells of a row are read in one go, after a mark that says where they stand.
RUN_CELLS = 8
ROLES = ("user", "assistant", "tool", "system")
NAMES = ("Ana", "Ben", "Chloe", "David", "Eva", "Finn")
THREADS = ("main", "work", "home", "travel", "garden", "school")
_STRANGE = ((0x391, 0x3A9), (0x3B1, 0x3C9), (0x5D0, 0x5EA), (0x2190, 0x21FF), (0x10D0, 0x10F0))


class Scribe:
    """Messages and pages without end, the same for the same seed. Those of different seeds share words, not texts."""

    def __init__(self, seed: int, layout: PageLayout = TINY_PAGE) -> None:
        self.layout = layout
        self._random = random.Random(seed)
        self._typesetter = Typesetter(layout)
        self._times = datetime(2020, 1, 1, tzinfo=UTC)

    def text(self, strings: float = 0.0) -> str:
        """What a message says. `strings`: share of the words that are letters and digits without meaning."""
        sentences = [self._sentence(strings) for _ in range(self._random.choice((1, 1, 2, 2, 3)))]
        text = sentences[0]
        for sentence in sentences[1:]:
            text += ("\n" if self._random.random() < 0.15 else " ") + sentence
        return text

    def entries(self, strings: float = 0.0) -> Iterator[Entry]:
        """Messages of one or several threads, in time order, without end."""
        pick = self._random
        at = self._times + timedelta(minutes=pick.randrange(10 * 365 * 24 * 60))
        thread, number = pick.choice(THREADS), 0
        while True:
            if number and pick.random() < 0.15:
                thread = pick.choice(THREADS)
            name = pick.choice(NAMES) if pick.random() < 0.2 else None
            text = self.text(strings)
            cut = pick.randrange(len(text)) if not number and pick.random() < 0.3 else 0
            yield Entry(str(number), pick.choice(ROLES), text, at, thread, name, cut)
            step = pick.choice((0, 1, 2, 3, 5, 12, 45, 200, 1500, 5000))
            at, number = at + timedelta(minutes=step), number + 1

    def page(self, strings: float = 0.0) -> Page:
        """A page, mostly full."""
        source = self.entries(strings)
        count = 12 if self._random.random() < 0.75 else self._random.choice((1, 2))
        return self._typesetter.page([next(source) for _ in range(count)])

    def foreign_page(self) -> Page:
        """A page whose words are of characters that the alphabet lacks."""
        first, last = self._random.choice(_STRANGE)
        at = self._times + timedelta(minutes=self._random.randrange(10 * 365 * 24 * 60))
        text = " ".join(self._foreign_word(first, last) for _ in range(self._random.randint(5, 50)))
        return self._typesetter.page([Entry("0", self._random.choice(ROLES), text, at, self._random.choice(THREADS))])

    def _foreign_word(self, first: int, last: int) -> str:
        return "".join(chr(self._random.randint(first, last)) for _ in range(self._random.randint(2, 9)))

    def _sentence(self, strings: float) -> str:
        words = [self._word(strings) for _ in range(self._random.randint(3, 10))]
        words[0] = words[0][:1].upper() + words[0][1:]
        for index in range(1, len(words) - 1):
            if self._random.random() < 0.08:
                words[index] += self._random.choice(",,,;:")
        return " ".join(words) + self._random.choice("...?!")

    def _word(self, strings: float) -> str:
        kind = self._random.random()
        if kind < strings:
            letters = ALPHABET[2:]
            return "".join(self._random.choice(letters) for _ in range(self._random.randint(2, 9)))
        if kind < strings + 0.06:
            return str(self._random.randrange(10 ** self._random.randint(1, 5)))
        if kind < strings + 0.08:
            return f"{self._random.randrange(24):02d}:{self._random.randrange(60):02d}"
        return self._random.choice(WORDS)


def mark(row: int, run: int, layout: PageLayout = TINY_PAGE) -> str:
    """Where a run of cells stands, as DeepSeek-OCR writes boxes when it grounds a text: in thousandths of the page."""
    across, down = 1000 * RUN_CELLS // layout.columns, 1000 // layout.rows
    box = [run * across, row * down, (run + 1) * across - 1, (row + 1) * down - 1]
    return f"<|det|>[{box}]<|/det|>"


def page_lines(cells: Cells) -> list[str]:
    """The rows of a page without the blank cells at their ends."""
    lines = []
    for row in cells:
        used = np.flatnonzero(row != BLANK)
        points = row[: int(used[-1]) + 1] if len(used) else row[:0]
        points = np.where(points == BLANK, np.uint32(0x20), points)
        lines.append(points[points != WIDE_TAIL].astype("<u4").tobytes().decode("utf-32-le"))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def page_text(cells: Cells) -> str:
    """What stands on a page: its rows as lines."""
    return "\n".join(page_lines(cells))


def written(lines: Sequence[str]) -> list[str]:
    """The tokens that the model is to write for the rows of a page: a mark before each run of cells, then its
    characters. It so says where it is reading, and learns where to look from a few pages."""
    tokens: list[str] = []
    for row, line in enumerate(lines):
        if row:
            tokens.append("\n")
        for run, start in enumerate(range(0, len(line), RUN_CELLS)):
            tokens += [mark(row, run), *line[start : start + RUN_CELLS]]
    return tokens


def draw(page: Page, tier: str) -> Image.Image:
    """The page as an image of `tier`."""
    return render(page.cells, page.layout, tier)
