"""The training texts as pages of symbols: whole pages, and some of them faded."""

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
MAX_SOURCE_PAGES = 500  # of source code that comes with Python
ASIDE = 10  # of so many pages, one is kept from the tables; the state learns on these how far to trust them
#: Pages of a group that are faded to what `tiny` and `micro` hold: of those for tables and of the others.
FADED_COUNTED, FADED_ASIDE = 18, 12
FADED = " faded"  # ends the name of a group of faded pages


class SymbolPage(NamedTuple):
    """The symbols of a page, uint16 [cells] each, as in `entropy.alphabet`."""

    symbols: npt.NDArray[np.uint16]
    rare: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Group:
    """The pages of a file of training texts, or those of them that were faded."""

    name: str
    #: Pages of the file, before any were faded.
    size: int
    #: The pages that tables are made of while the state is learned.
    counted: Sequence[SymbolPage]
    #: The other pages.
    aside: Sequence[SymbolPage]

    @property
    def pages(self) -> Sequence[SymbolPage]:
        """All of them."""
        return [*self.counted, *self.aside]

    @property
    def faded(self) -> bool:
        """Whether these are faded pages."""
        return self.name.endswith(FADED)


def load_groups(data: Path, charset: Charset, seed: int = 1) -> list[Group]:
    """The groups in `data`, a folder with *.jsonl.gz, and the sources that come with Python; then what is left of some
    pages of each when they fade. Raises `CodecError` if there are no files."""
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
