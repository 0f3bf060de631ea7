"""What a codec needs from a vision–language model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.encoder.errors import CodecError

from .checkpoint import Checkpoint

#: Name of the prompt that transcribes a page.
FREE_OCR = "free-ocr"


@dataclass(frozen=True)
class PageFeatures:
    """The vision tokens of a page, as the decoder takes them."""

    #: Tier at which the page was encoded.
    tier: str
    #: float [rows, columns, channels].
    features: Tensor


@dataclass(frozen=True)
class RepeatRule:
    """How repetitions are kept down while a text is generated. Text further apart repeats itself as pages do."""

    #: No run of `size` tokens is generated twice within `window` tokens, but for those that end with one of `exempt`.
    size: int
    window: int
    exempt: frozenset[int] = frozenset()
    #: What is taken off the logit of a token that the text has.
    presence_penalty: float = 0.0
    #: The same for each time that the text has it.
    frequency_penalty: float = 0.0


class VisionModel(ABC):
    """A network and its tokenizer."""

    name: ClassVar[str]
    #: Model on the hub that the codec is named after.
    hub_id: ClassVar[str]
    #: Prompts by name; `{}` stands for a subject.
    prompts: Mapping[str, str]
    repeats: RepeatRule
    #: Tokens that are exempt from it.
    repeated_tokens: tuple[str, ...] = ()
    #: Mean of the pixels by channel, in [0, 1].
    image_mean: tuple[float, ...]
    #: Standard deviation of the pixels by channel, in [0, 1].
    image_std: tuple[float, ...]
    #: Whether the model writes YAML between two lines of `---` before the text of a page.
    front_matter: bool = False
    #: Side of the encoder's patches; the number of patches determines its memory use.
    patch_px: int = 16
    #: Whether `prompt_embeddings` is all that the decoder needs, so that a server can decode.
    supports_prompt_embeddings: ClassVar[bool] = False

    def __init__(self, network: Any, tokenizer: Any) -> None:
        """`network`: a transformers model in evaluation mode; `tokenizer`: a `tokenizers.Tokenizer`."""
        self.network = network
        self.tokenizer = tokenizer

    @classmethod
    @abstractmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """The model of a checkpoint. Raises `CodecError` if a parameter is missing or unexpected."""

    @classmethod
    def load_encoder(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """The model for a server that decodes: it encodes and has `prompt_embeddings`, and cannot generate. Raises
        `CodecError`, also if `supports_prompt_embeddings` is false."""
        raise CodecError(f"the decoder of {cls.name} needs more than embeddings; remove the option 'remote'")

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype  # type: ignore[no-any-return]

    @property
    @abstractmethod
    def tiers(self) -> Mapping[str, int]:
        """Side of the image in px by tier, sharpest first."""

    @abstractmethod
    def shape(self, tier: str) -> tuple[int, int, int]:
        """Rows, columns and channels of a page's vision tokens."""

    @abstractmethod
    def positions(self, tier: str) -> int:
        """Context positions that a page takes."""

    @abstractmethod
    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """Vision tokens, float [B, rows, columns, channels]. `pixels`: float [B, 3, side, side], normalised."""

    @abstractmethod
    def prompt_ids(self, prompt: str) -> tuple[list[int], list[int]]:
        """Token ids before and after the image."""

    @abstractmethod
    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        """Arguments of `generate` other than the token ids. `ids`: int [B, length], one row per page, padded on the
        left, with `image_token_id` at each of the page's positions."""

    def prompt_embeddings(self, page: PageFeatures, prompt: str) -> Tensor:
        """The decoder's input embeddings for a page and a prompt, special tokens included: [length, hidden], in the
        model's dtype. Raises `CodecError` if `supports_prompt_embeddings` is false."""
        raise CodecError(f"the decoder of {self.name} needs more than embeddings; remove the option 'remote'")

    @property
    def repeat_rule(self) -> RepeatRule:
        """`repeats` with the ids of the tokens that are exempt."""
        known = (self.tokenizer.token_to_id(token) for token in self.repeated_tokens)
        return replace(self.repeats, exempt=frozenset(token for token in known if token is not None))

    @property
    def image_token_id(self) -> int:
        """Placeholder for a vision token."""
        return int(self.network.config.image_token_id)

    @property
    @abstractmethod
    def eos_token_ids(self) -> frozenset[int]:
        """Token ids that end a text; the smallest also pads."""

    @property
    def context_length(self) -> int:
        """Maximum number of positions of the decoder."""
        return int(self.network.config.text_config.max_position_embeddings)

    def side_px(self, tier: str) -> int:
        """Side of the image that the network sees at `tier`."""
        return self.tiers[tier]

    def prompt(self, name: str, subject: str = "") -> str:
        """The prompt called `name`, with `subject` filled in. Raises `CodecError` if the model lacks it."""
        if name not in self.prompts:
            raise CodecError(f"the {self.name} codec has no prompt '{name}'; it has {', '.join(self.prompts)}")
        return self.prompts[name].replace("{}", subject)

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """Network input for images of equal size: float [B, 3, H, W], normalised."""
        array = np.stack([np.asarray(image.convert("RGB"), dtype=np.uint8) for image in images])
        values = torch.from_numpy(array).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (self.image_mean, self.image_std))
        return ((values - mean) / std).to(self.dtype)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`, without added special tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids
