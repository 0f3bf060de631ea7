"""Share of LoCoMo's evidence that BM25 finds: over plain words, and over Foxing's index terms.

    python -m benchmarks.bm25_locomo locomo_dev.json.gz

For each question, the turns of its conversation are ranked and taken in that order, without those that no longer fit.
Prints the share of evidence turns taken, averaged over the questions that name evidence.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage

from .bm25 import Bm25, plain_words, take_within
from .locomo import Conversation, read_locomo

BUDGET_TOKENS = 2048  # text tokens
#: Values of k1 and b.
PARAMETERS = ((1.2, 0.75), (1.5, 0.75), (0.9, 0.4))


@dataclass(frozen=True)
class Analysis:
    """How text becomes terms."""

    name: str
    of_message: Callable[[str], Counter[str]]
    of_query: Callable[[str], Counter[str]]
    #: Whether the speaker's name is part of a message.
    names: bool


ANALYSES = tuple(
    Analysis(name, of_message, of_query, names)
    for names in (False, True)
    for name, of_message, of_query in (("plain words", plain_words, plain_words), ("index terms", terms, query_terms))
)


def evidence_recall(conversations: Sequence[Conversation], analysis: Analysis, k1: float, b: float) -> float:
    """The share of evidence found within `BUDGET_TOKENS`, averaged over questions."""

    def document(message: NewMessage) -> Counter[str]:
        return analysis.of_message(f"{message.name} {message.text}" if analysis.names else message.text)

    shares = []
    for conversation in conversations:
        cost = {str(message.id): count_text_tokens(message.text) for message in conversation.messages}
        index = Bm25({str(message.id): document(message) for message in conversation.messages}, k1, b)
        for question in conversation.questions:
            ranked = index.rank(analysis.of_query(question.text))
            found = question.evidence & take_within(BUDGET_TOKENS, ranked, cost)
            shares.append(len(found) / len(question.evidence))
    return fmean(shares)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bm25_locomo",
        description="Measure how much of LoCoMo's evidence BM25 finds within 2,048 text tokens.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="LoCoMo as JSON, gzipped or not.")
    conversations = read_locomo(parser.parse_args(arguments).file)
    for analysis in ANALYSES:
        for k1, b in PARAMETERS:
            share = evidence_recall(conversations, analysis, k1, b)
            included = "in" if analysis.names else "not in"
            print(f"{analysis.name}, names {included} the text, k1={k1} b={b}: {share:.4f}", flush=True)


if __name__ == "__main__":
    main()
