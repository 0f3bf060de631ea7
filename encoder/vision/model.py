"""What the codec needs of a vision–language model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.encoder.errors import CodecError

from .loading import Place

#: The prompt that reads a page as it stands.
READ = "free-ocr"


@dataclass(frozen=True)
class Given:
    """A page as the decoder takes it. `features`: float [rows, columns, numbers], its vision tokens at `tier`."""

    tier: str
    features: Tensor


class VisionModel(ABC):
    """A model and its tokenizer. `network`: the transformers model in evaluation mode; `tokenizer`: of the package
    tokenizers."""

    name: ClassVar[str]
    #: Prompts by name; `{}` stands for a subject.
    prompts: Mapping[str, str]
    #: A run of so many tokens is written once only.
    ngram: int
    #: Mean and standard deviation of the pixels, by channel, in [0, 1].
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    #: Side of the patches that the encoder works on, by whose number its memory goes.
    patch_px: int = 16
    #: Whether `prompt_embeddings` gives all that the decoder needs to go on from a page, so that a server can do it.
    embeds: ClassVar[bool] = False

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self.network = network
        self.tokenizer = tokenizer

    @classmethod
    @abstractmethod
    def load(cls, place: Place, device: torch.device, dtype: torch.dtype) -> Self:
        """The model of a folder. Strict: every parameter, no other. Raises `CodecError`."""

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype  # type: ignore[no-any-return]

    @property
    @abstractmethod
    def tiers(self) -> Mapping[str, int]:
        """Tiers and the side of their image in px, sharpest first."""

    @abstractmethod
    def shape(self, tier: str) -> tuple[int, int, int]:
        """Rows, columns and numbers of the vision tokens of a page."""

    @abstractmethod
    def positions(self, tier: str) -> int:
        """Places in the context that a page takes, as the model counts them."""

    @abstractmethod
    def look(self, pixels: Tensor, tier: str) -> Tensor:
        """`pixels`: float [B, 3, side, side], normalised → vision tokens, float [B, rows, columns, numbers]."""

    @abstractmethod
    def question(self, prompt: str) -> tuple[list[int], list[int]]:
        """The token ids before and after the image."""

    @abstractmethod
    def inputs(self, pages: Sequence[Given], ids: Tensor) -> dict[str, Any]:
        """What `generate` takes for these pages beside the token ids. `ids`: int [B, length], one row a page, with the
        places of its vision tokens; padded on the left."""

    def prompt_embeddings(self, page: Given, prompt: str) -> Tensor:
        """What the decoder takes in of a page and a prompt, special tokens included: [length, hidden], in the model's
        dtype. Raises `CodecError` where `embeds` is false."""
        raise CodecError(f"the decoder of {self.name} needs more than embeddings; remove the option 'remote'")

    @property
    @abstractmethod
    def image_id(self) -> int:
        """The token id that keeps a place for a vision token."""

    @property
    @abstractmethod
    def end_ids(self) -> frozenset[int]:
        """The token ids that end a text, the first of which also pads."""

    @property
    @abstractmethod
    def context(self) -> int:
        """Positions that the decoder has at most."""

    def side_px(self, tier: str) -> int:
        """Side of the image that the network sees at `tier`."""
        return self.tiers[tier]

    def prompt(self, name: str, subject: str = "") -> str:
        """Raises `CodecError` for a name that is no prompt of this model."""
        if name not in self.prompts:
            raise CodecError(f"the {self.name} codec has no prompt '{name}'; it has {', '.join(self.prompts)}")
        return self.prompts[name].replace("{}", subject)

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """Images of one size as the network takes them: float [B, 3, H, W], normalised."""
        array = np.stack([np.asarray(image.convert("RGB"), dtype=np.uint8) for image in images])
        values = torch.from_numpy(array).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, deviation = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (self.mean, self.deviation))
        return ((values - mean) / deviation).to(self.dtype)

    def ids(self, text: str) -> list[int]:
        encoded: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return encoded
