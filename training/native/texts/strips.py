"""Strips of typeset text for training images."""

import random
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from foxing.encoder.bench.documents import dense_pages, read_messages
from foxing.encoder.contract import UNREADABLE
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, Charset
from foxing.renderer import DENSE_PAGE, Typesetter
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells
from training.native.options import TrainingOptions

from .synthetic import SyntheticText

PYTHON_SOURCES = "code_python"  # name of Python's standard library among the texts
MAX_PAGES = 1500  # per source
CODE_CHARACTERS = 2500  # per message of source code
MAX_FILE_CHARACTERS = 20_000  # per source file
TYPOGRAPHIC_SHARE = 0.04  # of the strips
SPRINKLED_SHARE = 0.2  # of the strips
SPRINKLED = (0.02, 0.08, 0.3)  # of the characters of a sprinkled strip
SPRINKLED_RUNS = (1, 1, 3, 8)  # consecutive sprinkled cells
BLANK_END_SHARE = 0.05  # of the strips
NEIGHBOURS = 60  # consecutive characters in Unicode, which are often of one script
#: ASCII signs → their typographic counterparts, used in turn.
TYPOGRAPHIC = {"'": "’’’‘", '"': "“”", "-": "—–-"}
HANGUL = np.arange(HANGUL_FIRST, HANGUL_LAST + 1, dtype=np.uint32)


def python_sources(generator: random.Random) -> Iterator[dict[str, Any]]:
    """Yields the source files of the standard library as documents, in random order."""
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    paths = [path for path in paths if "site-packages" not in path.parts]
    generator.shuffle(paths)
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        end = min(len(text), MAX_FILE_CHARACTERS)
        parts = [text[i : i + CODE_CHARACTERS] for i in range(0, end, CODE_CHARACTERS)]
        roles = ("tool", "assistant")
        if parts:
            yield {"id": path.stem, "messages": [{"role": generator.choice(roles), "content": p} for p in parts]}


@dataclass
class Corpus:
    """Typeset training texts, and their words."""

    #: uint32 [rows, 160]: the cells of all pages of a source, by its name.
    cells: dict[str, Cells] = field(default_factory=dict)
    #: Lower-case ASCII words.
    words: set[str] = field(default_factory=set)
    #: Words of all scripts, by language.
    words_by_language: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    #: English prose.
    prose: str = ""

    def add(self, name: str, documents: list[dict[str, Any]], setter: Typesetter) -> None:
        """Adds the `documents` of a source named `<language>_<source>`."""
        pages = dense_pages(documents, setter, MAX_PAGES)
        self.cells[name] = np.concatenate([page.cells for page in pages])
        sample = " ".join(m["content"] for d in documents[:200] for m in d["messages"])[:200_000]
        self.words.update(w.lower() for w in sample.split() if w.isalpha() and w.isascii() and 1 < len(w) < 14)
        self.words_by_language[name[:2]].update(w for w in sample.split() if len(w) < 24)
        if name.startswith("en"):
            self.prose += sample.replace("\n", " ")
        # to stderr, because stdout may hold the JSON of the command even in the drawing process
        print(f"{name}: {len(pages)} pages", file=sys.stderr, flush=True)


def load_corpus(folder: Path, charset: Charset, options: TrainingOptions, generator: random.Random) -> Corpus:
    """Returns the texts of `folder` that `options` names. Raises `CodecError` if there are none."""
    if not any((folder / f"{name}.jsonl.gz").exists() for name in options.text_shares):
        raise CodecError(f"no training texts in {folder}; give --data a folder with train/*.jsonl.gz")
    setter = Typesetter(repertoire=charset.repertoire)
    corpus = Corpus()
    for name in options.text_shares:
        path = folder / f"{name}.jsonl.gz"
        if name == PYTHON_SOURCES:
            documents = list(python_sources(generator))
        elif path.exists():
            documents = list(read_messages(path))
        else:
            continue
        generator.shuffle(documents)
        corpus.add(name, documents, setter)
    return corpus


