"""Which pages are measured: files of messages by group, their held-out part, and identifiers made here."""

import random
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import Entry, Page, Repertoire, Typesetter

from .documents import dense_pages, entries, read_messages

#: Pages at the beginning of each file that training looks at, to keep the best weights and to calibrate. Of a file with
#: fewer than twice as many, half, rounded down.
DEVELOPMENT_PAGES = 3
IDENTIFIERS = "identifiers"
#: Characters of a message of identifiers: long, so that hardly anything of the page is header.
IDENTIFIER_MESSAGE_CHARS = 2400
_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)

_T = TypeVar("_T")


@dataclass
class PageSet:
    """What is measured of one group: dense pages, and the messages that stand on them."""

    pages: list[Page] = field(default_factory=list)
    messages: list[Entry] = field(default_factory=list)


def development_pages(pages: int) -> int:
    """How many of a file's pages training may look at: at least half of them are left to be measured."""
    return min(DEVELOPMENT_PAGES, pages // 2)


def development(pages: Sequence[_T]) -> Sequence[_T]:
    """The pages of a file that training may look at; none of a file with one page. `pages`: all of the file's, or at
    least the first `2 * DEVELOPMENT_PAGES`."""
    return pages[: development_pages(len(pages))]


def held_out(pages: Sequence[_T]) -> Sequence[_T]:
    """The pages of a file that figures are reported on: those that `development` does not take."""
    return pages[development_pages(len(pages)) :]


def named_file(said: str) -> tuple[str | None, Path]:
    """`NAME=FILE` as (group, file), a plain `FILE` as (None, file). Raises `CodecError` when there is no such file."""
    named = _NAMED.fullmatch(said)
    group, path = (named[1].strip(), Path(named[2])) if named and not Path(said).is_file() else (None, Path(said))
    if not path.is_file():
        raise CodecError(f"there is no file {path}; texts are given as FILE or NAME=FILE")
    return group, path


def load_texts(
    files: Sequence[tuple[str | None, Path]], codec: Codec, *, skip: int | None = None, limit: int | None = None
) -> dict[str, PageSet]:
    """The held-out dense pages of JSON Lines of messages by group, at most `limit` of each file.

    `files`: (group, file); without a group a file goes by the "lang" of its first document. `skip`: pages left out at
    the beginning of each file, None for what `held_out` says. Raises `CodecError` for a file that cannot be read.
    """
    result: dict[str, PageSet] = {}
    for group, path in files:
        documents = _documents(path)
        language, pages = _pages(documents, codec, skip, limit)
        texts = result.setdefault(group or language, PageSet())
        texts.pages += pages
        texts.messages += _messages_on(pages, documents)
    return result


def load_pages(
    files: Sequence[Path], codec: Codec, *, skip: int | None = None, limit: int | None = None
) -> dict[str, list[Page]]:
    """Dense pages of JSON Lines of messages by language; see `load_texts`."""
    result: dict[str, list[Page]] = {}
    for path in files:
        language, pages = _pages(_documents(path), codec, skip, limit)
        result.setdefault(language, []).extend(pages)
    return result


def load_development(files: Sequence[Path], codec: Codec) -> dict[str, list[Page]]:
    """The dense pages that `load_pages` leaves out, by language: for choosing weights and for calibrating."""
    setter = _typesetter(codec)
    result: dict[str, list[Page]] = {}
    for path in files:
        documents = _documents(path)
        pages = development(dense_pages(documents, setter, 2 * DEVELOPMENT_PAGES))
        result.setdefault(_language(documents), []).extend(pages)
    return result


def texts_of(documents: Sequence[dict[str, Any]], codec: Codec, limit: int | None = None) -> PageSet:
    """The dense pages of documents, none left out, and the messages that stand on them."""
    pages = pages_of(documents, codec, limit)
    return PageSet(pages, _messages_on(pages, documents))


def pages_of(documents: Sequence[dict[str, Any]], codec: Codec, limit: int | None = None) -> list[Page]:
    """Dense pages of documents `{"id", "messages": [{"role", "content", …}]}`."""
    return dense_pages(documents, _typesetter(codec), limit)


def identifier_texts(codec: Codec, pages: int) -> PageSet:
    """`pages` dense pages of random hexadecimal, UUIDs and digits: nothing on them can be guessed. The same on every
    run."""
    document = {"id": IDENTIFIERS, "messages": list(_identifier_messages(pages, codec.layout.cells))}
    return texts_of([document], codec, pages)


def _identifier_messages(pages: int, cells: int) -> Iterator[dict[str, str]]:
    generator = random.Random(23)

    def number(longest: int) -> str:
        return "".join(generator.choices("0123456789", k=generator.randint(4, longest)))

    kinds = (
        lambda: f"{generator.getrandbits(160):040x}",
        lambda: f"{generator.getrandbits(28):07x}",
        lambda: str(uuid.UUID(int=generator.getrandbits(128), version=4)),
        lambda: number(12),
        lambda: f"{number(6)}.{number(6)}",
    )
    for index in range(-(-pages * cells // IDENTIFIER_MESSAGE_CHARS) + 1):
        words: list[str] = []
        length = 0
        while length < IDENTIFIER_MESSAGE_CHARS:
            words.append(generator.choice(kinds)())
            length += len(words[-1]) + 1
        yield {"role": "assistant" if index % 2 else "user", "content": " ".join(words)}


def _messages_on(pages: Sequence[Page], documents: Sequence[dict[str, Any]]) -> list[Entry]:
    standing = {span.message_id for page in pages for span in page.spans}
    return [entry for entry in entries(documents) if entry.message_id in standing]


def _typesetter(codec: Codec) -> Typesetter:
    return Typesetter(codec.layout, Repertoire(codec.repertoire))


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        documents = list(read_messages(path))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CodecError(f"{path.name} cannot be read: {error}") from error
    if not documents:
        raise CodecError(f"{path.name} holds no messages; texts are JSON Lines of documents with messages")
    return documents


def _language(documents: Sequence[dict[str, Any]]) -> str:
    return str(documents[0].get("lang", "unknown"))


def _pages(
    documents: Sequence[dict[str, Any]], codec: Codec, skip: int | None, limit: int | None
) -> tuple[str, list[Page]]:
    wanted = None if limit is None else limit + (DEVELOPMENT_PAGES if skip is None else skip)
    if wanted is not None and skip is None:
        wanted = max(wanted, 2 * DEVELOPMENT_PAGES)  # as many as it takes to tell where the held-out ones begin
    pages = dense_pages(documents, _typesetter(codec), wanted)
    kept = held_out(pages) if skip is None else pages[skip:]
    return _language(documents), list(kept[:limit])
