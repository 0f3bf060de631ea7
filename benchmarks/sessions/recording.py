"""A recorded session: the requests of a client, byte for byte, and what the model answered."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zstandard

from tests.upstream import ModelAnswer, Part, ScriptedCall, Text, Thinking

SUFFIX = ".jsonl.zst"
#: A request repeats those before it: the window of the compression holds the latest of them.
_WINDOW_LOG = 27
#: Headers of a request that a replay sends again.
_HEADERS = ("anthropic-", "x-claude-code-", "x-api-key", "authorization", "session", "thread", "x-session", "x-codex")
_KINDS: Mapping[str, type[Text | Thinking | ScriptedCall]] = {"text": Text, "thinking": Thinking, "call": ScriptedCall}


@dataclass(frozen=True)
class Session:
    """Beginning of a recorded session."""

    client: str
    version: str
    #: What was recorded: "long", "loop", "compacting" or "mixed".
    kind: str
    #: Sentences that the user typed.
    decisions: Sequence[str] = ()


@dataclass(frozen=True)
class Exchange:
    """A request for an answer of the model."""

    path: str
    #: Names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: The body, not compressed.
    body: str = field(repr=False)
    parts: Sequence[Part]

    @property
    def calls(self) -> list[ScriptedCall]:
        """Calls of tools that the model answers with."""
        return [part for part in self.parts if isinstance(part, ScriptedCall)]


class SessionWriter:
    """Writes a recording. A context manager."""

    def __init__(self, path: Path, session: Session) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(9, window_log=_WINDOW_LOG, enable_ldm=True)
        self._stack = ExitStack()
        file = self._stack.enter_context(path.open("wb"))
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._lines = self._stack.enter_context(compressor.stream_writer(file))
        self._write(asdict(session))

    def add(self, path: str, headers: Mapping[str, str], body: str, answer: ModelAnswer) -> None:
        """Appends a request, and what it was answered."""
        same = {name: value for name, value in headers.items() if name.startswith(_HEADERS)}
        names = {kind: name for name, kind in _KINDS.items()}
        parts = [{"kind": names[type(part)], **asdict(part)} for part in answer.blocks]
        self._write({"path": path, "headers": same, "body": body, "parts": parts})

    def _write(self, value: Any) -> None:
        self._lines.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()


def read_session(path: Path) -> tuple[Session, Iterator[Exchange]]:
    """Returns a recorded session, and its requests as they are read."""
    lines = _lines(path)
    return Session(**next(lines)), (
        Exchange(each["path"], each["headers"], each["body"], [_part(**part) for part in each["parts"]])
        for each in lines
    )


def _lines(path: Path) -> Iterator[Any]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << _WINDOW_LOG)
    with path.open("rb") as file, decompressor.stream_reader(file) as content:
        yield from map(json.loads, TextIOWrapper(content, encoding="utf-8", errors="surrogatepass"))


def _part(kind: str, **fields: Any) -> Part:
    return _KINDS[kind](**fields)
