"""Measures what a whole history costs as page images, identifiers as text beside them included, against text.

Nothing is stored or recalled: messages are typeset as `context` does it for a reader. Identifiers, and other words that
proof-reading doubts, stand as text once a request, or, for comparison, once a message. A file that is shorter than the
history is taken whole; `chars` says so.

python -m benchmarks.context.history --texts en_tau_retail.jsonl.gz --reader claude-fable-5 --reader claude-opus-5
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, show_rows, write_json
from foxing.encoder.bench.documents import read_messages
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.context.identifiers import are_beside, identifier_tokens, identifiers_of
from foxing.memory.ingest.doubtful_words import doubtful_words
from foxing.memory.references import reference
from foxing.renderer import Entry, FoxingError
from foxing.renderer.readers import Reader, Readers, is_read, page_images

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
CHARS = 400_000
READERS = ("claude-fable-5", "claude-opus-5", "gemini-3.6-flash")


@dataclass(frozen=True)
class HistoryRow:
    """A history as page images of one reader."""

    texts: str
    reader: str
    chars: int
    messages: int
    #: messages in characters that the reader is not known to read, which stay text
    as_text: int
    images: int
    text_tokens: int
    image_tokens: int
    #: tokens of the identifiers, listed once a request and once a message
    identifiers_once: int
    identifiers_each: int
    #: text tokens for each token billed for images, identifiers and what stays text: identifiers listed once a request,
    #: once a message, and not at all
    ratio: float
    ratio_each: float
    ratio_alone: float


def history(file: Path, chars: int) -> list[Entry]:
    """Returns the messages of a file up to `chars` characters, one a minute."""
    entries: list[Entry] = []
    taken = 0
    for number, (role, content) in enumerate(_said(file), 1):
        if taken >= chars:
            break
        at = START + timedelta(minutes=number)
        entries.append(Entry(str(number), role, content, at, ref=reference(number, at)))
        taken += len(content)
    return entries


def _said(file: Path) -> Iterator[tuple[str, str]]:
    return ((m["role"], m["content"]) for document in read_messages(file) for m in document["messages"])


def row(texts: str, entries: Sequence[Entry], reader: Reader) -> HistoryRow:
    """Returns what `entries` cost as images of `reader`. Raises `ReaderProfileError` for a text-only reader."""
    drawn = [entry for entry in entries if is_read(entry.content, reader)]
    undrawn = [entry for entry in entries if not is_read(entry.content, reader)]
    images = page_images(drawn, reader)
    text = sum(map(_text_tokens, entries))
    stays = sum(map(_text_tokens, undrawn))
    proof = images[0].type_proof
    each = [
        dict.fromkeys((*identifiers_of([entry.content]), *doubtful_words([entry.content], proof)))
        for entry in drawn
        if are_beside(reader)
    ]
    once = identifier_tokens(dict.fromkeys(word for words in each for word in words))
    apart = sum(identifier_tokens(words) for words in each)
    billed = sum(image.tokens for image in images)
    return HistoryRow(
        texts,
        reader.name,
        sum(len(entry.content) for entry in entries),
        len(entries),
        len(undrawn),
        len(images),
        text,
        billed,
        once,
        apart,
        text / (billed + once + stays),
        text / (billed + apart + stays),
        text / (billed + stays),
    )


def _text_tokens(entry: Entry) -> int:
    return count_text_tokens(f"{entry.role}: {entry.content}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.context.history",
        description="Measure what a history costs as page images against text, by reader.",
    )
    parser.add_argument("--texts", type=Path, nargs="+", metavar="FILE", required=True, help="Files of messages.")
    parser.add_argument("--reader", action="append", dest="readers", help="Reader; can be repeated.")
    parser.add_argument("--chars", type=at_least(1), default=CHARS, help="Characters of each history.")
    add_json_option(parser)
    parser.set_defaults(readers=None)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        readers = [Readers()[name] for name in options.readers or READERS]
        rows = [
            asdict(row(file.name, history(file, options.chars), reader)) for file in options.texts for reader in readers
        ]
    except FoxingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.as_json:
        write_json({"history": rows})
    else:
        show_rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
