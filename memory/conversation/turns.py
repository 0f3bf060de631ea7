"""Turns of a conversation: what one speaker says at a time.

A client sends a message of the model whole, its log has a line for each block, and another sends the results of several
tools as one message. All of them have the same turns: the words of a speaker, each tool call, and each result.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from .blocks import NO_ID, Fields
from .hosts import without_elements, words_of_user

DIGEST_BYTES = 16
#: Ids of tool calls that are shorter are not unique: some servers count from 0 in each answer.
_UNIQUE_CHARS = 16


@dataclass(frozen=True)
class Turn:
    """Words, a tool call, or its result, of one speaker at a time."""

    role: str
    #: Parts of the content, as `Memory.store` takes them; the data of images are as they came.
    parts: tuple[Fields, ...]
    #: Name of the speaker or the tool.
    name: str | None = None
    #: True if it is the result of a tool that fetches pages of the web.
    is_of_web: bool = False

    @property
    def trust(self) -> Literal["web"] | None:
        """Its trust class where it is not that of its role; None otherwise."""
        return "web" if self.is_of_web else None

    @property
    def text(self) -> str:
        """Text of the turn, without tools."""
        return "\n".join(str(part["text"]) for part in self.parts if part["type"] == "text")

    @property
    def call_id(self) -> str | None:
        """Id of the tool call that it makes or answers, if no other call has the same; None otherwise."""
        call = str(self.parts[0].get("id", NO_ID))
        return call if self.parts[0]["type"] in ("tool_call", "tool_result") and len(call) >= _UNIQUE_CHARS else None

    @cached_property
    def digest(self) -> bytes:
        """Digest of who says what, `DIGEST_BYTES` bytes. Blanks do not count, since clients strip them; nor does what
        a tool call or its result says if it has a unique id."""
        identity: list[object] = [self.call_id, self.parts[0]["type"]] if self.call_id else [self.role, *self._words()]
        return digest_of(json.dumps(identity, sort_keys=True, ensure_ascii=False, default=str))

    def _words(self) -> Iterator[object]:
        """Yields what counts of its words, and digests of its images."""
        texts = [str(part.get("text", part.get("content", ""))) for part in self.parts]
        yield normalised_words(" ".join(texts))
        for part in self.parts:
            if part["type"] == "tool_call":
                yield [part["name"], part["arguments"]]
            elif part["type"] == "image":
                data = part.get("data")
                yield digest_of(data).hex() if isinstance(data, str) else str(part.get("url"))


def turns_of(role: str, parts: Iterable[Fields], name: str | None = None) -> Iterator[Turn]:
    """Yields the turns of a message, without what its host added to the words of a user. Nothing for a message without
    parts."""
    group: list[Fields] = []
    for part in parts:
        kind = part["type"]
        if group and (
            "tool_call" in (kind, group[0]["type"])
            or kind == "tool_result"
            or (kind == "text" and (group[0]["type"] == "tool_result" or (role == "user" and _has_text(group))))
        ):
            yield from _turn(role, group, name)
            group = []
        group.append(part)
    if group:
        yield from _turn(role, group, name)


def _turn(role: str, parts: Sequence[Fields], name: str | None) -> Iterator[Turn]:
    """Yields the turn of parts that belong together: the words of a speaker, or a result and its images."""
    if parts[0]["type"] == "tool_result":
        result = {**parts[0], "content": without_elements(str(parts[0]["content"]))}
        of_tool = role in ("user", "tool")
        yield Turn("tool" if of_tool else role, (result, *parts[1:]), name if role == "tool" else None)
        return
    spoken = [part if role != "user" else _of_user(part) for part in parts]
    spoken = [part for part in spoken if part["type"] != "text" or str(part["text"]).strip()]
    if spoken:
        yield Turn(role, tuple(spoken), name)


def _of_user(part: Fields) -> Fields:
    return part if part["type"] != "text" else {**part, "text": words_of_user(str(part["text"]))}


def _has_text(parts: Iterable[Fields]) -> bool:
    return any(part["type"] == "text" for part in parts)


def normalised_words(text: str) -> str:
    """Returns the words of a text in normal form (NFC), with one blank between them."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def digest_of(text: str) -> bytes:
    """Returns the digest of a text, `DIGEST_BYTES` bytes."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