class StripSource:
    """Source of random strips of the training texts and of synthetic text."""

    def __init__(self, folder: Path, charset: Charset, options: TrainingOptions) -> None:
        """Typesets the texts of `folder`. Raises `CodecError` if there are none."""
        self._generator = random.Random(options.seed)
        corpus = load_corpus(folder, charset, options, self._generator)
        #: English prose from the training texts.
        self.prose = corpus.prose
        self._cells = corpus.cells
        self._narrow = tuple(
            map(printable, (charset.distinct_narrow, "".join(c for c in charset.distinct_narrow if c in charset.rare)))
        )
        full = (charset.full_width_signs, charset.wide + charset.rare_wide, charset.rare_wide)
        self._full = *map(printable, full), HANGUL
        languages = [sorted(known) for known in corpus.words_by_language.values()]
        self._synthetic = SyntheticText(charset, sorted(corpus.words), self._generator, languages)
        self._choices = [*self._cells, *options.drawn_shares]
        self._weights = [options.text_shares[name] for name in self._cells] + list(options.drawn_shares.values())

    def strip(self, rows: int) -> Cells:
        """Returns the next strip, uint32 [rows, 160]."""
        name = self._generator.choices(self._choices, self._weights)[0]
        if name not in self._cells:
            return self._synthetic.cells(getattr(self._synthetic, name), rows)
        cells = self._cells[name]
        start = self._generator.randrange(max(1, cells.shape[0] - rows + 1))
        strip = cells[start : start + rows]
        if self._generator.random() < TYPOGRAPHIC_SHARE:
            strip = typographic(strip)
        if self._generator.random() < SPRINKLED_SHARE:
            strip = self.sprinkled(strip)
        if self._generator.random() < BLANK_END_SHARE:  # pages end in blank rows
            strip = strip.copy()
            strip[self._generator.randrange(rows) :] = BLANK
        return strip

    def sprinkled(self, strip: Cells) -> Cells:
        """Returns `strip` with characters of all kinds inserted, alone or in runs, so that the network reads each of
        them from its pixels in any context."""
        generator = np.random.default_rng(self._generator.getrandbits(32))
        run = self._generator.choice(SPRINKLED_RUNS)
        chosen = generator.random(strip.shape) < self._generator.choice(SPRINKLED) / run
        for _ in range(run - 1):
            chosen[:, 1:] |= chosen[:, :-1] & (generator.random((len(strip), strip.shape[1] - 1)) < 1 - 0.5 / run)
        left = np.zeros(strip.shape, dtype=bool)
        left[:, :-1] = strip[:, 1:] == WIDE_TAIL
        narrow = ~left & (strip > 0x20) & (strip != WIDE_TAIL) & (strip != BLANK)
        result = strip.copy()
        if self._generator.random() < 0.5:  # pairs of narrow characters ↔ full-width ones
            pairs = np.zeros(strip.shape, dtype=bool)
            pairs[:, ::2] = chosen[:, ::2] & narrow[:, ::2] & narrow[:, 1::2]
            result[pairs] = generator.choice(self._some_of(self._full), int(pairs.sum()))
            result[:, 1::2][pairs[:, ::2]] = WIDE_TAIL
            pairs = chosen & left
            pairs[:, 1:] |= pairs[:, :-1]
            result[pairs] = generator.choice(self._some_of(self._narrow), int(pairs.sum()))
        else:
            for at, lists in ((chosen & narrow, self._narrow), (chosen & left, self._full)):
                result[at] = generator.choice(self._some_of(lists), int(at.sum()))
        return result

    def _some_of(self, lists: Sequence[Cells]) -> Cells:
        """One of `lists`, or a short run of it."""
        characters = self._generator.choice(lists)
        if self._generator.random() < 0.5:
            start = self._generator.randrange(len(characters))
            characters = characters[start : start + NEIGHBOURS]
        return characters


def printable(characters: str) -> Cells:
    """Returns the printable `characters` except the space, uint32 [N], in Unicode order."""
    return np.array(sorted(ord(c) for c in characters if c.isprintable() and c != " "), dtype=np.uint32)


def typographic(strip: Cells) -> Cells:
    """Returns `strip` with typographic quotation marks, apostrophes and dashes instead of the ASCII ones."""
    result = strip.copy()
    for plain, printed in TYPOGRAPHIC.items():
        places = np.argwhere(strip == ord(plain))
        for number, (row, column) in enumerate(places):
            result[row, column] = ord(printed[number % len(printed)])
    return result


def with_unreadable_cells(strip: Cells, generator: random.Random) -> Cells:
    """Returns `strip` with unreadable cells, as on a page that was decoded and is drawn again."""
    share = generator.choice((0.02, 0.3, 0.95, 1.0))
    mask = np.random.default_rng(generator.getrandbits(32)).random(strip.shape) < share
    if generator.random() < 0.5:
        mask[: generator.randrange(len(strip))] = False
    right = strip == WIDE_TAIL
    mask[:, 1:] &= ~right[:, 1:]
    mask[:, 1:] |= right[:, 1:] & mask[:, :-1]
    inked = (strip != BLANK) & (strip != 0x20)
    return np.where(mask & inked, np.uint32(UNREADABLE), strip)


def strip_rows(tier: str) -> int:
    """Returns the number of rows of a training strip: whole token rows of `tier`, at least 16."""
    step = DENSE_PAGE.rows_per_token(tier)
    return step * -(-16 // step)
