"""What a codec may offer beyond the contract: one protocol per capability, and `capabilities_of` to ask for them.

| capability | protocol | adds |
|---|---|---|
| `describable` | `DescribableCodec` | reports the device, model and precision it runs with |
| `quantizable` | `QuantizableCodec` | measures what each storage dtype does to its decoder |
| `downscalable` | `DownscalableCodec` | makes a lower tier's tokens from stored ones, without decoding |
| `blankable` | `BlankableCodec` | removes cells from stored tokens, without decoding |
| `costable` | `CostableCodec` | estimates what each cell takes of a tier's capacity |
| `promptable` | `PromptableCodec` | answers other prompts than the one that reads a page |
| `remote` | `RemoteCodec` | decodes on a server: pages fail one by one, and usage is counted |

A codec declares a capability by having the members of its protocol; nothing else asks for the type of a codec. The
conformance suite checks that they do what they say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.renderer import Cells

from .contract import Codec, Reading
from .errors import CodecError
from .tokens import VisionTokens


@runtime_checkable
class DescribableCodec(Codec, Protocol):
    """A codec that reports what it runs on."""

    def runs_on(self) -> Mapping[str, str]:
        """Label → value, for people: the device, the model, the precision, the server."""
        ...


@dataclass(frozen=True)
class StorageEffect:
    """What storing vision tokens in `dtype` rather than float32 does to the decoder's logits.

    Measured at every step of writing the texts of some pages.
    """

    dtype: str
    #: Bytes of a page's tokens, scales included.
    bytes_per_page: int
    #: Largest absolute change of a logit.
    largest: float
    #: Mean absolute change of a logit.
    mean: float
    #: Standard deviation of the logits, for comparison.
    spread: float
    #: Share of the steps at which the most likely text token stays the same.
    same_choice: float
    steps: int


@runtime_checkable
class QuantizableCodec(Codec, Protocol):
    """A codec that can store its tokens in several dtypes."""

    def storage_effects(self, images: Sequence[Image], texts: Sequence[str], tier: str) -> list[StorageEffect]:
        """The effect of each dtype. `images`: pages at `tier`; `texts`: their text, in lines as the model writes it."""
        ...


@runtime_checkable
class DownscalableCodec(Codec, Protocol):
    """A codec whose tokens are the page image itself, so that a lower tier's tokens can be made from them."""

    def lower(self, tokens: Sequence[VisionTokens], tier: str, rows: Sequence[int]) -> list[VisionTokens]:
        """The same pages at the lower `tier`. Nothing is decoded, so no misreading becomes part of a page.

        `rows`: grid rows in use on each page. Raises `CodecError`.
        """
        ...


@runtime_checkable
class BlankableCodec(Codec, Protocol):
    """A codec whose tokens are the page image itself, so that cells can be removed from them."""

    def blank(self, tokens: Sequence[VisionTokens], masks: Sequence[npt.NDArray[np.bool_]]) -> list[VisionTokens]:
        """The same pages with nothing in the cells that are gone, bool[rows, columns] for each page, and no rows below
        those. Nothing is decoded, so everything else stays as it is. Raises `CodecError`.
        """
        ...


@runtime_checkable
class CostableCodec(Codec, Protocol):
    """A codec whose tokens grow with what is on a page, and that can tell which cells they are spent on."""

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        """float32[rows, columns]: what each of `cells`, a page of the codec's layout, takes of the capacity of `tier`,
        in bits.

        A guide to what should fade: what fits is found by encoding. A full-width character may have all of it in its
        first cell. Raises `CodecError` for a tier that the codec lacks.
        """
        ...


@runtime_checkable
class PromptableCodec(Codec, Protocol):
    """A codec whose model can be asked for more than the text of a page."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prompts by name; `{}` stands for a subject."""
        ...

    def write(self, tokens: Sequence[VisionTokens], prompt: str, subject: str = "") -> list[str]:
        """The model's answer for each page to the prompt of that name. Raises `CodecError`."""
        ...


@dataclass(frozen=True)
class RemoteUsage:
    """Use of the server since the codec was loaded."""

    #: Requests sent, retries included.
    requests: int = 0
    #: Requests without a usable answer.
    failures: int = 0
    #: Pages decoded.
    pages: int = 0
    #: Pages given up.
    pages_failed: int = 0
    #: Text tokens of the requests, as the server counts them.
    prompt_tokens: int = 0
    #: Text tokens of the answers, as the server counts them.
    completion_tokens: int = 0
    #: Duration of all requests in seconds, concurrent ones added up.
    seconds: float = 0.0
    #: In the currency of the configured prices.
    cost: float = 0.0


@runtime_checkable
class RemoteCodec(Codec, Protocol):
    """A codec whose pages are decoded on a server, one by one, so that some may fail while others succeed.

    It limits its own concurrency: callers need no lock, and a page that several of them ask for is decoded once.
    """

    @property
    def usage(self) -> RemoteUsage:
        """Requests, pages and cost so far."""
        ...

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """For each item its `Reading`, or the error: `TokensError` if it can never be decoded, `ReadFailed` if a later
        attempt may succeed."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """What a codec offers beyond the contract: under each capability the codec itself, or None if it lacks it.

    if (remote := capabilities_of(codec).remote) is not None:
        readings = remote.decode_each(tokens)
    """

    describable: DescribableCodec | None = None
    quantizable: QuantizableCodec | None = None
    downscalable: DownscalableCodec | None = None
    blankable: BlankableCodec | None = None
    costable: CostableCodec | None = None
    promptable: PromptableCodec | None = None
    remote: RemoteCodec | None = None


def capabilities_of(codec: Codec) -> Capabilities:
    """What `codec` offers beyond the contract."""
    return Capabilities(
        describable=codec if isinstance(codec, DescribableCodec) else None,
        quantizable=codec if isinstance(codec, QuantizableCodec) else None,
        downscalable=codec if isinstance(codec, DownscalableCodec) else None,
        blankable=codec if isinstance(codec, BlankableCodec) else None,
        costable=codec if isinstance(codec, CostableCodec) else None,
        promptable=codec if isinstance(codec, PromptableCodec) else None,
        remote=codec if isinstance(codec, RemoteCodec) else None,
    )
