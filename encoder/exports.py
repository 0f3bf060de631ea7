"""Exports of `foxing.encoder`: where each is defined."""

from .bench.run import run_bench
from .contract import Codec, Reading, TierSpec
from .diagnostics import check_codec
from .errors import CodecError, ReadFailed, TokensError
from .plugin import CODECS, CodecOptions, CodecPlugin, Dependencies
from .reader_curve.measurement import measure_reader
from .registry import load_codec
from .text_tokens import count_text_tokens
from .tokens import VisionTokens

__all__ = [
    "CODECS",
    "Codec",
    "CodecError",
    "CodecOptions",
    "CodecPlugin",
    "Dependencies",
    "ReadFailed",
    "Reading",
    "TierSpec",
    "TokensError",
    "VisionTokens",
    "check_codec",
    "count_text_tokens",
    "load_codec",
    "measure_reader",
    "run_bench",
]
