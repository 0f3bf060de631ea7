"""Functional check of a codec on this machine: a page of plain English is encoded and decoded at each tier."""

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

from foxing.renderer import Page, Progress, render

from .bench import accuracy
from .capabilities import capabilities_of
from .conformance import sample_page
from .contract import Codec

#: Minimum accuracy on plain English at the sharpest tier for a codec to pass.
MIN_ACCURACY = 0.9
_PACKAGES = ("foxing", "torch", "transformers", "tokenizers", "httpx", "numpy", "pillow")


@dataclass(frozen=True)
class TierCheck:
    """Result for one page at one tier."""

    tier: str
    side_px: int
    #: Characters on the page.
    characters: int
    #: Vision tokens stored.
    vision_tokens: int
    #: Context positions of a full page in the decoding model; None if they equal its vision tokens.
    positions: int | None
    #: Prompt tokens of the request as the server counted them; None if the page was decoded locally.
    prompt_tokens: int | None
    #: Bytes stored, header included.
    token_bytes: int
    #: 1 − Levenshtein distance / longer length.
    accuracy: float
    #: Mean confidence of the characters.
    confidence: float
    #: Share of the characters flagged as uncertain.
    flagged_share: float
    unread: bool
    #: Time of the only run, in seconds.
    encode_s: float
    #: Time of the only run, in seconds.
    decode_s: float


@dataclass(frozen=True)
class CodecCheck:
    """Result of `check_codec`."""

    codec: str
    weights: str
    layout: str
    #: Device, model, Python and package versions, for people.
    runs_on: Mapping[str, str]
    tiers: tuple[TierCheck, ...]
    #: Whether the page was read at the sharpest tier.
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)


def check_codec(codec: Codec, progress: Progress | None = None) -> CodecCheck:
    """Encodes and decodes a page at each tier. `progress`: called with the tiers done and the total. Raises
    `CodecError`."""
    checks: list[TierCheck] = []
    for check in _check_tiers(codec):
        checks.append(check)
        if progress is not None:
            progress(len(checks), len(codec.tiers))
    layout = f"{codec.layout.columns}×{codec.layout.rows} cells"
    passed = checks[0].accuracy >= MIN_ACCURACY
    return CodecCheck(codec.name, codec.weights, layout, runs_on(codec), tuple(checks), passed)


def runs_on(codec: Codec) -> dict[str, str]:
    """Returns the labels of the codec's runtime, then Python, this machine and package versions."""
    describable = capabilities_of(codec).describable
    labels = {} if describable is None else dict(describable.runs_on())
    labels["python"] = f"{platform.python_version()} on {sys.platform} {platform.machine()}"
    for name in _PACKAGES:
        try:
            labels[name] = version(name)
        except PackageNotFoundError:
            continue
    return labels


def _check_tiers(codec: Codec) -> Iterator[TierCheck]:
    page = sample_page(codec)
    for tier in codec.tiers:
        yield _check_tier(codec, page, tier)


def _check_tier(codec: Codec, page: Page, tier: str) -> TierCheck:
    spec = codec.tiers[tier]
    image = render(page.cells, page.layout, tier)
    remote = capabilities_of(codec).remote
    prompt_tokens_before = 0 if remote is None else remote.usage.prompt_tokens
    begun = perf_counter()
    tokens = codec.encode([image], tier)[0]
    encoded = perf_counter()
    reading = codec.decode([tokens])[0]
    decoded = perf_counter()
    used = (reading.cells > 0x20) & ~reading.gap
    return TierCheck(
        tier=tier,
        side_px=spec.side_px,
        characters=len(page.text),
        vision_tokens=tokens.count,
        positions=spec.positions,
        prompt_tokens=None if remote is None else remote.usage.prompt_tokens - prompt_tokens_before,
        token_bytes=len(tokens.to_bytes()),
        accuracy=accuracy(page.text, reading.text),
        confidence=reading.mean_confidence,
        flagged_share=float((reading.confidence[used] < reading.flag_below).mean()) if used.any() else 0.0,
        unread=reading.unread,
        encode_s=encoded - begun,
        decode_s=decoded - encoded,
    )
