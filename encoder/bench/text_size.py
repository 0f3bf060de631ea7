"""Size of a text as text: tokens of a BPE vocabulary, and bytes compressed by zstd -19 and PPMd."""

from functools import lru_cache
from importlib.util import find_spec
from typing import NamedTuple

import zstandard

from foxing.encoder.errors import CodecError
from foxing.encoder.text_tokens import count_text_tokens

PPMD_ORDER = 6  # bytes of context
PPMD_MEMORY_BYTES = 16 << 20


class TextSize(NamedTuple):
    """Size of one text."""

    tokens: int
    zstd_bytes: int
    #: None if the package pyppmd is not installed.
    ppmd_bytes: int | None


@lru_cache(maxsize=2048)
def text_size(text: str) -> TextSize:
    """Returns the size of `text`, compressed by itself. Cached, because a page is measured at every tier."""
    data = text.encode()
    ppmd = ppmd_bytes(data) if find_spec("pyppmd") is not None else None
    return TextSize(count_text_tokens(text), len(zstandard.ZstdCompressor(level=19).compress(data)), ppmd)


def ppmd_bytes(data: bytes, memory_bytes: int = PPMD_MEMORY_BYTES) -> int:
    """Returns the bytes of `data` compressed by PPMd var.H of order `PPMD_ORDER`, without an end mark. Raises
    `CodecError` if pyppmd is not installed."""
    try:
        from pyppmd import Ppmd7Encoder
    except ImportError as error:
        raise CodecError("measuring PPMd needs pyppmd; pip install 'foxing[bench]'") from error
    encoder = Ppmd7Encoder(PPMD_ORDER, memory_bytes)
    return len(encoder.encode(data)) + len(encoder.flush(endmark=False))
