"""Optional capabilities of a codec, declared in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL.Image import Image

from .contract import Codec, Reading
from .errors import CodecError
from .tokens import VisionTokens


@dataclass(frozen=True)
class StorageEffect:
    """Tokens stored in `dtype` beside those in float32, over every step of writing some pages' texts.

    `bytes_per_page`: of the numbers, scales included; `largest` and `mean`: absolute change of a logit; `spread`: the
    standard deviation of the logits, to compare with; `same_choice`: share of steps at which the token of the highest
    logit stays the same, of `steps`.
    """

    dtype: str
    bytes_per_page: int
    largest: float
    mean: float
    spread: float
    same_choice: float
    steps: int


@dataclass(frozen=True)
class RemoteUsage:
    """Since the codec was loaded. `requests`: all that were sent, retries included; `failures`: those of them without a
    usable answer; `pages`: that were read; `pages_failed`: that were given up; `seconds`: of requests, added up over
    those that ran at once; `cost`: in the currency of the prices."""

    requests: int = 0
    failures: int = 0
    pages: int = 0
    pages_failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0


@runtime_checkable
class ResizableCodec(Codec, Protocol):
    """A codec whose vision tokens can have several sizes. It reads tokens of every size, whatever it writes."""

    #: Bytes of a vision token that it can write at each tier, the default first.
    sizes: Mapping[str, tuple[int, ...]]

    def sized(self, token_bytes: Mapping[str, int]) -> Codec:
        """The same weights writing tokens of these sizes at the tiers named. Raises `CodecError` for a size or a tier
        it does not have."""
        ...


@runtime_checkable
class RemoteCodec(Codec, Protocol):
    """A codec whose pages are read elsewhere, one by one, where one may fail while the others do not. It limits itself:
    callers need not wait for each other, and pages that several of them want at once are read once."""

    @property
    def usage(self) -> RemoteUsage:
        """What was asked so far, and what it cost."""
        ...

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """For each what `decode` gives, or why there is no reading: `TokensError` for tokens that it will never read,
        `ReadFailed` for a page that a later try may read."""
        ...


@runtime_checkable
class DownscalableCodec(Codec, Protocol):
    """A codec whose tokens are the image itself, of which those of a lower tier can be made."""

    def lower(self, tokens: Sequence[VisionTokens], tier: str, rows: Sequence[int]) -> list[VisionTokens]:
        """The same pages at the lower `tier`, made of the images that the tokens are: nothing is read for it, so that a
        bad reading never gets into a page. `rows`: grid rows that each page uses. Raises `CodecError`."""
        ...


@runtime_checkable
class DescribableCodec(Codec, Protocol):
    """A codec that tells what it computes with."""

    def runs_on(self) -> Mapping[str, str]:
        """In words: the device, the model, the precision, the server; whatever says what ran."""
        ...


@runtime_checkable
class QuantizableCodec(Codec, Protocol):
    """A codec that can store its tokens in several ways, and tells what each does to what is read from them."""

    def storage_effects(self, images: Sequence[Image], texts: Sequence[str], tier: str) -> list[StorageEffect]:
        """`images`: pages at `tier`; `texts`: what stands on them, in lines as the codec writes it."""
        ...
