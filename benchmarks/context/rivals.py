"""Rivals of context: the newest messages that fit, as when a prompt is truncated, and page images at random."""

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import Memory
from foxing.memory.context.identifiers import IDENTIFIERS, are_beside, identifier_tokens
from foxing.memory.context.prompt_images import PromptImage
from foxing.memory.pages.reader_pages import ReaderPages
from foxing.memory.recall.transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.values.fences import fenced
from foxing.memory.values.messages import RecalledMessage
from foxing.renderer.readers import Reader

#: An image shows a message completely from this share on; the sum over its parts is rounded.
WHOLE = 0.999


def newest(messages: Sequence[RecalledMessage], budget: int) -> tuple[list[str], int]:
    """Returns the ids of the newest messages that fit into `budget` tokens as text, and the tokens that they take.
    `messages`: oldest first."""
    style = Style()
    head = count_text_tokens(fenced("The last messages, quoted:", ""))

    def tokens(count: int) -> int:
        shown = TextTranscript(style)
        for message in messages[len(messages) - count :]:
            shown.add(TranscriptPlace.of(message, message.message_id, message.passage), TranscriptLine(message, style))
        return head + shown.packed_tokens

    taken = bisect_right(range(1, len(messages) + 1), budget, key=tokens)
    return [message.message_id for message in messages[len(messages) - taken :]], tokens(taken) if taken else 0


class RandomImages:
    """Page images of a bank for a reader, in random order."""

    def __init__(self, memory: Memory, bank: str, reader: Reader) -> None:
        builder = memory._context
        with builder.database.read() as connection:
            ids = pages.ids_by_time(connection, banks.get(connection, bank).id)
        self._images = ReaderPages(builder.database, builder.assembler.decoder, PromptImage.of).images(ids, reader)
        self._beside = are_beside(reader)

    def within(self, budget: int, seed: str) -> tuple[list[str], int, int]:
        """Returns the keys of the messages that random images show completely within `budget` tokens, the tokens, and
        the number of images. The same for the same `seed`."""
        order = list(self._images)
        random.Random(seed).shuffle(order)
        chosen: list[PromptImage] = []
        tokens = 0
        for image in order:
            cost = self._tokens([*chosen, image])
            if cost <= budget:
                chosen.append(image)
                tokens = cost
        shares: dict[str, float] = {}
        for image in chosen:
            for key, share in zip(image.placed.keys, image.placed.shares.values(), strict=True):
                shares[key] = shares.get(key, 0.0) + share
        return [key for key, share in shares.items() if share >= WHOLE], tokens, len(chosen)

    def _tokens(self, images: Sequence[PromptImage]) -> int:
        words: Mapping[str, tuple[str, ...]] = {}
        if self._beside:
            words = {word: image.marks[word] for image in images for word in (*image.identifiers, *image.doubtful)}
        beside = count_text_tokens(fenced(IDENTIFIERS, "")) + identifier_tokens(words) if words else 0
        return sum(image.tokens for image in images) + beside
