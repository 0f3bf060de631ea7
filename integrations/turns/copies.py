"""Copies of answers that pass, read as their bytes come for what the model said."""

import json
import threading

from foxing.memory import Wire
from foxing.memory.conversation.answers import PassedAnswer, read_value
from foxing.memory.conversation.event_streams import MAX_ANSWER_BYTES, AnswerReader

from .codings import StreamDecoder

#: Bytes of an answer that are decompressed to be read.
_MOST_DECODED = 64 << 20


class AnswerCopy:
    """Copy of an answer. Thread-safe."""

    def __init__(self, wire: Wire, encoding: str, *, is_stream: bool = True) -> None:
        """`encoding`: the content encoding. `is_stream`: whether it is a stream of events, and not one JSON."""
        self._wire = wire
        self._lock = threading.Lock()  # a task that is cancelled leaves a thread behind that still reads
        self._reader = AnswerReader(wire) if is_stream else None
        self._body = bytearray()
        self._decoder: StreamDecoder | None = None
        self._failed = False
        if encoding:
            try:
                self._decoder = StreamDecoder(encoding, _MOST_DECODED)
            except ValueError:
                self._failed = True

    @property
    def is_complete(self) -> bool:
        """True once the event has come with which an answer ends."""
        return self._reader is not None and self._reader.is_complete

    @property
    def is_done(self) -> bool:
        """True if nothing that follows needs to be read."""
        return self._failed or (self._reader is not None and self._reader.is_done)

    @property
    def is_compressed(self) -> bool:
        """True if reading decompresses."""
        return self._decoder is not None

    @property
    def waiting_bytes(self) -> int:
        """Size of the event that is not complete."""
        return self._reader.waiting_bytes if self._reader is not None else 0

    def feed(self, content: bytes) -> None:
        """Reads the next bytes."""
        with self._lock:
            try:
                for piece in self._decoder.feed(content) if self._decoder is not None else (content,):
                    if self.is_done:
                        return
                    self._read(piece)
            except ValueError:
                self._failed = True

    def _read(self, piece: bytes) -> None:
        if self._reader is not None:
            self._reader.feed(piece)
            return
        self._body += piece
        if len(self._body) > MAX_ANSWER_BYTES:
            self._failed = True
            self._body = bytearray()

    def answer(self) -> PassedAnswer | None:
        """Returns the answer; None if it is not complete, or cannot be read."""
        with self._lock:
            if self._reader is not None:
                self._reader.end()
                return read_value(self._wire, self._reader.answer())
            try:
                return None if self._failed else read_value(self._wire, json.loads(self._body))
            except (ValueError, RecursionError):
                return None
