"""Builds the lists of frequent words by which fading ranks the rarity of a word, from the training texts.

python -m training.frequent_words --data FOLDER
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, log2
from pathlib import Path
from typing import Any

from foxing.encoder.bench.documents import read_messages
from foxing.renderer import FoxingError
from foxing.renderer.fading import plain, words_of
from foxing.renderer.fading.frequencies import FREQUENT_WORDS_PATH, LINES_PER_HALVING, stem

#: Maximum bytes of a list.
BYTES = 10_000
#: Minimum number of messages that contain a listed word.
LEAST_MESSAGES = 3


@dataclass
class MessageCounts:
    """Number of messages of a language that contain each word."""

    messages: int = 0
    words: Counter[str] = field(default_factory=Counter)

    def add(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Counts the words of a conversation, except the names of its participants."""
        names = {stem(plain(message.get("name") or "")) for message in messages}
        for message in messages:
            text = message["content"]
            self.messages += 1
            self.words.update({stem(plain(text[start:stop])) for start, stop in words_of(text)} - names)

    def lines(self) -> list[str]:
        """Returns the lines of a list in the format of `FREQUENT_WORDS_PATH`, in at most `BYTES` bytes."""
        lines: list[list[str]] = []
        listed = {word: count for word, count in self.words.items() if word.replace("'", "").isalpha()}
        size = 0
        for word, count in sorted(listed.items(), key=lambda item: (-item[1], item[0])):
            size += len(word.encode()) + 1
            if count < LEAST_MESSAGES or size > BYTES:
                break
            line = floor(LINES_PER_HALVING * log2(self.messages / count)) + 1
            lines += [[] for _ in range(line + 1 - len(lines))]
            lines[line].append(word)
        return [" ".join(sorted(line)) for line in lines]


def count_words(files: Iterable[Path]) -> dict[str, MessageCounts]:
    """Returns the counts of the words of JSON Lines files, by language. Raises `CodecError` for an invalid file."""
    counts: dict[str, MessageCounts] = {}
    for file in files:
        for document in read_messages(file):
            counts.setdefault(document["lang"], MessageCounts()).add(document["messages"])
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if there are no valid texts."""
    parser = argparse.ArgumentParser(
        prog="python -m training.frequent_words",
        description="Write the lists of frequent words by which fading ranks the rarity of a word.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Folder with train/*.jsonl.gz.")
    parser.add_argument(
        "--output",
        type=Path,
        default=FREQUENT_WORDS_PATH,
        metavar="FOLDER",
        help="Output folder, one file per language (default: in the package).",
    )
    options = parser.parse_args(arguments)
    files = sorted((options.data / "train").glob("*.jsonl.gz"))
    if not files:
        sys.exit(f"error: {options.data} has no train/*.jsonl.gz; give the folder of the training texts")
    try:
        counts = count_words(files)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    for code, of_language in counts.items():
        (options.output / f"{code}.txt").write_text("\n".join(of_language.lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
