"""Benchmark result for one tier, one group of pages and one image condition."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class BenchRow:
    """Figures over all pages of a group. Shares are in [0, 1]; milliseconds are per page, measured in batches.

    The characters of a page are its inked cells, headers and marks included; a character is kept unless the reading has
    a gap in its place. `characters`, text sizes and bits per character refer to the whole text of the original page,
    blanks included. For codecs whose pages fade, headers do not count as kept; accuracy, confidence and errors refer to
    the page as drawn, and words are compared with the original.
    """

    tier: str
    #: Group of the pages: a language, or the name given to their files.
    language: str
    pages: int
    #: Length of the text of the pages, headers, marks and blanks included.
    characters: int
    #: 1 − Levenshtein distance / longer length, weighted by the characters of each page. The text hidden by a gap that
    #: is not on the page as drawn counts as wrong.
    accuracy: float
    vision_tokens: int
    #: Tokens of the same text in a real BPE vocabulary.
    text_tokens: int
    #: Text tokens ÷ vision tokens.
    compression: float
    #: Bits of the stored vision tokens, headers included, per character of the text, kept or not.
    bits_per_character: float
    #: Bits per character of the text compressed by zstd -19, page by page.
    zstd_bits_per_character: float
    #: Expected calibration error of the confidences of kept characters.
    calibration_error: float
    #: Share of the kept characters flagged as uncertain.
    flagged_share: float
    #: Share of the wrong kept characters that are flagged; 1 if none is wrong.
    flagged_errors_share: float
    #: Kept characters that are wrong and not flagged, per 10,000 kept characters.
    silent_errors_per_10k: float
    encode_ms: float
    decode_ms: float
    #: Condition of the page image: "clean", or one of `CONDITIONS`.
    condition: str
    #: "direct": drawn from the original; "aged": drawn from the reading at the tier before.
    path: Literal["direct", "aged"]
    #: Share of the page's characters that are kept; for codecs whose pages fade, of the characters of messages.
    kept_share: float
    #: Share of the kept characters that are read right; 1 if none is kept.
    kept_accuracy: float
    #: Characters read, flagged or not, where the drawn page has a blank or a gap, per million characters of the page.
    invented_per_million: float
    #: Mean bytes of a page's stored vision tokens, headers included.
    bytes_per_page: float
    #: Bits per character of the text compressed by PPMd var.H of order 6, page by page; None without pyppmd.
    ppmd_bits_per_character: float | None
    #: Number of pages that the codec reports as unread.
    unread_pages: int
    #: Words read, flagged or not, that match no word on the page, per million characters of the page.
    invented_words_per_million: float
    #: Share of the words of messages that are read right, those that have faded included; None without words.
    words: float | None = None
    #: Share of the words that never fade by rule (names, numbers, dates, identifiers, negations with what they negate)
    #: that are read right; None without any.
    facts: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)
