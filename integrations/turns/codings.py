"""Content encodings of requests and answers, decoded within a limit."""

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module

import zstandard

_PIECE_BYTES = 64 << 10
#: Compressed bytes of zstd and Brotli that are decoded at once: four of them may hold 128 KiB.
_DENSE_PIECE_BYTES = 128


class DecodedTooLarge(ValueError):
    """The body has too many bytes once it is decompressed."""


def decoded(content: bytes, encoding: str, most_bytes: int) -> bytes:
    """Returns a body without its content encoding. Raises `DecodedTooLarge` beyond `most_bytes`, and `ValueError` for
    an invalid body or an unknown encoding."""
    for name in reversed(_names(encoding)):
        content = _decoded(content, name, most_bytes)
        if len(content) > most_bytes:
            raise DecodedTooLarge("the body is too large once it is decompressed")
    return content


def _names(encoding: str) -> list[str]:
    return [name for part in encoding.split(",") if (name := part.strip().lower())]


def _decoded(content: bytes, name: str, most_bytes: int) -> bytes:
    """Returns a body without one encoding, of at most one byte more than the limit."""
    if name == "identity":
        return content
    try:
        if name in ("gzip", "x-gzip", "deflate"):
            reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
            data = reader.decompress(content, most_bytes + 1)
            if not reader.eof and len(data) <= most_bytes:
                raise ValueError("the body ends in the middle")
            return data
        if name == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(content) as stream:
                return stream.read(most_bytes + 1)
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(str(error)) from error
    raise ValueError(f"unknown content encoding {name}")


class StreamDecoder:
    """Removes the content encoding of a stream as its bytes come."""

    def __init__(self, encoding: str, most_bytes: int) -> None:
        """Raises `ValueError` for an unknown encoding, or several. `most_bytes`: of the decoded stream."""
        names = [name for name in _names(encoding) if name != "identity"]
        if len(names) > 1 or (names and names[0] not in _PIECES):
            raise ValueError(f"unknown content encoding {encoding}")
        self._pieces = _PIECES[names[0]]() if names else _identity
        self._left = most_bytes

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Yields what these bytes hold, in pieces. Raises `DecodedTooLarge` beyond the limit, and `ValueError`."""
        try:
            for piece in self._pieces(content):
                self._left -= len(piece)
                if self._left < 0:
                    raise DecodedTooLarge("the stream is too large once it is decompressed")
                yield piece
        except (zlib.error, zstandard.ZstdError) as error:
            raise ValueError(str(error)) from error


_Pieces = Callable[[bytes], Iterator[bytes]]


def _identity(content: bytes) -> Iterator[bytes]:
    yield content


def _zlib() -> _Pieces:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def pieces(content: bytes) -> Iterator[bytes]:
        while content:
            yield reader.decompress(content, _PIECE_BYTES)
            content = reader.unconsumed_tail

    return pieces


def _zstd() -> _Pieces:
    reader = zstandard.ZstdDecompressor().decompressobj()

    def pieces(content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), _DENSE_PIECE_BYTES):
            yield reader.decompress(content[start : start + _DENSE_PIECE_BYTES])

    return pieces


def _brotli() -> _Pieces:
    reader = import_module("brotli").Decompressor()  # a client that has it asks for it

    def pieces(content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), _DENSE_PIECE_BYTES):
            yield reader.process(content[start : start + _DENSE_PIECE_BYTES])

    return pieces


_PIECES: dict[str, Callable[[], _Pieces]] = {
    "gzip": _zlib,
    "x-gzip": _zlib,
    "deflate": _zlib,
    "zstd": _zstd,
    "br": _brotli,
}


def encoded(content: bytes, encoding: str) -> bytes | None:
    """Returns a body with a content encoding; None for one of several steps, or that is not known."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return content
    if name in ("gzip", "x-gzip"):
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(content) + packer.flush()
    return zstandard.compress(content) if name == "zstd" else None
