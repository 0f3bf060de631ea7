"""Whether a codec works here: a page of plain English through each tier and back, and what that ran on."""

import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

from foxing.renderer import render

from .bench import accuracy
from .capabilities import DescribableCodec, RemoteCodec
from .conformance import sample_page
from .contract import Codec

#: The sharpest tier reads plain English so well, or the codec does not work here.
LEAST_ACCURACY = 0.9
_PACKAGES = ("foxing", "torch", "transformers", "tokenizers", "httpx", "numpy", "pillow")


@dataclass(frozen=True)
class TierCheck:
    """One page at one tier. `vision_tokens`: as they are stored; `positions`: places that a full page takes in the
    context of the model that reads it, None where those are its tokens; `prompt_tokens`: as the server that read the
    page counted them, its prompt included, None where no server did; `token_bytes`: as stored, their header included.
    `accuracy`: 1 − Levenshtein distance / longer length; seconds are those of the first and only time."""

    tier: str
    side_px: int
    characters: int
    vision_tokens: int
    positions: int | None
    prompt_tokens: int | None
    token_bytes: int
    accuracy: float
    confidence: float
    flagged_share: float
    unread: bool
    encode_s: float
    decode_s: float


@dataclass(frozen=True)
class CodecCheck:
    """`runs_on`: what computes, and with which versions. `passed`: the sharpest tier read the page."""

    codec: str
    weights: str
    layout: str
    runs_on: Mapping[str, str]
    tiers: tuple[TierCheck, ...]
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_codec(codec: Codec, progress: Callable[[int, int], None] | None = None) -> CodecCheck:
    """Encodes and decodes a page at each tier. Raises `CodecError` where that fails."""
    rows: list[TierCheck] = []
    for row in _tiers(codec):
        rows.append(row)
        if progress is not None:
            progress(len(rows), len(codec.tiers))
    layout = f"{codec.layout.columns}×{codec.layout.rows} cells"
    passed = rows[0].accuracy >= LEAST_ACCURACY
    return CodecCheck(codec.name, codec.weights, layout, runs_on(codec), tuple(rows), passed)


def runs_on(codec: Codec) -> dict[str, str]:
    """The codec's own words about what computes, then this machine and the packages."""
    said = dict(codec.runs_on()) if isinstance(codec, DescribableCodec) else {}
    said["python"] = f"{platform.python_version()} on {sys.platform} {platform.machine()}"
    for name in _PACKAGES:
        try:
            said[name] = version(name)
        except PackageNotFoundError:
            continue
    return said


def _tiers(codec: Codec) -> Iterator[TierCheck]:
    page = sample_page(codec)
    for tier, spec in codec.tiers.items():
        image = render(page.cells, page.layout, tier)
        asked = codec.usage.prompt_tokens if isinstance(codec, RemoteCodec) else None
        begun = perf_counter()
        tokens = codec.encode([image], tier)[0]
        between = perf_counter()
        reading = codec.decode([tokens])[0]
        ended = perf_counter()
        used = reading.cells > 0x20
        yield TierCheck(
            tier=tier,
            side_px=spec.side_px,
            characters=len(page.text),
            vision_tokens=tokens.count,
            positions=spec.positions,
            prompt_tokens=codec.usage.prompt_tokens - (asked or 0) if isinstance(codec, RemoteCodec) else None,
            token_bytes=len(tokens.to_bytes()),
            accuracy=accuracy(page.text, reading.text),
            confidence=reading.mean_confidence,
            flagged_share=float((reading.confidence[used] < reading.flag_below).mean()) if used.any() else 0.0,
            unread=reading.unread,
            encode_s=between - begun,
            decode_s=ended - between,
        )
