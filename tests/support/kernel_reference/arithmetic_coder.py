"""The arithmetic coder of the kernel in Python."""

from .values import MASK32


class Coder:
    """The arithmetic coder: decisions to bytes, or back if `stream` is given."""

    def __init__(self, stream: bytes | None = None) -> None:
        self.low, self.high, self.value = 0, MASK32, 0
        self.decoding = stream is not None
        self._stream = stream or b""
        self.position = 0
        self.written = bytearray()
        if self.decoding:
            for _ in range(4):
                self._read()

    def _read(self) -> None:
        byte = self._stream[self.position] if self.position < len(self._stream) else 0
        self.value = (self.value << 8 | byte) & MASK32
        self.position += 1

    def code(self, bit: int, probability: int) -> int:
        """Codes `bit`, whose probability to be 1 is given, and returns it; when decoding, `bit` is not used."""
        middle = self.low + ((self.high - self.low) * probability >> 16)
        if self.decoding:
            bit = int(self.value <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            if self.decoding:
                self._read()
            else:
                self.written.append(self.high >> 24)
                self.position += 1
            self.low = self.low << 8 & MASK32
            self.high = (self.high << 8 | 255) & MASK32
        return bit

    def ending(self) -> bytes:
        """The fewest bytes that end the stream."""
        for count in range(5):
            value = self.high & (MASK32 << (32 - 8 * count)) & MASK32
            if value >= self.low:
                break
        return value.to_bytes(4, "big")[:count]
