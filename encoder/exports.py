"""Exports of `foxing.encoder`: where each is defined."""

from .alignment.misread import known_misread, misread_cells, misread_of, with_misread, without_confidence
from .annotation import AnnotatedMessage, AnnotatedPage, Refinement, annotate_page, annotate_reading
from .capabilities import (
    BlankableCodec,
    Capabilities,
    CostableCodec,
    DescribableCodec,
    DownscalableCodec,
    RemoteCodec,
    RemoteUsage,
    VerifiableCodec,
    capabilities_of,
)
from .contract import UNREAD_SHARE, UNREADABLE, Codec, Reading, TierSpec, can_draw_for, expected_bytes, token_grid
from .drawing import DrawnPage, FadedLayout, PageDrawer, is_cut
from .errors import CodecError, ReadFailed, TokensError
from .native.plugin import NativeOptions
from .plugin import CODECS, CodecOptions, CodecPlugin, Dependencies, GivenOptions, RequiredOption
from .registry import find_codec, load_codec
from .remote.options import RemoteOptions, ServerOptions
from .text_tokens import count_text_tokens
from .tokens import VisionTokens
from .vision.plugins import DeepSeekOptions, VisionOptions

__all__ = [
    "CODECS",
    "UNREADABLE",
    "UNREAD_SHARE",
    "AnnotatedMessage",
    "AnnotatedPage",
    "BlankableCodec",
    "Capabilities",
    "Codec",
    "CodecError",
    "CodecOptions",
    "CodecPlugin",
    "CostableCodec",
    "DeepSeekOptions",
    "Dependencies",
    "DescribableCodec",
    "DownscalableCodec",
    "DrawnPage",
    "FadedLayout",
    "GivenOptions",
    "NativeOptions",
    "PageDrawer",
    "ReadFailed",
    "Reading",
    "Refinement",
    "RemoteCodec",
    "RemoteOptions",
    "RemoteUsage",
    "RequiredOption",
    "ServerOptions",
    "TierSpec",
    "TokensError",
    "VerifiableCodec",
    "VisionOptions",
    "VisionTokens",
    "annotate_page",
    "annotate_reading",
    "can_draw_for",
    "capabilities_of",
    "count_text_tokens",
    "expected_bytes",
    "find_codec",
    "is_cut",
    "known_misread",
    "load_codec",
    "misread_cells",
    "misread_of",
    "token_grid",
    "with_misread",
    "without_confidence",
]
