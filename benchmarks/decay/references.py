"""Simpler ways of forgetting in the same bytes: the newest text, random sentences, an extractive summary.

Each keeps whole sentences. The bytes are those of all that is kept as one stream of zstd -19, and what is asked for is
ranked by the index of the memory that it stands beside, over the exact text.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import zstandard

from benchmarks.baselines.extensions import NotInstalled

from .conversation import Message
from .scoring import words

SEED = 7
#: Ends of sentences, and line breaks.
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])\s*|\n+")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a message."""

    message_id: str
    #: Place in the message.
    number: int
    text: str


#: Returns the sentences of messages in the order in which they are kept, the first to be kept first.
Order = Callable[[Sequence[Message]], Sequence[Sentence]]


def sentences_of(messages: Iterable[Message]) -> list[Sentence]:
    """Returns the sentences of messages, in their order."""
    return [
        Sentence(message.id, number, part)
        for message in messages
        for number, part in enumerate(filter(None, map(str.strip, _SENTENCE.split(message.text))))
    ]


def newest_first(messages: Sequence[Message]) -> Sequence[Sentence]:
    """Truncation: the newest sentences are kept."""
    return sentences_of(messages)[::-1]


def at_random(messages: Sequence[Message]) -> Sequence[Sentence]:
    """Random sentences, the same in every run."""
    sentences = sentences_of(messages)
    random.Random(SEED).shuffle(sentences)
    return sentences


def by_lexrank(messages: Sequence[Message]) -> Sequence[Sentence]:
    """An extractive summary of each day by LexRank (sumy), all days shortened alike. Raises `NotInstalled`."""
    try:
        from sumy.models.dom import ObjectDocumentModel, Paragraph
        from sumy.models.dom import Sentence as SumySentence
        from sumy.summarizers.lex_rank import LexRankSummarizer
    except ImportError as error:
        raise NotInstalled(str(error)) from error
    ranked: list[tuple[float, Sentence]] = []
    for _, day in groupby(messages, key=lambda message: (message.thread, message.created_at.date())):
        sentences = [sentence for sentence in sentences_of(day) if words(sentence.text)]
        document = ObjectDocumentModel([Paragraph([SumySentence(each.text, _Tokenizer) for each in sentences])])
        order: list[int] = []

        def take(infos: Sequence[object], order: list[int] = order) -> Sequence[object]:
            order.extend(info.order for info in infos)  # type: ignore[attr-defined]
            return infos

        LexRankSummarizer()(document, take)
        ranked += [(rank / len(order), sentences[place]) for rank, place in enumerate(order)]
    return [sentence for _, sentence in sorted(ranked, key=lambda pair: pair[0])]


class _Tokenizer:
    """Words for sumy, whose own tokenizer needs a download."""

    @staticmethod
    def to_words(text: str) -> tuple[str, ...]:
        return tuple(words(text))


#: Name → order.
REFERENCES: Mapping[str, Order] = {
    "newest kept": newest_first,
    "random sentences": at_random,
    "LexRank": by_lexrank,
}


def kept_within(ordered: Sequence[Sentence], bytes_held: int) -> dict[str, str]:
    """Returns message id → text of the first sentences of `ordered` that fit in `bytes_held`."""
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high + 1) // 2
        if _compressed(_texts(ordered[:middle]).values()) <= bytes_held:
            low = middle
        else:
            high = middle - 1
    return _texts(ordered[:low])


def _texts(sentences: Iterable[Sentence]) -> dict[str, str]:
    """Message id → its sentences, in the order of the message."""
    parts: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        parts.setdefault(sentence.message_id, []).append(sentence)
    return {
        key: " ".join(each.text for each in sorted(kept, key=lambda each: each.number)) for key, kept in parts.items()
    }


def _compressed(texts: Iterable[str]) -> int:
    return len(zstandard.ZstdCompressor(level=19).compress("\n".join(texts).encode(errors="surrogatepass")))
