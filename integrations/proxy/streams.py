"""Streams of events that pass, cut where an event is complete."""

#: Bytes of an event that are held back until it is complete.
_MOST_HELD = 1 << 20
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


def without_last_event(content: bytes) -> tuple[bytes, bytes]:
    """Returns whole events without the last one, and that one."""
    last = max((len(end) for end in _ENDS if content.endswith(end)), default=0)
    searched = len(content) - last
    begins = max((at + len(end) for end in _ENDS if (at := content.rfind(end, 0, searched)) >= 0), default=0)
    return content[:begins], content[begins:]
