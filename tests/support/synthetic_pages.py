"""Synthetic pages: messages of a limited vocabulary, typeset and drawn by the renderer."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image

from foxing.renderer import Entry, Page, PageLayout, Typesetter, render
from foxing.renderer.marks import MESSAGE_MARK, THREAD_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

#: Large cells with space between the rows: a token shows four of them at `tiny`, one at `base`. Without break marks,
#: since the weights were trained before these existed, and `ALPHABET` lacks one of them.
TINY_PAGE = PageLayout(
    columns=32,
    rows=8,
    cell_width_px=40,
    cell_height_px=160,
    newline="break",
    font="dejavu-sans-mono",
    cropped=False,
    break_marks=False,
)
#: Characters that the model can generate; all others are one unknown token.
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
ROLES = ("user", "assistant", "tool", "system")
NAMES = ("Ana", "Ben", "Chloe", "David", "Eva", "Finn")
THREADS = ("main", "work", "home", "travel", "garden", "school")
#: Code points of characters outside the alphabet, in inclusive ranges.
_FOREIGN = ((0x391, 0x3A9), (0x3B1, 0x3C9), (0x5D0, 0x5EA), (0x2190, 0x21FF), (0x10D0, 0x10F0))


class PageGenerator:
    """Endless source of messages and pages, reproducible by its seed. Different seeds share words, but not texts."""

    def __init__(self, seed: int, layout: PageLayout = TINY_PAGE) -> None:
        self.layout = layout
        self._random = random.Random(seed)
        self._typesetter = Typesetter(layout)
        self._start = datetime(2020, 1, 1, tzinfo=UTC)

    def text(self, random_strings: float = 0.0) -> str:
        """Returns the text of a message. `random_strings`: share of the words that are random characters."""
        sentences = [self._sentence(random_strings) for _ in range(self._random.choice((1, 1, 2, 2, 3)))]
        text = sentences[0]
        for sentence in sentences[1:]:
            text += ("\n" if self._random.random() < 0.15 else " ") + sentence
        return text

    def entries(self, random_strings: float = 0.0) -> Iterator[Entry]:
        """Yields endless messages of one or several threads, in time order."""
        random = self._random
        at = self._start + timedelta(minutes=random.randrange(10 * 365 * 24 * 60))
        thread, number = random.choice(THREADS), 0
        while True:
            if number and random.random() < 0.15:
                thread = random.choice(THREADS)
            name = random.choice(NAMES) if random.random() < 0.2 else None
            text = self.text(random_strings)
            cut = random.randrange(len(text)) if not number and random.random() < 0.3 else 0
            yield Entry(str(number), random.choice(ROLES), text, at, thread, name, cut)
            step = random.choice((0, 1, 2, 3, 5, 12, 45, 200, 1500, 5000))
            at, number = at + timedelta(minutes=step), number + 1

    def page(self, random_strings: float = 0.0) -> Page:
        """Returns a page, usually full."""
        source = self.entries(random_strings)
        count = 12 if self._random.random() < 0.75 else self._random.choice((1, 2))
        return self._typesetter.page([next(source) for _ in range(count)])

    def foreign_page(self) -> Page:
        """Returns a page whose words consist of characters outside the alphabet."""
        first, last = self._random.choice(_FOREIGN)
        at = self._start + timedelta(minutes=self._random.randrange(10 * 365 * 24 * 60))
        text = " ".join(self._foreign_word(first, last) for _ in range(self._random.randint(5, 50)))
        return self._typesetter.page([Entry("0", self._random.choice(ROLES), text, at, self._random.choice(THREADS))])

    def _foreign_word(self, first: int, last: int) -> str:
        return "".join(chr(self._random.randint(first, last)) for _ in range(self._random.randint(2, 9)))

    def _sentence(self, random_strings: float) -> str:
        words = [self._word(random_strings) for _ in range(self._random.randint(3, 10))]
        words[0] = words[0][:1].upper() + words[0][1:]
        for index in range(1, len(words) - 1):
            if self._random.random() < 0.08:
                words[index] += self._random.choice(",,,;:")
        return " ".join(words) + self._random.choice("...?!")

    def _word(self, random_strings: float) -> str:
        kind = self._random.random()
        if kind < random_strings:
            letters = ALPHABET[2:]
            return "".join(self._random.choice(letters) for _ in range(self._random.randint(2, 9)))
        if kind < random_strings + 0.06:
            return str(self._random.randrange(10 ** self._random.randint(1, 5)))
        if kind < random_strings + 0.08:
            return f"{self._random.randrange(24):02d}:{self._random.randrange(60):02d}"
        return self._random.choice(WORDS)


def page_lines(cells: Cells) -> list[str]:
    """Returns the rows of a page, without trailing blank cells and trailing empty rows."""
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
    """Returns the text of a page, one line per row."""
    return "\n".join(page_lines(cells))


def draw(page: Page, tier: str) -> Image.Image:
    """Returns the image of `page` at `tier`, mode "L"."""
    return render(page.cells, page.layout, tier)
