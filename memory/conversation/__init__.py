"""Conversations in the formats of providers. The only place that knows the types of their blocks."""

from .blocks import BlocksRead, Fields, label, read_blocks
from .images import image_fields, is_image
from .parse import ProviderMessage, Turn, parse, parse_message
from .provider import FORMATS, Json, Provider

__all__ = [
    "FORMATS",
    "BlocksRead",
    "Fields",
    "Json",
    "Provider",
    "ProviderMessage",
    "Turn",
    "image_fields",
    "is_image",
    "label",
    "parse",
    "parse_message",
    "read_blocks",
]
