"""Measures the proof-reading of page images: time, characters that the type of a reader does not show safely, and what
stands beside the images for them; and the cells that references take.

python -m benchmarks.proof_reading --texts en_tau_retail.jsonl.gz --json
python -m benchmarks.proof_reading --texts FILE… --reader claude-fable-5 --chars 400000
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from foxing.encoder.bench.documents import entries, read_messages
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.ingest.doubtful_words import doubtful_words
from foxing.memory.ingest.keepsakes import find_keepsakes
from foxing.memory.references import reference
from foxing.renderer import Entry, FoxingError
from foxing.renderer.readers import PageImage, Reader, Readers, page_images, proof_read

READERS = ("claude-fable-5", "claude-opus-5", "gemini-3.6-flash", "gpt-5.6-sol", "claude")
CHARS = 400_000


@dataclass(frozen=True)
class ProofRow:
    """Proof-reading of the images of one history."""

    texts: str
    reader: str
    chars: int
    messages: int
    images: int
    #: Cells of the first image.
    cells: int
    #: Medians of CPU time per image: drawing it, finding what its type does not show, and comparing its cells.
    draw_ms: float
    type_ms: float
    proof_ms: float
    #: Slowest comparison.
    slowest_proof_ms: float
    #: Images that do not show every glyph exactly.
    inexact: int
    #: Characters on the images that look like others, have no glyph, or are cut off.
    doubtful_characters: str
    #: Distinct identifiers and numbers that hold one of them, those that no keepsake is, and their text tokens.
    doubtful_words: int
    doubtful_beside_keepsakes: int
    doubtful_tokens: int
    #: Text tokens of the history.
    text_tokens: int
    #: Share of the cells in use that references and the blank after them take.
    reference_share: float


def history(path: Path, chars: int) -> list[Entry]:
    """Returns the first messages of a file with at least `chars` characters, with references. Raises `CodecError`."""
    documents, length = [], 0
    for document in read_messages(path):
        documents.append(document)
        length += sum(len(message["content"]) for message in document["messages"])
        if length >= chars:
            break
    said = entries(documents)
    return [replace(each, ref=reference(number, each.created_at)) for number, each in enumerate(said, 1)]


def measure(path: Path, reader: Reader, chars: int) -> ProofRow:
    """Returns the row of a history and a reader."""
    said = history(path, chars)
    images = page_images(said, reader)
    drawn, types, proofs = [], [], []
    inexact = 0
    words: dict[str, None] = {}
    characters: set[str] = set()
    by_id = {each.message_id: each.content for each in said}
    for image in images:
        drawn.append(_ms(lambda each: each.png, image))
        types.append(_ms(lambda each: each.type_proof, image))
        started = time.thread_time()
        proof = proof_read(image)
        proofs.append((time.thread_time() - started) * 1e3)
        inexact += not proof.exact
        characters |= {*proof.type.similar, *proof.type.missing, *proof.type.clipped}
        parts = (by_id[span.message_id][span.char_start : span.char_stop] for span in image.page.placements)
        words |= dict.fromkeys(doubtful_words(parts, proof.type))
    texts = [each.content for each in said]
    kept = {text[found.start : found.stop] for text in texts for found in find_keepsakes(text)}
    cells = sum(int((image.page.cells > 1).sum()) for image in images)
    referred = sum(len(each.ref) + 3 for each in said)
    return ProofRow(
        path.name.partition(".")[0],
        reader.name,
        sum(map(len, texts)),
        len(said),
        len(images),
        images[0].page.cells.size,
        median(drawn),
        median(types),
        median(proofs),
        max(proofs),
        inexact,
        "".join(sorted(characters)),
        len(words),
        len(words.keys() - kept),
        count_text_tokens(" ".join(words)),
        sum(map(count_text_tokens, texts)),
        referred / cells,
    )


def _ms(call: Callable[[PageImage], object], image: PageImage) -> float:
    started = time.thread_time()
    call(image)
    return (time.thread_time() - started) * 1e3


def measure_all(options: argparse.Namespace, progress: Advance) -> Iterator[ProofRow]:
    """Yields a row for each file and reader. Raises `FoxingError`."""
    readers, done = Readers(), 0
    for path in options.texts:
        for name in options.readers:
            progress(done, len(options.texts) * len(options.readers))
            yield measure(path, readers[name], options.chars)
            done += 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    summary = " ".join((__doc__ or "").partition("\n\n")[0].split())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proof_reading", description=summary)
    parser.add_argument(
        "--texts", type=Path, nargs="+", required=True, metavar="FILE", help="Conversations, as JSON Lines or gzipped."
    )
    parser.add_argument("--reader", action="append", dest="readers", help="Reader; can be repeated (default: five).")
    parser.add_argument("--chars", type=at_least(1), default=CHARS, help="Characters of a file (default: %(default)s).")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    options.readers = options.readers or list(READERS)
    try:
        with progress_bar("proofs") as progress:
            rows = [asdict(row) for row in measure_all(options, progress)]
    except FoxingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.as_json:
        write_json({"proof_reading": rows})
    else:
        show_rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
