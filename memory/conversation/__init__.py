"""Conversations in the formats of providers. The only place that knows the types of their blocks."""

from .blocks import BLOCK_MEMBERS, BlocksRead, Fields, label, read_blocks
from .identity import INSTRUCTIONS, SessionTurns, is_turn_id
from .images import image_fields, is_image
from .parse import CHAT_MEMBERS, ProviderMessage, joined_pieces, parse, parse_message, provider_of, whole_items
from .provider import FORMATS, Json, Provider, ProviderFormat, Wire
from .render import render, render_blocks
from .turns import Turn
from .web_tools import WebCalls, is_web_tool

__all__ = [
    "BLOCK_MEMBERS",
    "CHAT_MEMBERS",
    "FORMATS",
    "INSTRUCTIONS",
    "BlocksRead",
    "Fields",
    "Json",
    "Provider",
    "ProviderFormat",
    "ProviderMessage",
    "SessionTurns",
    "Turn",
    "WebCalls",
    "Wire",
    "image_fields",
    "is_image",
    "is_turn_id",
    "is_web_tool",
    "joined_pieces",
    "label",
    "parse",
    "parse_message",
    "provider_of",
    "read_blocks",
    "render",
    "render_blocks",
    "whole_items",
]
