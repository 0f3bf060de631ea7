"""Training texts as pages of symbols: full pages, and faded copies of some."""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.bench.documents import entries, full_pages, read_messages
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.entropy.alphabet import Alphabet
from foxing.renderer import Page, Typesetter
from training.native.texts.faded import PageFader
from training.native.texts.strips import PYTHON_SOURCES, python_sources

MAX_PAGES = 1500  # of a group
MAX_SOURCE_PAGES = 500  # of the source code of Python's standard library
ASIDE = 10  # one page in this many is set aside: left out of the tables, and used to train the state
#: Pages of a group that are faded to the size of `tiny` and `micro`: of those for the tables, and of those set aside.
FADED_COUNTED, FADED_ASIDE = 18, 12
FADED = " faded"  # suffix of the name of a group of faded pages


class SymbolPage(NamedTuple):
    """Symbols of a page, uint16 [cells] each, as in `entropy.alphabet`."""

    symbols: npt.NDArray[np.uint16]
    rare: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Group:
    """Pages of a file of training texts, or faded copies of some of them."""

    name: str
    #: Number of full pages of the file.
    size: int
    #: Pages that the tables are made from while the state is trained.
    counted: Sequence[SymbolPage]
    #: Pages set aside for training the state.
    aside: Sequence[SymbolPage]

    @property
    def pages(self) -> Sequence[SymbolPage]:
        """All pages."""
        return [*self.counted, *self.aside]

    @property
    def faded(self) -> bool:
        """True for faded pages."""
        return self.name.endswith(FADED)


def load_groups(data: Path, charset: Charset, seed: int = 1) -> list[Group]:
    """Returns a group for each file in `data`, a folder with *.jsonl.gz, and for the source code of Python's standard
    library, followed by a group of faded pages for each. Raises `CodecError` if there are no files."""
    files = sorted(data.glob("*.jsonl.gz"))
    if not files:
        raise CodecError(f"no training texts in {data}; give a folder with *.jsonl.gz")
    generator = random.Random(seed)
    setter, alphabet, fader = Typesetter(repertoire=charset.repertoire), Alphabet(charset), PageFader.released()
    groups: list[Group] = []
    faded: list[Group] = []
    for name in (*(path.name.split(".")[0] for path in files), PYTHON_SOURCES):
        own = name == PYTHON_SOURCES
        documents = list(python_sources(generator) if own else read_messages(data / f"{name}.jsonl.gz"))
        generator.shuffle(documents)
        messages = entries(documents)
        pages = full_pages(messages, setter, MAX_SOURCE_PAGES if own else MAX_PAGES)
        counted = [page for number, page in enumerate(pages, start=1) if number % ASIDE]
        aside = pages[ASIDE - 1 :: ASIDE]
        groups.append(Group(name, len(pages), _symbols(counted, alphabet), _symbols(aside, alphabet)))
        by_id = {message.message_id: message for message in messages}
        parts = (fader.some(counted, by_id, FADED_COUNTED), fader.some(aside, by_id, FADED_ASIDE))
        faded.append(Group(name + FADED, len(pages), *(_symbols(part, alphabet) for part in parts)))
        print(f"{name}: {len(pages)} pages, {len(faded[-1].pages)} faded", file=sys.stderr, flush=True)
    return groups + faded


def _symbols(pages: Sequence[Page], alphabet: Alphabet) -> list[SymbolPage]:
    grids = (alphabet.symbols(page.cells) for page in pages)
    return [SymbolPage(*(part.reshape(-1).astype(np.uint16) for part in grid)) for grid in grids]
