"""Korean questions in other words than the messages they ask for: how often the message is among the first ten.

    python -m benchmarks.paraphrases --texts ko_songys.jsonl.gz ko_nsmc.jsonl.gz --json

A question is made of the words of a message that a list has another word for: these other words, with the endings of
the message. All messages of the files are in one bank. Measured by words alone and with the default embedder, on the
same questions.
"""

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command_line import add_json_option, show_rows, write_json
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import USE
from foxing.memory.index.model_source import NONE
from foxing.memory.values.messages import NewMessage
from foxing.renderer import FoxingError

QUESTIONS = 300
FIRST = 10  # messages of an answer among which the one asked for counts
MESSAGES = 6000  # in the bank, at most
#: Stem of a word → one that means the same. Endings stay.
SYNONYMS: Mapping[str, str] = json.loads((Path(__file__).parent / "korean.json").read_text(encoding="utf-8"))
_WORD = re.compile("|".join(sorted(SYNONYMS, key=len, reverse=True)))
_FEWEST_WORDS, _MOST_WORDS = 4, 14


@dataclass(frozen=True)
class Paraphrase:
    """A question, and the id of the message it asks for."""

    message_id: str
    text: str


@dataclass(frozen=True)
class ParaphraseRecall:
    """How often a message was among the first `FIRST`."""

    embedder: str
    messages: int
    questions: int
    found: float


def read_messages(files: Sequence[Path]) -> list[str]:
    """The different messages of the files, at most `MESSAGES`, the same on every run."""
    found = dict.fromkeys(text for file in files for text in _texts(file))
    texts = list(found)
    random.Random(7).shuffle(texts)
    return texts[:MESSAGES]


def paraphrases(texts: Sequence[str]) -> list[Paraphrase]:
    """Up to `QUESTIONS` questions about `texts`, whose ids are their places."""
    questions = []
    for number, text in enumerate(texts):
        words = text.split()
        replaced = [place for place, word in enumerate(words) if _WORD.match(word)]
        if len(replaced) < 2 or not _FEWEST_WORDS <= len(words) <= _MOST_WORDS:
            continue
        asked = " ".join(_WORD.sub(lambda match: SYNONYMS[match[0]], words[place], count=1) for place in replaced)
        questions.append(Paraphrase(str(number), asked))
    random.Random(11).shuffle(questions)
    return questions[:QUESTIONS]


def measure(texts: Sequence[str], questions: Sequence[Paraphrase], embedder: str) -> ParaphraseRecall:
    """Stores `texts`, each in a thread of its own, and asks the questions."""
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db", options=MemoryOptions(embedder=embedder)) as memory,
    ):
        items = [NewMessage(id=str(n), role="user", content=text, thread=str(n)) for n, text in enumerate(texts)]
        memory.store("ko", items)
        found = 0
        for question in questions:
            spans = memory.recall("ko", question.text, limit=FIRST).spans
            found += question.message_id in {span.message_id for span in spans}
    return ParaphraseRecall(embedder, len(texts), len(questions), found / max(1, len(questions)))


def _texts(file: Path) -> Iterator[str]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as stream:
        for line in stream:
            for message in json.loads(line)["messages"]:
                text = " ".join(str(message["content"]).split())
                if text:
                    yield text


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paraphrases",
        description="Measure how often a Korean message is among the first ten for a question in other words.",
    )
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="FILE", help="JSON Lines of messages.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    try:
        texts = read_messages(options.texts)
        rows = [asdict(measure(texts, paraphrases(texts), embedder)) for embedder in (NONE, USE)]
    except (OSError, KeyError, ValueError, FoxingError) as error:
        sys.exit(f"error: {error}")
    if options.as_json:
        write_json({"korean_paraphrases": rows})
    else:
        show_rows(rows)


if __name__ == "__main__":
    main()
