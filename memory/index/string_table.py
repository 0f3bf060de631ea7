"""Table of strings and their numbers, laid out in arrays so that it can be mapped from a file."""

from collections.abc import Mapping
from zlib import crc32

import numpy as np

from foxing.renderer.array_files import Arrays

#: Bits of a string's checksum that choose its bucket.
_BUCKET_BITS = 18
_SHIFT = 32 - _BUCKET_BITS
#: Strings that have been looked up and are kept; all are dropped when there are so many.
_RECENT = 1 << 16


def lay_out(numbers: Mapping[str, int]) -> Arrays:
    """Returns the arrays of a table: its strings in UTF-8, by buckets; where each begins; its number; where each bucket
    begins."""
    strings = [string.encode() for string in numbers]
    buckets = np.fromiter(map(crc32, strings), np.uint32, len(strings)) >> _SHIFT
    order = np.argsort(buckets, kind="stable")
    lengths = np.fromiter(map(len, strings), np.uint32, len(strings))[order]
    return {
        "text": np.frombuffer(b"".join(strings[place] for place in order.tolist()), np.uint8),
        "places": np.concatenate(([0], np.cumsum(lengths))).astype(np.uint32),
        "numbers": np.fromiter(numbers.values(), np.uint32, len(strings))[order],
        "buckets": np.searchsorted(buckets[order], np.arange((1 << _BUCKET_BITS) + 1)).astype(np.uint32),
    }


class StringTable(dict[str, int | None]):
    """String → its number, or None if the table does not have it: `table[string]`. As a dictionary it holds what was
    looked up of late."""

    def __init__(self, arrays: Arrays) -> None:
        """`arrays`: see `lay_out`."""
        super().__init__()
        names = ("text", "places", "numbers", "buckets")
        self._text, self._places, self._numbers, self._buckets = (arrays[name].data for name in names)
        self.get = self.__getitem__  # type: ignore[assignment]

    def __missing__(self, string: str) -> int | None:
        raw = string.encode()
        bucket = crc32(raw) >> _SHIFT
        number = None
        for place in range(self._buckets[bucket], self._buckets[bucket + 1]):
            if self._text[self._places[place] : self._places[place + 1]] == raw:
                number = self._numbers[place]
                break
        if len(self) >= _RECENT:
            self.clear()
        self[string] = number
        return number
