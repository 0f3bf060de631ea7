"""Measures where the pieces of excerpts begin: inside a sentence, or at its start, by language.

python -m benchmarks.excerpts DATA/eval --json
"""

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

from foxing.memory.fold.excerpts import FadingMessages, FoldedMessage
from foxing.renderer.marks import GAP_MARK

from .command_line import add_json_option, write_json

#: Language → groups of documents.
GROUPS = ("zh", "ja", "ko", "de", "en")
#: Characters of a message that is measured, and share of it that an excerpt keeps.
SHORTEST, SHARE = 300, 0.25
_MARKS = tuple(".!?。！？")
_STARTS = re.compile(r"(?:^|[.!?…。！？][\"'”’»)\]」』）】*_]*\s*|\n\s*)\Z")


def texts(folder: Path, language: str, most: int) -> Iterator[str]:
    """Yields long texts of a language: the messages of a document that end with a sentence, joined."""
    blank = "" if language in ("zh", "ja") else " "
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                if document.get("lang") != language:
                    continue
                said = [" ".join(str(message["content"]).split()) for message in document["messages"]]
                text = ""
                for words in said:
                    text = f"{text}{blank if text else ''}{words}" if words.endswith(_MARKS) else text
                    if len(text) >= SHORTEST:
                        yield text
                        text, most = "", most - 1
                        if not most:
                            return


def measure(language_texts: Iterator[str]) -> dict[str, float]:
    """Returns the number of pieces after a gap, the share of them that begins inside a sentence, and the number of
    messages of which nothing is left without a mark."""
    pieces = inside = empty = count = 0
    for text in language_texts:
        count += 1
        left = FadingMessages([FoldedMessage("a", "user", "", text)]).within(int(len(text) * SHARE))
        shown = left[0].text if left else ""
        empty += GAP_MARK not in shown
        at = 0
        for number, piece in enumerate(shown.split(GAP_MARK)):
            words = piece.strip()
            place = text.find(words, at)
            if words and place >= 0:
                at = place + len(words)
                if number:
                    pieces += 1
                    inside += _STARTS.search(text[:place]) is None
    return {"messages": count, "pieces": pieces, "inside": inside / max(1, pieces), "without a mark": empty}


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="Folder with documents as JSON Lines, gzipped.")
    parser.add_argument("--most", type=int, default=1_000, help="Messages of each language.")
    add_json_option(parser)
    given = parser.parse_args()
    found = {language: measure(texts(given.folder, language, given.most)) for language in GROUPS}
    if given.as_json:
        write_json(found)
    else:
        for language, figures in found.items():
            print(language, *(f"{name} {value:.3g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
