"""Questions about a page in the form of a chat, as models that follow instructions were trained on."""

from dataclasses import dataclass
from typing import Any

from foxing.encoder.errors import CodecError

from .loading import Place, token_id

START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Chat:
    """How a model has a page and a prompt put before it. `system`: what it is told first, None for nothing; `before`,
    `image`, `after`: the marks around the page and the one that keeps a place for a vision token; `end`: of a turn."""

    system: str | None
    before: str
    image: str
    after: str
    end: str = END_OF_TURN + "\n"

    def around(self, prompt: str) -> tuple[str, str]:
        """The text before and after the vision tokens of a page."""
        system = "" if self.system is None else f"{START_OF_TURN}system\n{self.system}{self.end}"
        before = f"{system}{START_OF_TURN}user\n{self.before}"
        return before, f"{self.after}{prompt}{self.end}{START_OF_TURN}assistant\n"

    def check(self, tokenizer: Any, image_id: int, place: Place) -> frozenset[int]:
        """The token ids that end an answer. Raises `CodecError` where the tokenizer lacks a mark of the chat, or has
        another id for the places of vision tokens than the model."""
        for mark in (START_OF_TURN, self.before, self.after.strip()):
            token_id(tokenizer, mark, place)
        if token_id(tokenizer, self.image, place) != image_id:
            raise CodecError(
                f"the tokenizer and the config.json of {place.name} are of different models; get both anew"
            )
        return frozenset(token_id(tokenizer, mark, place) for mark in (END_OF_TURN, END_OF_TEXT))
