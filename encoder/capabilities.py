"""Optional capabilities of codecs: one protocol per capability, and `capabilities_of` to query them.

| capability | protocol | adds |
|---|---|---|
| `describable` | `DescribableCodec` | reports the device, model and precision it runs with |
| `downscalable` | `DownscalableCodec` | makes a lower tier's tokens from stored ones, without decoding |
| `blankable` | `BlankableCodec` | removes cells from stored tokens, without decoding |
| `costable` | `CostableCodec` | estimates the cost of each cell in bits |
| `verifiable` | `VerifiableCodec` | drops confidences from the tokens of pages that were compared with what was drawn |
| `remote` | `RemoteCodec` | decodes on a server: pages fail individually, and usage is counted |

A codec declares a capability by implementing the members of its protocol; `capabilities_of` is the only place that
checks the type of a codec. The conformance suite checks the capabilities that a codec declares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from foxing.renderer.page import Cells

from .contract import Codec, Reading
from .errors import CodecError
from .tokens import VisionTokens


@runtime_checkable
class DescribableCodec(Codec, Protocol):
    """Codec that describes its runtime."""

    def runs_on(self) -> Mapping[str, str]:
        """Returns label → value, for people: the device, the model, the precision, the server."""
        ...


@runtime_checkable
class DownscalableCodec(Codec, Protocol):
    """Codec whose tokens are the page image itself, so that a lower tier's tokens can be made from them."""

    def lower(self, tokens: Sequence[VisionTokens], tier: str, rows: Sequence[int]) -> list[VisionTokens]:
        """Downscales pages to the lower `tier`. Nothing is decoded, so no misreading becomes part of a page.

        `rows`: grid rows in use on each page. Raises `CodecError`.
        """
        ...


@runtime_checkable
class BlankableCodec(Codec, Protocol):
    """Codec whose tokens are the page image itself, so that cells can be blanked in them."""

    def blank(self, tokens: Sequence[VisionTokens], masks: Sequence[npt.NDArray[np.bool_]]) -> list[VisionTokens]:
        """Blanks cells of pages. `masks`: the cells to blank, bool[rows, columns] for each page; rows below the mask
        are removed. Nothing is decoded, so all other cells are unchanged. Raises `CodecError`.
        """
        ...


@runtime_checkable
class CostableCodec(Codec, Protocol):
    """Codec whose tokens grow with the content of a page, and that can attribute their size to cells."""

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        """Returns float32[rows, columns]: estimated cost in bits of each of `cells`, a page of the codec's layout, at
        `tier`.

        The estimate guides fading; only encoding shows whether a page fits. The cost of a full-width character may be
        in its first cell alone. Raises `CodecError` for a tier that the codec lacks.
        """
        ...


@runtime_checkable
class VerifiableCodec(Codec, Protocol):
    """Codec whose tokens hold confidences, and can do without them."""

    def without_confidences(self, tokens: Sequence[VisionTokens]) -> list[VisionTokens]:
        """Returns tokens that read the same, with every character certain, in fewer bytes.

        For pages whose reading was compared with what was drawn: confidences are redundant, because the cells that
        differ are known. Tokens that hold only part of a page are returned unchanged.
        """
        ...


@dataclass(frozen=True)
class RemoteUsage:
    """Usage of the server since the codec was loaded."""

    #: Requests sent, retries included.
    requests: int = 0
    #: Requests without a usable answer.
    failures: int = 0
    #: Pages decoded.
    pages: int = 0
    #: Pages that failed after all attempts.
    pages_failed: int = 0
    #: Prompt tokens, as the server counts them.
    prompt_tokens: int = 0
    #: Completion tokens, as the server counts them.
    completion_tokens: int = 0
    #: Sum of the durations of all requests in seconds, concurrent ones included.
    seconds: float = 0.0
    #: Cost in the currency of the configured prices.
    cost: float = 0.0


@runtime_checkable
class RemoteCodec(Codec, Protocol):
    """Codec that decodes on a server, page by page, so that some pages may fail while others succeed.

    It limits its own concurrency: callers need no lock, and concurrent requests for a page share one decoding.
    """

    @property
    def usage(self) -> RemoteUsage:
        """Requests, pages and cost so far."""
        ...

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """Decodes each item; returns its `Reading` or its error: `TokensError` if it can never be decoded, `ReadFailed`
        if a later attempt may succeed."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """Optional capabilities of a codec. Each field is the codec itself, or None if it lacks the capability.

    if (remote := capabilities_of(codec).remote) is not None:
        readings = remote.decode_each(tokens)
    """

    describable: DescribableCodec | None = None
    downscalable: DownscalableCodec | None = None
    blankable: BlankableCodec | None = None
    costable: CostableCodec | None = None
    verifiable: VerifiableCodec | None = None
    remote: RemoteCodec | None = None


def capabilities_of(codec: Codec) -> Capabilities:
    """Returns the optional capabilities of `codec`."""
    return Capabilities(
        describable=_with_members_of(DescribableCodec, codec),
        downscalable=_with_members_of(DownscalableCodec, codec),
        blankable=_with_members_of(BlankableCodec, codec),
        costable=_with_members_of(CostableCodec, codec),
        verifiable=_with_members_of(VerifiableCodec, codec),
        remote=_with_members_of(RemoteCodec, codec),
    )


def _with_members_of(protocol: type, codec: Codec) -> Any:
    """Returns `codec` if it has the members that `protocol` adds, else None. Asks its class first, because `isinstance`
    evaluates all properties, one of which loads all glyphs."""
    members = (name for name in vars(protocol) if not name.startswith("_"))
    return codec if all(hasattr(type(codec), name) or hasattr(codec, name) for name in members) else None
