"""Benchmark pages: held-out parts of files of messages, by group, and random identifiers."""

import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from foxing.encoder.annotation import Refinement
from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import Entry, Page, Typesetter

from .documents import entries, full_pages, read_messages

#: Pages at the beginning of each file that are reserved for model selection and calibration; in a file with fewer than
#: twice as many pages, half of them, rounded down.
DEVELOPMENT_PAGES = 3
IDENTIFIERS = "identifiers"
#: Group of a document that does not name its language.
UNKNOWN_LANGUAGE = "unknown"
#: Length of a message of identifiers in characters: long, so that headers take little of a page.
IDENTIFIER_MESSAGE_CHARS = 2400
_NAMED_FILE = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)

_T = TypeVar("_T")


@dataclass
class PageSet:
    """Pages of one group."""

    #: Dense pages.
    pages: list[Page] = field(default_factory=list)
    #: Messages on the pages.
    messages: list[Entry] = field(default_factory=list)
    #: Texts of the messages of a page → adjustments of the salience of their words; None for none.
    refine: Callable[[Sequence[str]], Sequence[Refinement]] | None = None


def first_pages(texts: PageSet, count: int) -> PageSet:
    """Returns a group with only its first `count` pages."""
    return replace(texts, pages=texts.pages[:count])


def development_pages(pages: int) -> int:
    """Returns the number of development pages of a file with `pages` pages; at least half of the pages are held out."""
    return min(DEVELOPMENT_PAGES, pages // 2)


def development(pages: Sequence[_T]) -> Sequence[_T]:
    """Returns the development pages of a file; none if it has one page. `pages`: all pages of the file, or at least the
    first `2 * DEVELOPMENT_PAGES`."""
    return pages[: development_pages(len(pages))]


def held_out(pages: Sequence[_T]) -> Sequence[_T]:
    """Returns the held-out pages of a file, on which figures are reported: all but those of `development`."""
    return pages[development_pages(len(pages)) :]


def named_file(argument: str) -> tuple[str | None, Path]:
    """Parses `NAME=FILE` as (group, file), and a plain `FILE` as (None, file). Raises `CodecError` if the file does not
    exist."""
    named = _NAMED_FILE.fullmatch(argument)
    if named and not Path(argument).is_file():
        group = named[1].strip()
        path = Path(named[2])
    else:
        group = None
        path = Path(argument)
    if not path.is_file():
        raise CodecError(f"there is no file {path}; give texts as FILE or NAME=FILE")
    return group, path


def load_texts(
    files: Sequence[tuple[str | None, Path]], codec: Codec, *, skip: int | None = None, limit: int | None = None
) -> dict[str, PageSet]:
    """Returns group → held-out dense pages of JSON Lines files of messages.

    `files`: (group, file); the group None stands for the "lang" of the file's first document. `skip`: pages to leave
    out at the beginning of each file, by default those of `development`. `limit`: maximum pages per file. Raises
    `CodecError` for an unreadable file.
    """
    groups: dict[str, PageSet] = {}
    for group, path in files:
        language, messages = _read_file(path)
        pages = _held_out_pages(messages, codec, skip, limit)
        texts = groups.setdefault(group or language, PageSet())
        texts.pages += pages
        texts.messages += _messages_on(pages, messages)
    return groups


def texts_of(documents: Sequence[Mapping[str, Any]], codec: Codec, limit: int | None = None) -> PageSet:
    """Typesets documents on dense pages, at most `limit`, without a development split; returns the pages and the
    messages on them."""
    messages = entries(documents)
    pages = full_pages(messages, _typesetter(codec), limit)
    return PageSet(pages, _messages_on(pages, messages))


def identifier_texts(codec: Codec, pages: int) -> PageSet:
    """Returns `pages` dense pages of random hexadecimal, UUIDs and digits, which cannot be guessed. The same on every
    run."""
    document = {"id": IDENTIFIERS, "messages": list(_identifier_messages(pages, codec.layout.cells))}
    return texts_of([document], codec, pages)


def _identifier_messages(pages: int, cells: int) -> Iterator[dict[str, str]]:
    generator = random.Random(23)

    def digits(longest: int) -> str:
        return "".join(generator.choices("0123456789", k=generator.randint(4, longest)))

    kinds = (
        lambda: f"{generator.getrandbits(160):040x}",
        lambda: f"{generator.getrandbits(28):07x}",
        lambda: str(uuid.UUID(int=generator.getrandbits(128), version=4)),
        lambda: digits(12),
        lambda: f"{digits(6)}.{digits(6)}",
    )
    for index in range(-(-pages * cells // IDENTIFIER_MESSAGE_CHARS) + 1):
        words: list[str] = []
        length = 0
        while length < IDENTIFIER_MESSAGE_CHARS:
            words.append(generator.choice(kinds)())
            length += len(words[-1]) + 1
        yield {"role": "assistant" if index % 2 else "user", "content": " ".join(words)}


def _messages_on(pages: Sequence[Page], messages: Sequence[Entry]) -> list[Entry]:
    ids = {placement.message_id for page in pages for placement in page.placements}
    return [message for message in messages if message.message_id in ids]


def _typesetter(codec: Codec) -> Typesetter:
    return Typesetter(codec.layout, codec.repertoire)


def _read_file(path: Path) -> tuple[str, list[Entry]]:
    """Returns the "lang" of the first document, and the messages."""
    try:
        documents = list(read_messages(path))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CodecError(f"{path.name} cannot be read: {error}") from error
    if not documents:
        raise CodecError(f"{path.name} holds no messages; texts are JSON Lines of documents with messages")
    return str(documents[0].get("lang", UNKNOWN_LANGUAGE)), entries(documents)


def _held_out_pages(messages: Sequence[Entry], codec: Codec, skip: int | None, limit: int | None) -> list[Page]:
    needed = None if limit is None else limit + (DEVELOPMENT_PAGES if skip is None else skip)
    if needed is not None and skip is None:
        needed = max(needed, 2 * DEVELOPMENT_PAGES)  # enough to locate the first held-out page
    pages = full_pages(messages, _typesetter(codec), needed)
    selection = held_out(pages) if skip is None else pages[skip:]
    return list(selection[:limit])
