"""The training texts as pages of symbols."""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from foxing.encoder.bench.documents import dense_pages, read_messages
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.entropy.alphabet import Alphabet
from foxing.renderer import Typesetter
from training.native.strips import PYTHON_SOURCES, python_sources

MAX_PAGES = 1500  # of a group
MAX_SOURCE_PAGES = 500  # of source code that comes with Python
ASIDE = 10  # of so many pages, one is kept from the tables; the state learns on these how far to trust them


class SymbolPage(NamedTuple):
    """The symbols of a page, uint16 [cells] each, as in `entropy.alphabet`."""

    symbols: npt.NDArray[np.uint16]
    rare: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Group:
    """The pages of a file of training texts."""

    name: str
    pages: Sequence[SymbolPage]

    @property
    def counted(self) -> Sequence[SymbolPage]:
        """The pages that tables are made of while the state is learned."""
        return [page for number, page in enumerate(self.pages, start=1) if number % ASIDE]

    @property
    def aside(self) -> Sequence[SymbolPage]:
        """The other pages."""
        return self.pages[ASIDE - 1 :: ASIDE]

    def only_counted(self) -> Self:
        """The group without the pages set aside."""
        return type(self)(self.name, self.counted)


def load_groups(data: Path, charset: Charset, seed: int = 1) -> list[Group]:
    """The groups in `data`, a folder with *.jsonl.gz, and the sources that come with Python. Raises `CodecError` if
    there are no files."""
    files = sorted(data.glob("*.jsonl.gz"))
    if not files:
        raise CodecError(f"no training texts in {data}; give a folder with *.jsonl.gz")
    generator = random.Random(seed)
    setter, alphabet = Typesetter(repertoire=charset.repertoire), Alphabet(charset)
    groups: list[Group] = []
    for name in (*(path.name.split(".")[0] for path in files), PYTHON_SOURCES):
        own = name == PYTHON_SOURCES
        documents = list(python_sources(generator) if own else read_messages(data / f"{name}.jsonl.gz"))
        generator.shuffle(documents)
        pages = dense_pages(documents, setter, MAX_SOURCE_PAGES if own else MAX_PAGES)
        grids = (alphabet.symbols(page.cells) for page in pages)
        flat = [SymbolPage(*(part.reshape(-1).astype(np.uint16) for part in grid)) for grid in grids]
        groups.append(Group(name, flat))
        print(f"{name}: {len(flat)} pages", file=sys.stderr, flush=True)
    return groups
