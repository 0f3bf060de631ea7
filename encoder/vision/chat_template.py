"""Chat templates of instruction-tuned models."""

from dataclasses import dataclass
from typing import Any

from foxing.encoder.errors import CodecError

from .checkpoint import Checkpoint, token_id

START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class ChatTemplate:
    """How a page and a prompt are presented to a model."""

    #: System message; None for none.
    system: str | None
    #: Mark before the vision tokens.
    image_start: str
    #: Placeholder for a vision token.
    image_token: str
    #: Mark after the vision tokens.
    image_end: str
    #: What ends a turn.
    turn_end: str = END_OF_TURN + "\n"

    def render(self, prompt: str) -> tuple[str, str]:
        """The text before and after a page's vision tokens."""
        system = "" if self.system is None else f"{START_OF_TURN}system\n{self.system}{self.turn_end}"
        before = f"{system}{START_OF_TURN}user\n{self.image_start}"
        return before, f"{self.image_end}{prompt}{self.turn_end}{START_OF_TURN}assistant\n"

    def eos_token_ids(self, tokenizer: Any, image_token_id: int, checkpoint: Checkpoint) -> frozenset[int]:
        """Token ids that end an answer. Raises `CodecError` if the tokenizer lacks a mark of the template or disagrees
        with the model about `image_token_id`."""
        for mark in (START_OF_TURN, self.image_start, self.image_end.strip()):
            token_id(tokenizer, mark, checkpoint)
        if token_id(tokenizer, self.image_token, checkpoint) != image_token_id:
            raise CodecError(
                f"the tokenizer and config.json of {checkpoint.name} belong to different models; download both again"
            )
        return frozenset(token_id(tokenizer, mark, checkpoint) for mark in (END_OF_TURN, END_OF_TEXT))
