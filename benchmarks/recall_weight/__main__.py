"""Whether what was asked for before fades later: LoCoMo's answers at `micro`, every second question asked before.

python -m benchmarks.recall_weight --locomo locomo_dev.json.gz --times 0 1 4 16
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from benchmarks.faded_answers import BASE, answer_of, hold_at, kept_share
from benchmarks.locomo import Conversation, read_locomo
from foxing.memory import Memory
from foxing.renderer import FoxingError

TIER = "micro"
LIMIT = 10  # messages that a question is answered with


@dataclass(frozen=True)
class RehearsedAnswers:
    """What the evidence of answers keeps at `TIER`: the share of the words of the answers that it holds."""

    #: How often every second question was asked before.
    times: int
    #: Words of the answers of these questions.
    words: int
    asked_kept: float
    #: Words of the answers of the others.
    other_words: int
    others_kept: float
    #: Share of all characters that are kept.
    characters_kept: float


def measure_recall_weight(
    memory: Memory, conversations: Sequence[Conversation], times: int, progress: Advance | None = None
) -> RehearsedAnswers:
    """Stores each conversation as a bank, asks every second question `times` times, and ages it to `TIER`."""
    asked: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    kept = chars = 0.0
    for number, conversation in enumerate(conversations):
        bank = f"locomo-{times}-{number}"
        originals = {str(message.id): message.text for message in conversation.messages}
        memory.store(bank, conversation.messages)
        hold_at(memory, bank, BASE)
        for question in conversation.questions[::2]:
            for _ in range(times):
                memory.recall(bank, question.text, limit=LIMIT)
        hold_at(memory, bank, TIER)
        spans = {span.message_id: span for span in memory.export(bank)}
        texts = {key: span.text for key, span in spans.items()}
        for place, question in enumerate(conversation.questions):
            answer = answer_of(question, originals)
            (others if place % 2 else asked).append((len(answer.words), answer.words_in(texts)))
        kept += sum(span.kept * len(originals[key]) for key, span in spans.items())
        chars += sum(map(len, originals.values()))
        if progress is not None:
            progress(number + 1, len(conversations))
    return RehearsedAnswers(
        times=times,
        words=sum(words for words, _ in asked),
        asked_kept=kept_share(asked),
        other_words=sum(words for words, _ in others),
        others_kept=kept_share(others),
        characters_kept=kept / max(1.0, chars),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recall_weight",
        description=f"Measure how many words of LoCoMo's answers are in their evidence at {TIER}, where every second "
        "question was asked before.",
    )
    parser.add_argument("--locomo", type=Path, required=True, metavar="FILE", help="LoCoMo, as JSON or gzipped.")
    parser.add_argument(
        "--times",
        type=at_least(0),
        nargs="+",
        default=[0, 1, 4, 16],
        metavar="N",
        help="How often every second question is asked (default: 0 1 4 16).",
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db") as memory,
        progress_bar("measuring") as progress,
    ):
        try:
            conversations = read_locomo(options.locomo)
            rows = [asdict(measure_recall_weight(memory, conversations, times, progress)) for times in options.times]
        except FoxingError as error:
            sys.exit(f"error: {error}")
    if options.as_json:
        write_json({"recall_weight": rows})
    else:
        show_rows(rows)


if __name__ == "__main__":
    main()
