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
    #: Share of the page's characters that are kept and read right: `kept_share` × `kept_accuracy`.
    character_accuracy: float
    #: Characters read, flagged or not, where the drawn page has a blank or a gap, per million characters of the page.
    invented_per_million: float
    #: Mean bytes of a page's stored vision tokens, headers included.
    bytes_per_page: float
    bytes_per_token: int
    #: Bits per character of the text compressed by PPMd var.H of order 6, page by page; None without pyppmd.
    ppmd_bits_per_character: float | None
    #: Compression ratio counting four characters as one text token.
    chars_per_4_per_token: float
    #: Number of pages that the codec reports as unread.
    unread_pages: int
    #: Share of the names in messages that are read right. Here and below, None if the pages have no such word. The
    #: classes are those of `foxing.encoder.bench.word_classes`.
    names: float | None
    #: Share of the words with a digit, dates excluded, that are read right.
    numbers: float | None
    #: Share of the words of dates and times, months and weekdays included, that are read right.
    dates: float | None
    #: Share of the negations that are read right.
    negations: float | None
    #: Share of the rare words and identifiers that are read right.
    rare_words: float | None
    #: Share of the words of no other class that are read right.
    content_words: float | None
    #: Share of the occurrences of the 150 commonest English words that are read right; None in other languages.
    common_words: float | None
    #: Words read, flagged or not, that match no word on the page, per million characters of the page.
    invented_words_per_million: float
    #: Share of the identifiers of any class that are read right: URLs, addresses, paths, hashes, UUIDs, and dotted,
    #: snake_case and camelCase names. None if the pages have none.
    identifiers: float | None
    #: Text tokens of the messages as read ÷ those of the original messages; None if the pages have no message text.
    recalled_text_tokens: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)
