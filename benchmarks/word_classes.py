"""Builds the lists of frequent English words that `foxing codec bench` classifies words by, from the training texts.

python -m benchmarks.word_classes --data FOLDER
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from foxing.encoder.bench.documents import read_messages
from foxing.encoder.bench.word_classes import (
    COMMON_WORDS,
    RARE_LETTERS,
    RARE_MESSAGES_SHARE,
    WordClass,
    classify,
    is_plain,
    lower_case,
    words_of,
)
from foxing.encoder.bench.word_lists import ENGLISH, ENGLISH_WORDS_PATH, EnglishWords
from foxing.renderer import FoxingError

#: Classes that do not depend on the frequency of a word.
_NOT_COUNTED = (WordClass.NEGATION, WordClass.DATE, WordClass.NUMBER, WordClass.NAME)


#: Empty lists, so that counts do not depend on lists built before.
_NO_LISTS = EnglishWords(frozenset(), frozenset())


class WordFrequencies:
    """Frequencies of the plain words of messages, in lower case."""

    def __init__(self) -> None:
        self.messages = 0
        #: Occurrences, except in names, dates, numbers and negations.
        self.occurrences: Counter[str] = Counter()
        #: Number of messages that contain the word.
        self.in_messages: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Counts the words of one message."""
        words = words_of(text)
        plain = [
            (lower_case(word.text), found)
            for word, found in zip(words, classify(text, words, ENGLISH, _NO_LISTS), strict=True)
            if is_plain(word.text)
        ]
        self.messages += 1
        self.occurrences.update(word for word, found in plain if found not in _NOT_COUNTED)
        self.in_messages.update({word for word, _ in plain})

    def common(self) -> list[str]:
        """Returns the `COMMON_WORDS` most frequent words, sorted."""
        ranked = sorted(self.occurrences.items(), key=lambda item: (-item[1], item[0]))
        return sorted(word for word, _ in ranked[:COMMON_WORDS])

    def frequent(self) -> list[str]:
        """Returns the words of at least `RARE_LETTERS` letters that occur in more than `RARE_MESSAGES_SHARE` of the
        messages, sorted."""
        least = self.messages * RARE_MESSAGES_SHARE
        letters = {word: sum(map(str.isalpha, word)) for word, count in self.in_messages.items() if count > least}
        return sorted(word for word, count in letters.items() if count >= RARE_LETTERS)


def count_words(files: Iterable[Path]) -> WordFrequencies:
    """Counts the words of the English documents of JSON Lines files. Raises `CodecError` for an invalid file."""
    frequencies = WordFrequencies()
    for file in files:
        for document in read_messages(file):
            if document.get("lang") == ENGLISH:
                for message in document["messages"]:
                    frequencies.add(message["content"])
    return frequencies


def write_lists(frequencies: WordFrequencies, path: Path) -> None:
    """Writes both lists to `path` as JSON."""
    lists = {"common": " ".join(frequencies.common()), "frequent": " ".join(frequencies.frequent())}
    path.write_text(json.dumps(lists, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if there are no valid texts."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.word_classes",
        description="Write the lists of frequent English words that the codec bench classifies words by.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Folder with train/*.jsonl.gz.")
    parser.add_argument(
        "--output", type=Path, default=ENGLISH_WORDS_PATH, metavar="FILE", help="Output file (default: in the package)."
    )
    options = parser.parse_args(arguments)
    files = sorted((options.data / "train").glob("*.jsonl.gz"))
    if not files:
        sys.exit(f"error: {options.data} has no train/*.jsonl.gz; give the folder of the training texts")
    try:
        frequencies = count_words(files)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    write_lists(frequencies, options.output)


if __name__ == "__main__":
    main()
