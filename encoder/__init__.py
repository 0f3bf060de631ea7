"""Codecs: page image → vision tokens → text with a confidence for every character.

Importing this package does not import torch; `load_codec` does.
"""

from .capabilities import (
    DescribableCodec,
    DownscalableCodec,
    QuantizableCodec,
    RemoteCodec,
    RemoteUsage,
    ResizableCodec,
    StorageEffect,
)
from .contract import UNREAD_SHARE, UNREADABLE, Codec, Reading, TierSpec, can_draw_for, expected_bytes, token_grid
from .errors import CodecError, ReadFailed, TokensError
from .options import CodecOptions
from .registry import CODECS, CodecEntry, load_codec
from .remote.options import RemoteOptions
from .tokens import VisionTokens

__all__ = [
    "CODECS",
    "UNREADABLE",
    "UNREAD_SHARE",
    "Codec",
    "CodecEntry",
    "CodecError",
    "CodecOptions",
    "DescribableCodec",
    "DownscalableCodec",
    "QuantizableCodec",
    "ReadFailed",
    "Reading",
    "RemoteCodec",
    "RemoteOptions",
    "RemoteUsage",
    "ResizableCodec",
    "StorageEffect",
    "TierSpec",
    "TokensError",
    "VisionTokens",
    "can_draw_for",
    "expected_bytes",
    "load_codec",
    "token_grid",
]
