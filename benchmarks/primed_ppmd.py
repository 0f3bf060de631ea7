"""Measures PPMd primed with training text: bits per character of held-out pages.

    python -m benchmarks.primed_ppmd --data FOLDER --json

A trained codec knows its languages before it sees a page; PPMd alone does not. Here PPMd first reads at most 2 MB of
typeset training text, of the same source or, if there is none, of the same kind. The size of a page is the compressed
size of that text and the page minus that of the text alone. FOLDER/train and FOLDER/eval hold the messages, as
`LANGUAGE_SOURCE.jsonl.gz`.
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
PRIMED_MEMORY_BYTES = 512 << 20  # enough for PPMd never to reset its model
#: Sources of agent traces, which are a kind of their own in any language.
AGENT_SOURCES = ("aider", "swe_agent", "tau_bench", "tau_retail")
AGENT = "agent"
_SUFFIX = ".jsonl.gz"


@dataclass(frozen=True)
class PrimedRow:
    """Results for one file. Bits are per character of the text of its pages, compressed page by page."""

    #: The name of the file.
    language: str
    pages: int
    characters: int
    #: Bytes of the text that PPMd reads first.
    training_bytes: int
    #: PPMd primed with training text; None if there is none.
    primed_ppmd_bits_per_character: float | None
    #: PPMd alone.
    ppmd_bits_per_character: float
    zstd_bits_per_character: float


def kind_of(file: Path) -> str:
    """Returns the language of a file, or `AGENT` for agent traces."""
    language, _, source = file.name.removesuffix(_SUFFIX).partition("_")
    return AGENT if source in AGENT_SOURCES else language


def primers(held_out: Path, training: Sequence[Path]) -> list[Path]:
    """Returns the files of `training` that prime for a file: the one of the same name, else those of the same kind."""
    same = [path for path in training if path.name == held_out.name]
    return same or [path for path in training if kind_of(path) == kind_of(held_out)]


def measure_groups(
    data: Path, codec: Codec, pages: int, training_bytes: int = TRAINING_BYTES, progress: Advance | None = None
) -> list[PrimedRow]:
    """Returns a row for each held-out file, on at most `pages` pages. Raises `CodecError`."""
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
    """Measures the pages `texts`, each primed with `primer` and alone. Returns their row."""
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
    """Returns typeset pages from the beginning of each file, an equal part of `limit` bytes from each, in UTF-8. Raises
    `CodecError`."""
    part = limit // max(1, len(files))
    texts = []
    for path in files:
        documents = list(_first_documents(path, part))
        text = "".join(page.text for page in dense_pages(documents, typesetter)).encode()
        texts.append(text[:part].decode(errors="ignore").encode())
    return b"".join(texts)


def _first_documents(path: Path, limit: int) -> Iterator[Mapping[str, object]]:
    """Yields documents until their contents reach `limit` bytes."""
    size = 0
    for document in read_messages(path):
        yield document
        size += sum(len(message["content"].encode()) for message in document["messages"])
        if size >= limit:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if there are no valid texts."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.primed_ppmd",
        description="Measure PPMd of order 6, primed with training text of the same source, on held-out pages.",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help=f"Folder with train/*{_SUFFIX} and eval/*{_SUFFIX}."
    )
    parser.add_argument(
        "--pages",
        type=at_least(1),
        default=20,
        metavar="N",
        help="Maximum number of pages per file (default: %(default)s).",
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
