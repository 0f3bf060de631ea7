"""Evidence recall of lexical search on LoCoMo: plain BM25 over the full text, and BM25 over Foxing's index terms.

    python benchmarks/bm25_locomo.py locomo_dev.json.gz

For each question the turns of its conversation are ranked and taken in that order until the text tokens are used up;
printed is the share of evidence turns taken, averaged over the questions that name evidence.
"""

import argparse
import gzip
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.text.terms import query_terms, terms

BUDGET = 2048  # text tokens
Ranker = Callable[[str], Counter[str]]


def plain(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


class Bm25:
    def __init__(self, documents: Iterable[Counter[str]], k1: float = 1.2, b: float = 0.75) -> None:
        self.k1, self.b = k1, b
        self.postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.lengths: list[int] = []
        for index, counts in enumerate(documents):
            self.lengths.append(sum(counts.values()))
            for term, count in counts.items():
                self.postings[term].append((index, count))
        self.mean = sum(self.lengths) / len(self.lengths)

    def rank(self, query: Counter[str]) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for term in query:
            found = self.postings.get(term, [])
            idf = math.log(1 + (len(self.lengths) - len(found) + 0.5) / (len(found) + 0.5))
            for index, count in found:
                norm = self.k1 * (1 - self.b + self.b * self.lengths[index] / self.mean)
                scores[index] += idf * count * (self.k1 + 1) / (count + norm)
        return sorted(scores, key=lambda index: (-scores[index], index))


def turns(sample: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(dia_id, speaker, text), captions of images in brackets."""
    conversation, found = sample["conversation"], []
    for key in conversation:
        if re.fullmatch(r"session_\d+", key):
            for turn in conversation[key]:
                caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
                found.append((turn["dia_id"], turn["speaker"], turn["text"] + caption))
    return found


def evidence_recall(
    samples: list[dict[str, Any]], index: Ranker, ask: Ranker, names: bool, k1: float, b: float
) -> float:
    shares = []
    for sample in samples:
        said = turns(sample)
        cost = [count_text_tokens(text) for _, _, text in said]
        bm25 = Bm25((index(f"{speaker} {text}" if names else text) for _, speaker, text in said), k1, b)
        ids = {dia_id for dia_id, _, _ in said}
        for question in sample["qa"]:
            wanted = {e for line in question.get("evidence", []) for e in re.split(r"[;,\s]+", line)} & ids
            if not wanted:
                continue
            taken, left = set(), BUDGET
            for turn in bm25.rank(ask(question["question"])):
                if cost[turn] > left:
                    break
                left -= cost[turn]
                taken.add(said[turn][0])
            shares.append(len(wanted & taken) / len(wanted))
    return sum(shares) / len(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="LoCoMo as JSON, may be gzipped")
    path = parser.parse_args().file
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        samples = json.load(file)
    for names in (False, True):
        for title, index, ask in (("plain words", plain, plain), ("index terms", terms, query_terms)):
            for k1, b in ((1.2, 0.75), (1.5, 0.75), (0.9, 0.4)):
                share = evidence_recall(samples, index, ask, names, k1, b)
                print(f"{title}, names {'in' if names else 'not in'} the text, k1={k1} b={b}: {share:.4f}", flush=True)


if __name__ == "__main__":
    main()
