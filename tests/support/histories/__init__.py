"""Histories as other programs export them, made by hand after their sources: each has the traps of its format."""

from collections.abc import Callable
from pathlib import Path

from . import chats, logs, mails
from .assistants import (
    AI_STUDIO,
    ASSISTANTS,
    GEMINI,
    GROK,
    LOCOMO,
    MEM0,
    chatgpt_conversation,
    chatgpt_node,
    claude_code_lines,
    codex_lines,
    porto,
)
from .chats import CHATS
from .files import archive, file, folder, json_lines
from .logs import LOGS
from .mails import MAILS

__all__ = [
    "AI_STUDIO",
    "GEMINI",
    "GROK",
    "HISTORIES",
    "LOCOMO",
    "MEM0",
    "archive",
    "chatgpt_conversation",
    "chatgpt_node",
    "chats",
    "claude_code_lines",
    "codex_lines",
    "file",
    "folder",
    "json_lines",
    "logs",
    "mails",
    "porto",
]

#: Name of a history → its format, and what writes it at a path.
HISTORIES: dict[str, tuple[str, Callable[[Path], Path]]] = ASSISTANTS | CHATS | MAILS | LOGS
