"""Page images in a prompt: each with a label that describes it, and with its identifiers as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Self

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.ingest.keepsakes import Rank, find_keepsakes
from foxing.memory.pages.reader_pages import ReaderPage
from foxing.renderer.readers import PageImage

from .transcript import line, minute


@dataclass(frozen=True)
class PromptImage:
    """A page image and the text beside it."""

    placed: ReaderPage
    #: The label before the image, which describes its messages.
    label: str
    #: The identifiers on the image, which are easily misread; empty if there are none.
    identifiers: str
    #: Tokens that the complete messages on the image would take as text.
    text_tokens: int

    @classmethod
    def of(cls, placed: ReaderPage) -> Self:
        """Returns the image with its label and identifiers."""
        parts = placed.parts
        whole = [part for part in parts if int(part.message_id) not in placed.in_part]
        lines = (line(_Part(part.role, part.name, part.created_at, part.content)) for part in whole)
        first, last = min(part.created_at for part in parts), max(part.created_at for part in parts)
        return cls(
            placed,
            f"Page image, {len(parts)} messages from {minute(first)} to {minute(last)}.{_cut(placed)}",
            " ".join(_identifiers([part.content for part in parts])),
            count_text_tokens("\n".join(lines)),
        )

    @property
    def image(self) -> PageImage:
        """The image."""
        return self.placed.image

    def said(self, *, keepsakes: bool) -> str:
        """Returns the text before the image. `keepsakes`: include the identifiers."""
        return f"{self.label} Identifiers on it: {self.identifiers}" if keepsakes and self.identifiers else self.label

    def tokens(self, *, keepsakes: bool) -> int:
        """Returns the tokens billed for the image and the text before it. `keepsakes`: see `said`."""
        return self.image.tokens + (self._said_tokens if keepsakes else self._label_tokens)

    @cached_property
    def _said_tokens(self) -> int:
        return count_text_tokens(self.said(keepsakes=True))

    @cached_property
    def _label_tokens(self) -> int:
        return count_text_tokens(self.label)


class _Part(NamedTuple):
    """The part of a message on a page image, as a line of a transcript."""

    role: str
    name: str | None
    created_at: datetime
    text: str
    kept_percent: int = 100


def _cut(placed: ReaderPage) -> str:
    """Returns the sentence of the label about the messages that an image shows in part; empty if there are none."""
    said = []
    for part in placed.parts:
        number = int(part.message_id)
        if number in placed.in_part:
            ends = (
                ("begins before it", number in placed.begins_before),
                ("goes on after it", number in placed.continues_after),
            )
            how = " and ".join(words for words, so in ends if so)
            said.append(f"the one of {minute(part.created_at)} by {part.name or part.role} {how}")
    return f" In part, and whole as text below: {'; '.join(said)}." if said else ""


def _identifiers(parts: Sequence[str]) -> dict[str, None]:
    """Returns the distinct identifiers in texts, in order."""
    found = ((text, keepsake) for text in parts for keepsake in find_keepsakes(text))
    return dict.fromkeys(text[k.start : k.stop] for text, k in found if k.rank == Rank.IDENTIFIER)
