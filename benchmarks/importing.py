"""Import of a ChatGPT export: seconds, and peak memory of the process.

python -m benchmarks.importing --messages 10000 --json
python -m benchmarks.importing --megabytes 1000 --read-only --json
"""

import argparse
import json
import resource
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from foxing.api.memory_factory import open_memory
from foxing.api.settings import load_settings
from foxing.memory.ingest.importers import import_file, preview_file

from .command_line import add_json_option, at_least, show_fields, write_json
from .load import texts

MESSAGES = 20  # of a conversation
CHARACTERS = 300  # of a message


@dataclass(frozen=True)
class Imported:
    """Figures of an import."""

    megabytes: float
    messages: int
    threads: int
    #: time to read, embed and store all, or only to read all
    seconds: float
    #: time of a second import, which stores nothing; None if nothing was stored
    again_s: float | None
    peak_mib: float


def _conversations(messages: int | None, size: int | None) -> Iterator[str]:
    """Yields conversations as JSON, until there are `messages` messages or `size` bytes."""
    random, count, written = Random(7), 0, 0
    while (messages is None or count < messages) and (size is None or written < size):
        key = f"conversation-{count // MESSAGES}"
        nodes: dict[str, object] = {"root": {"id": "root", "parent": None, "children": ["n0"], "message": None}}
        for number in range(MESSAGES):
            nodes[f"n{number}"] = {
                "id": f"n{number}",
                "parent": f"n{number - 1}" if number else "root",
                "children": [f"n{number + 1}"] if number + 1 < MESSAGES else [],
                "message": {
                    "id": f"n{number}",
                    "author": {"role": "assistant" if number % 2 else "user", "name": None, "metadata": {}},
                    "create_time": 1_700_000_000.0 + count + number,
                    "content": {"content_type": "text", "parts": [texts.message(random, CHARACTERS)]},
                    "recipient": "all",
                    "weight": 1.0,
                    "metadata": {"model_slug": "gpt-5", "citations": [], "parent_id": "root"},
                },
            }
        document = {
            "id": key,
            "conversation_id": key,
            "title": f"Talk {count}",
            "create_time": 1_700_000_000.0 + count,
            "update_time": 1_700_000_000.0 + count,
            "current_node": f"n{MESSAGES - 1}",
            "mapping": nodes,
        }
        text = json.dumps(document)
        count += MESSAGES
        written += len(text)
        yield text


def _write(folder: Path, messages: int | None, size: int | None) -> Path:
    path = folder / "export.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
        made.open("conversations.json", "w", force_zip64=True) as file,
    ):
        for number, text in enumerate(_conversations(messages, size)):
            file.write(f"{',' if number else '['}{text}".encode())
        file.write(b"]")
    return path


def measure(messages: int | None, size: int | None, *, read_only: bool) -> Imported:
    """Imports an export with the settings of the service, or only reads it, and returns the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder), messages, size)
        with zipfile.ZipFile(path) as made:
            megabytes = sum(member.file_size for member in made.infolist()) / 1e6
        again_s = None
        if read_only:
            start = time.perf_counter()
            contents = preview_file(path)
            seconds = time.perf_counter() - start
            read, threads = contents.messages, contents.threads
        else:
            with open_memory(load_settings({"database_url": f"sqlite:///{folder}/a.db"})) as memory:
                start = time.perf_counter()
                report = import_file(memory, path, bank="export")
                seconds = time.perf_counter() - start
                start = time.perf_counter()
                assert import_file(memory, path, bank="export").stored == 0
                again_s = time.perf_counter() - start
            read, threads = report.stored, report.threads
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Imported(megabytes, read, threads, seconds, again_s, peak)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.importing",
        description="Make a ChatGPT export of random words, import it into SQLite, and measure time and memory.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--messages", type=at_least(1), default=None, help="Number of messages (default: 10000).")
    size.add_argument("--megabytes", type=at_least(1), default=None, help="Size instead, before compression.")
    parser.add_argument("--read-only", action="store_true", help="Only read the export and count its tokens.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    messages = options.messages or (None if options.megabytes else 10_000)
    wanted = None if options.megabytes is None else options.megabytes * 1_000_000
    figures = asdict(measure(messages, wanted, read_only=options.read_only))
    (write_json if options.as_json else show_fields)(figures)


if __name__ == "__main__":
    main()
