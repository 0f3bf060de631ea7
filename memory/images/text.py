"""Text in an image, as a machine read it."""

from typing import NamedTuple

MAX_READ_CHARS = 8_000
#: How it stands below the label of the image, and the characters of it that do.
READ_TEXT = "Text in image {number}, read by machine: {text}"
MOST_READ_CHARS = 2_000


class ReadText(NamedTuple):
    """Text in an image, as a machine read it."""

    #: Lines of words, at most `MAX_READ_CHARS` characters; empty if there are none.
    text: str
    #: Mean confidence of its characters, 0 to 1; 0 without text.
    confidence: float
