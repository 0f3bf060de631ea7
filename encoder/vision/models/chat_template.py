"""Chat templates of instruction-tuned models."""

from dataclasses import dataclass
from typing import Any

from foxing.encoder.errors import CodecError

from .checkpoint import Checkpoint, token_id

START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class ImageMarks:
    """Special tokens of an image in a prompt."""

    start: str
    #: Placeholder for a vision token.
    token: str
    end: str


@dataclass(frozen=True)
class ChatTemplate:
    """Chat template for a page and a prompt."""

    #: Text before the page and the prompt, such as the start of the user's turn.
    before: str
    image: ImageMarks
    #: Text after them, such as the start of the model's turn.
    after: str
    #: Tokens that end an answer.
    ends: tuple[str, ...]
    #: Other tokens of the template that the tokenizer must have.
    special: tuple[str, ...] = ()

    def render(self, prompt: str) -> tuple[str, str]:
        """Returns the text before and after the vision tokens of a page."""
        return f"{self.before}{self.image.start}", f"{self.image.end}{prompt}{self.after}"

    def eos_token_ids(self, tokenizer: Any, image_token_id: int, checkpoint: Checkpoint) -> frozenset[int]:
        """Returns the token ids that end an answer. Raises `CodecError` if the tokenizer lacks a token of the template,
        or disagrees with the model about `image_token_id`."""
        for mark in (*self.special, self.image.start, self.image.end.strip()):
            token_id(tokenizer, mark, checkpoint)
        if token_id(tokenizer, self.image.token, checkpoint) != image_token_id:
            raise CodecError(
                f"the tokenizer and config.json of {checkpoint.name} belong to different models; download both again"
            )
        return frozenset(token_id(tokenizer, mark, checkpoint) for mark in self.ends)


def turn_template(system: str | None, image: ImageMarks, turn_end: str = END_OF_TURN + "\n") -> ChatTemplate:
    """Returns the template of models that delimit turns by `<|im_start|>` and `<|im_end|>`. `system`: system message,
    None for none; `turn_end`: text at the end of a turn."""
    opening = "" if system is None else f"{START_OF_TURN}system\n{system}{turn_end}"
    return ChatTemplate(
        before=f"{opening}{START_OF_TURN}user\n",
        image=image,
        after=f"{turn_end}{START_OF_TURN}assistant\n",
        ends=(END_OF_TURN, END_OF_TEXT),
        special=(START_OF_TURN,),
    )
