"""Codecs: page image → vision tokens → text with a confidence for every character.

Importing this package does not import torch; `load_codec` does.
"""

from .contract import Codec, Reading, ResizableCodec, TierSpec
from .errors import CodecError, TokensError
from .registry import CODECS, load_codec
from .tokens import VisionTokens

__all__ = [
    "CODECS",
    "Codec",
    "CodecError",
    "Reading",
    "ResizableCodec",
    "TierSpec",
    "TokensError",
    "VisionTokens",
    "load_codec",
]
