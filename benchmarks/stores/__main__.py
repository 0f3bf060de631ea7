"""Measures storing and recalling in Foxing, LangGraph's stores, mem0 and Chroma, with the same embedder.

python -m benchmarks.stores --locomo locomo_dev.json.gz --json
python -m benchmarks.stores --bank 50000 --only foxing/sqlite --only langgraph/sqlite
python -m benchmarks.stores --folder datasets --only foxing/sqlite --only chroma/folder
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_fields, show_rows, write_json
from foxing.memory.index.embedder import USE
from foxing.renderer import FoxingError

from .comparison import compare
from .conversations import in_one_bank, read_conversations
from .measurement import BATCH, LIMIT, SINGLE
from .systems import SYSTEMS

QUESTIONS = 200  # asked of one large bank
LOCOMO = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval" / "locomo_dev.json.gz"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stores",
        description=f"Store conversations in Foxing and in other stores, {SINGLE} messages one per call and the rest "
        f"in batches of {BATCH}, then ask each question for {LIMIT} messages. Each store has a process and a database "
        "of its own, and the same embedder. Foxing's pages are sealed but not aged.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--locomo", type=Path, default=LOCOMO, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped."
    )
    source.add_argument("--folder", type=Path, metavar="FOLDER", help="Folder of LoCoMo, REALTALK and BEAM instead.")
    parser.add_argument("--messages", type=at_least(1), metavar="N", help="Maximum number of messages (default: all).")
    parser.add_argument(
        "--bank",
        type=at_least(1),
        metavar="N",
        help="Store one bank of N messages, the conversations repeated, and ask it 200 questions: for speed alone.",
    )
    parser.add_argument(
        "--only", choices=tuple(SYSTEMS), action="append", help="Measure only this store; can be repeated."
    )
    parser.add_argument(
        "--embedder", default=USE, metavar="NAME", help="Embedder of all stores (default: %(default)s)."
    )
    add_json_option(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a dataset is invalid."""
    options = _parser().parse_args(arguments)
    try:
        conversations = read_conversations(options.folder or options.locomo, options.messages)
        if options.bank:
            conversations = [in_one_bank(conversations, options.bank, QUESTIONS)]
        with progress_bar("measuring") as progress:
            result = compare(options.only or tuple(SYSTEMS), options.embedder, conversations, progress)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    texts = [message.text for conversation in conversations for message in conversation.messages]
    given: dict[str, object] = {
        "embedder": options.embedder,
        "conversations": len(conversations),
        "messages": len(texts),
        "questions": sum(len(conversation.questions) for conversation in conversations),
        "text_bytes": sum(len(text.encode()) for text in texts),
    }
    if options.as_json:
        write_json(given | asdict(result))
        return
    show_fields(given)
    for rows in (result.stores, result.ratios):
        print()
        show_rows([asdict(row) for row in rows])
    for name, reason in result.left_out.items():
        print(f"{name} was not measured: {reason}")


if __name__ == "__main__":
    main()
