"""Interface of a vision–language model for a codec."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.renderer.tiers import TOKEN_SIDE_PX

from .checkpoint import Checkpoint


@dataclass(frozen=True)
class PageFeatures:
    """Vision tokens of a page, as input of the decoder."""

    #: Tier at which the page was encoded.
    tier: str
    #: float [rows, columns, channels].
    features: Tensor


@dataclass(frozen=True)
class RepeatRule:
    """Rule against repetitions during generation. Repetitions further apart are allowed, since pages contain them."""

    #: No n-gram of `size` tokens is generated twice within `window` tokens, unless it ends with one of `exempt`.
    size: int
    window: int
    exempt: frozenset[int] = frozenset()
    #: Subtracted from the logit of each token that the text contains.
    presence_penalty: float = 0.0
    #: Subtracted from the logit of a token for each of its occurrences.
    frequency_penalty: float = 0.0


class VisionModel(ABC):
    """Network with its tokenizer."""

    name: ClassVar[str]
    #: Default model on the hub.
    hub_id: ClassVar[str]
    #: Prompt that transcribes a page.
    prompt: str
    repeats: RepeatRule
    #: Tokens that are exempt from the rule.
    repeated_tokens: tuple[str, ...] = ()
    #: Mean of the pixels by channel, in [0, 1].
    image_mean: tuple[float, ...]
    #: Standard deviation of the pixels by channel, in [0, 1].
    image_std: tuple[float, ...]
    #: Side of the encoder's patches in px; the number of patches determines its memory use.
    patch_px: int = 16

    def __init__(self, network: Any, tokenizer: Any) -> None:
        """`network`: a transformers model in evaluation mode; `tokenizer`: a `tokenizers.Tokenizer`."""
        self.network = network
        self.tokenizer = tokenizer

    @classmethod
    @abstractmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """Loads the model of a checkpoint. Raises `CodecError` if a parameter is missing or unexpected."""

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.network.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the parameters."""
        return next(self.network.parameters()).dtype  # type: ignore[no-any-return]

    @property
    @abstractmethod
    def tiers(self) -> Mapping[str, int]:
        """Side of the image in px by tier, sharpest first."""

    def shape(self, tier: str) -> tuple[int, int, int]:
        """Returns the rows, columns and channels of a page's vision tokens at `tier`."""
        side = self.tiers[tier] // TOKEN_SIDE_PX
        return side, side, int(self.network.config.text_config.hidden_size)

    def positions(self, tier: str) -> int:
        """Returns the context positions of a page at `tier`."""
        rows, columns, _ = self.shape(tier)
        return rows * columns

    @abstractmethod
    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """Encodes images: returns vision tokens, float [B, rows, columns, channels]. `pixels`: float [B, 3, side,
        side], normalised."""

    @abstractmethod
    def prompt_ids(self) -> tuple[list[int], list[int]]:
        """Returns the token ids of the prompt before and after the image."""

    @abstractmethod
    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        """Returns the arguments of `generate` other than the token ids. `ids`: int64 [B, length], one row per page,
        padded on the left, with `image_token_id` at each position of the page."""

    @property
    def repeat_rule(self) -> RepeatRule:
        """`repeats` with the ids of the exempt tokens."""
        ids = (self.tokenizer.token_to_id(token) for token in self.repeated_tokens)
        return replace(self.repeats, exempt=frozenset(token for token in ids if token is not None))

    @property
    def image_token_id(self) -> int:
        """Id of the placeholder for a vision token."""
        return int(self.network.config.image_token_id)

    @property
    @abstractmethod
    def eos_token_ids(self) -> frozenset[int]:
        """Token ids that end a text; the smallest is also used for padding."""

    @property
    def context_length(self) -> int:
        """Maximum number of positions of the decoder."""
        return int(self.network.config.text_config.max_position_embeddings)

    def side_px(self, tier: str) -> int:
        """Returns the side of the network's input image at `tier` in px."""
        return self.tiers[tier]

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """Returns the network input for images of equal size: float [B, 3, H, W], normalised."""
        array = np.stack([np.asarray(image.convert("RGB"), dtype=np.uint8) for image in images])
        values = torch.from_numpy(array).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (self.image_mean, self.image_std))
        return ((values - mean) / std).to(self.dtype)

    def tokenize(self, text: str) -> list[int]:
        """Returns the token ids of `text`, without added special tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids
