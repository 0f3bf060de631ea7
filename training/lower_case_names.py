"""Builds the list of English names that are often written in lower case, from the training texts.

python -m training.lower_case_names --data FOLDER
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foxing.encoder.bench.documents import read_messages
from foxing.renderer import FoxingError
from foxing.renderer.fading.names import NAMES_PATH

#: Texts in which names are often written in lower case, and texts by which common words are known.
CASUAL, COMMON = ("en_irc",), ("en_sgd", "en_tau_bench")
#: Minimum number of occurrences inside sentences with a capital and without, and minimum share of those with one.
LEAST_CAPITAL, LEAST_LOWER, LEAST_SHARE = 10, 40, 0.15
#: A word with as many occurrences in the common texts is no name.
COMMON_FROM = 3
#: Share of capitals above which a message is left out.
SHOUTED = 0.3
#: A word that begins messages as an address at least this often, relative to other occurrences, is a participant.
ADDRESS_SHARE = 0.2
_ADDRESS = re.compile(r"\A([A-Za-z][\w.+-]*)[:,]")
#: A word inside a sentence.
_INSIDE = re.compile(r"(?<=[a-z,] )[A-Za-z][\w.+-]*[A-Za-z0-9]")


def lower_case_names(casual: Iterable[str], common: Iterable[str]) -> list[str]:
    """Returns the names in alphabetical order. `casual`, `common`: messages."""
    texts = list(casual)
    capital, lower = _counted(texts)
    _, known = _counted(common)
    addressed = Counter(match[1].lower() for match in map(_ADDRESS.match, texts) if match)
    return sorted(
        word
        for word, count in lower.items()
        if count >= LEAST_LOWER
        and capital[word] >= max(LEAST_CAPITAL, LEAST_SHARE * (capital[word] + count))
        and known[word] < COMMON_FROM
        and addressed[word] < ADDRESS_SHARE * (capital[word] + count)
        and word.isascii()
    )


def _counted(messages: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Returns how often each word, in lower case, occurs inside sentences with a capital, and without."""
    capital: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for text in messages:
        letters = [character for character in text if character.isalpha()]
        if sum(map(str.isupper, letters)) > SHOUTED * len(letters):
            continue
        for match in _INSIDE.finditer(text):
            (capital if match[0][0].isupper() else lower)[match[0].lower()] += 1
    return capital, lower


def _messages(folder: Path, names: Sequence[str]) -> Iterable[str]:
    for name in names:
        for document in read_messages(folder / "train" / f"{name}.jsonl.gz"):
            yield from map(_content, document["messages"])


def _content(message: Mapping[str, Any]) -> str:
    return str(message["content"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a text is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m training.lower_case_names",
        description="Write the list of English names that are often written in lower case.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Folder with train/*.jsonl.gz.")
    parser.add_argument("--output", type=Path, default=NAMES_PATH, metavar="FOLDER", help="Output folder.")
    options = parser.parse_args(arguments)
    try:
        names = lower_case_names(_messages(options.data, CASUAL), _messages(options.data, COMMON))
    except (FoxingError, OSError) as error:
        sys.exit(f"error: {error}")
    (options.output / "en.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
