"""Histories as other programs export them, made by hand after their sources: each has the traps of its format."""

from collections.abc import Callable
from pathlib import Path

from . import chats, mails
from .assistants import (
    ASSISTANTS,
    LOCOMO,
    chatgpt_conversation,
    chatgpt_node,
    claude_code_lines,
    codex_lines,
    porto,
)
from .chats import CHATS
from .files import archive, file, folder, json_lines
from .mails import MAILS

__all__ = [
    "HISTORIES",
    "LOCOMO",
    "archive",
    "chatgpt_conversation",
    "chatgpt_node",
    "chats",
    "claude_code_lines",
    "codex_lines",
    "file",
    "folder",
    "json_lines",
    "mails",
    "porto",
]

#: Name of a history → its format, and what writes it at a path.
HISTORIES: dict[str, tuple[str, Callable[[Path], Path]]] = ASSISTANTS | CHATS | MAILS
