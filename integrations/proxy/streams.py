"""Streams of events that pass: cut where an event is complete, and a copy read for what the model said."""

import threading

from foxing.integrations.frameworks.provider_answers import AnswerReader
from foxing.integrations.turns.answers import PassedAnswer, read_value
from foxing.memory.conversation import Wire

from .codings import StreamDecoder

#: Bytes of an event that are held back until it is complete.
_MOST_HELD = 1 << 20
#: Bytes of a stream that are decompressed to be read.
_MOST_DECODED = 64 << 20
#: Empty lines, which end an event.
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_END = max(map(len, _ENDS))


class WholeEvents:
    """Holds back an event until it is complete. Each byte is looked at once."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, content: bytes) -> bytes:
        """Returns what may be passed on: all up to the end of an event."""
        new = max(0, len(self._held) - _LONGEST_END + 1)
        self._held += content
        found = [at + len(end) for end in _ENDS if (at := self._held.rfind(end, new)) >= 0]
        upto = max(found, default=len(self._held) if len(self._held) >= _MOST_HELD else 0)
        ready = bytes(self._held[:upto])
        del self._held[:upto]
        return ready

    def end(self) -> bytes:
        """Returns what is still held back."""
        return bytes(self._held)


class StreamCopy:
    """Copy of a stream, which is read as it comes. Thread-safe."""

    def __init__(self, wire: Wire, encoding: str) -> None:
        self._wire = wire
        self._lock = threading.Lock()  # a task that is cancelled leaves a thread behind that still reads
        self._reader = AnswerReader(wire)
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
        return self._reader.is_complete

    @property
    def is_done(self) -> bool:
        """True if nothing that follows needs to be read."""
        return self._failed or self._reader.is_done

    @property
    def is_compressed(self) -> bool:
        """True if reading decompresses."""
        return self._decoder is not None

    @property
    def waiting_bytes(self) -> int:
        """Size of the event that is not complete."""
        return self._reader.waiting_bytes

    def feed(self, content: bytes) -> None:
        """Reads the next bytes."""
        with self._lock:
            try:
                for piece in self._decoder.feed(content) if self._decoder is not None else (content,):
                    self._reader.feed(piece)
                    if self._reader.is_done:
                        return
            except ValueError:
                self._failed = True

    def answer(self) -> PassedAnswer | None:
        """Returns the answer; None if it is not complete, or cannot be read."""
        with self._lock:
            self._reader.end()
            value = self._reader.answer()
        return None if value is None else read_value(self._wire, value)
