"""PPMd primed by text that a codec could have learned from: bits a character of held-out pages.

    python -m benchmarks.primed_ppmd --data FOLDER --json

A learned codec knows its languages before it sees a page; PPMd on its own does not. Here PPMd first reads training text
of the same source, or where there is none of the same kind, at most 2 MB, as pages typeset alike. What a page takes is
the compressed size of that text and the page less that of the text alone. FOLDER/train and FOLDER/eval hold the
messages, as `LANGUAGE_SOURCE.jsonl.gz`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foxing.encoder import Codec, CodecError, load_codec
from foxing.encoder.bench import load_texts
from foxing.encoder.bench.documents import dense_pages, read_messages
from foxing.encoder.bench.text_size import ppmd_bytes, text_size
from foxing.renderer import FoxingError, Typesetter

from .command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json

TRAINING_BYTES = 2_000_000  # in UTF-8
PRIMED_MEMORY_BYTES = 512 << 20  # enough that PPMd never starts over
#: Sources whose text is agent traces: a kind of their own, whatever the language.
AGENT_SOURCES = ("aider", "swe_agent", "tau_bench", "tau_retail")
AGENT = "agent"
_SUFFIX = ".jsonl.gz"


@dataclass(frozen=True)
class PrimedRow:
    """The pages of one file. Bits are per character of their text, page by page."""

    #: The name of the file.
    language: str
    pages: int
    characters: int
    #: Of the text that PPMd read first.
    training_bytes: int
    #: PPMd after the training text; None for a group without any.
    primed_ppmd_bits_per_character: float | None
    #: PPMd on its own.
    ppmd_bits_per_character: float
    zstd_bits_per_character: float


def kind_of(file: Path) -> str:
    """The language of a file, or `AGENT`."""
    language, _, source = file.name.removesuffix(_SUFFIX).partition("_")
    return AGENT if source in AGENT_SOURCES else language


def primers(held_out: Path, training: Sequence[Path]) -> list[Path]:
    """The files of `training` whose text primes for a file: that of the same name, else those of its kind."""
    same = [path for path in training if path.name == held_out.name]
    return same or [path for path in training if kind_of(path) == kind_of(held_out)]


def measure_groups(
    data: Path, codec: Codec, pages: int, training_bytes: int = TRAINING_BYTES, progress: Advance | None = None
) -> list[PrimedRow]:
    """A row for each held-out file, on at most `pages` pages. Raises `CodecError`."""
    held_out = {path.name.removesuffix(_SUFFIX): path for path in sorted((data / "eval").glob(f"*{_SUFFIX}"))}
    if not held_out:
        raise CodecError(f"{data} has no eval/*{_SUFFIX}; give the folder that holds eval and train")
    training = sorted((data / "train").glob(f"*{_SUFFIX}"))
    groups = load_texts(list(held_out.items()), codec, group_limit=pages)
    typesetter = Typesetter(codec.layout, codec.repertoire)
    rows: list[PrimedRow] = []
    for number, (name, texts) in enumerate(groups.items()):
        primer = training_text(primers(held_out[name], training), typesetter, training_bytes)
        if texts.pages:
            rows.append(measure_primed(name, [page.text for page in texts.pages], primer))
        if progress is not None:
            progress(number + 1, len(groups))
    return rows


def measure_primed(language: str, texts: Sequence[str], primer: bytes) -> PrimedRow:
    """The pages `texts`, each after `primer` and on its own."""
    characters = sum(map(len, texts))
    primed: float | None = None
    if primer:
        alone = ppmd_bytes(primer, PRIMED_MEMORY_BYTES)
        added = sum(ppmd_bytes(primer + text.encode(), PRIMED_MEMORY_BYTES) - alone for text in texts)
        primed = added * 8 / characters
    return PrimedRow(
        language=language,
        pages=len(texts),
        characters=characters,
        training_bytes=len(primer),
        primed_ppmd_bits_per_character=primed,
        ppmd_bits_per_character=sum(ppmd_bytes(text.encode()) for text in texts) * 8 / characters,
        zstd_bits_per_character=sum(text_size(text).zstd_bytes for text in texts) * 8 / characters,
    )


def training_text(files: Sequence[Path], typesetter: Typesetter, limit: int) -> bytes:
    """Pages of the beginning of each file, an equal part of `limit` bytes from each, in UTF-8. Raises `CodecError`."""
    part = limit // max(1, len(files))
    texts = []
    for path in files:
        documents = list(_first_documents(path, part))
        text = "".join(page.text for page in dense_pages(documents, typesetter)).encode()
        texts.append(text[:part].decode(errors="ignore").encode())
    return b"".join(texts)


def _first_documents(path: Path, limit: int) -> Iterator[Mapping[str, object]]:
    """Documents up to the one that brings their contents to `limit` bytes."""
    size = 0
    for document in read_messages(path):
        yield document
        size += sum(len(message["content"].encode()) for message in document["messages"])
        if size >= limit:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.primed_ppmd",
        description="Measure PPMd of order 6, primed by training text of the same source, on held-out pages.",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help=f"Holds train/*{_SUFFIX} and eval/*{_SUFFIX}."
    )
    parser.add_argument(
        "--pages", type=at_least(1), default=20, metavar="N", help="Maximum pages of a file (default: %(default)s)."
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    try:
        with progress_bar("priming") as progress:
            rows = measure_groups(options.data, load_codec("native"), options.pages, progress=progress)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    result = [asdict(row) for row in rows]
    if options.as_json:
        write_json({"rows": result})
    else:
        show_rows(result)


if __name__ == "__main__":
    main()
