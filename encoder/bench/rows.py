"""The result of measuring one tier, one group of pages and one condition of the image."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class BenchRow:
    """Figures over all pages together. Shares are in [0, 1]; milliseconds are per page, measured in batches.

    A page's characters are its cells with ink, headers and marks included, blanks not; one is kept unless the reading
    has a gap in its place. `characters`, sizes of text and bits per character are of all text of the original page,
    blanks included. Where a codec's pages fade, headers do not count as kept, and accuracy, confidence and errors are
    those of the page as it is drawn: words are compared with the original.
    """

    tier: str
    #: The group of the pages: a language, or the name given to their files.
    language: str
    pages: int
    #: Length of the text of the pages: headers, marks and blanks included.
    characters: int
    #: 1 − Levenshtein distance / longer length, weighted by the characters of each page. A gap that is not on the page
    #: as it is drawn costs what it hides.
    accuracy: float
    vision_tokens: int
    #: Tokens of the same text in a real BPE vocabulary.
    text_tokens: int
    #: Text tokens ÷ vision tokens.
    compression: float
    #: Bits of the vision tokens as stored, headers included, for each character of the text, kept or not.
    bits_per_character: float
    #: Bits of the text compressed by zstd -19, page by page.
    zstd_bits_per_character: float
    #: Expected calibration error of the confidences of kept characters.
    calibration_error: float
    #: Share of the kept characters that are flagged as uncertain.
    flagged_share: float
    #: Share of the wrong kept characters that are flagged; 1 if none is wrong.
    flagged_errors_share: float
    #: Kept characters that are wrong and not flagged, per 10,000 kept characters.
    silent_errors_per_10k: float
    encode_ms: float
    decode_ms: float
    #: Condition of the page image: "clean", or one of `CONDITIONS`.
    condition: str
    #: "direct": drawn from the original; "aged": from what was read at the tier before.
    path: Literal["direct", "aged"]
    #: Share of the page's characters that the tokens hold; where pages fade, of the characters of messages.
    kept_share: float
    #: Share of the kept characters that are read right; 1 if none is kept.
    kept_accuracy: float
    #: Share of the page's characters that are kept and read right: `kept_share` × `kept_accuracy`.
    character_accuracy: float
    #: Characters read, flagged or not, where the drawn page has a blank or a gap, per million characters of the page.
    invented_per_million: float
    #: Mean bytes of a page's vision tokens as stored, headers included.
    bytes_per_page: float
    bytes_per_token: int
    #: Bits of the text compressed by PPMd var.H of order 6, page by page. None without the package pyppmd.
    ppmd_bits_per_character: float | None
    #: Compression if four characters counted as one text token.
    chars_per_4_per_token: float
    #: Pages that the codec reports as unread.
    unread_pages: int
    #: Share of the names in messages that are read right. Here and below, None if the pages have no such word;
    #: `foxing.encoder.bench.word_classes` has the classes.
    names: float | None
    #: Share of the words with a digit that are not dates and are read right.
    numbers: float | None
    #: Share of the words of dates and times, months and weekdays that are read right.
    dates: float | None
    #: Share of the negations that are read right.
    negations: float | None
    #: Share of the rare words and identifiers that are read right.
    rare_words: float | None
    #: Share of the words of no other class that are read right.
    content_words: float | None
    #: Share of the 150 commonest words of English that are read right; None in other languages.
    common_words: float | None
    #: Words read, flagged or not, that stand for none on the page, per million characters of the page.
    invented_words_per_million: float
    #: Share of the identifiers that are read right, whatever their class: URLs, addresses, paths, hashes, UUIDs, and
    #: dotted, snake_case and camelCase names. None if the pages have none.
    identifiers: float | None
    #: Text tokens of the messages as they are read ÷ those of the original messages; None if the pages have none.
    recalled_text_tokens: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
