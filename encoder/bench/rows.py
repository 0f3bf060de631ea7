"""The result of measuring one tier, one group of pages and one condition of the image."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class BenchRow:
    """Figures over all pages together. Shares are in [0, 1]; milliseconds are per page, measured in batches."""

    tier: str
    #: The group of the pages: a language, or the name given to their files.
    language: str
    pages: int
    #: Characters on the pages, headers and marks included.
    characters: int
    #: 1 − Levenshtein distance / longer length, weighted by the characters of each page.
    accuracy: float
    vision_tokens: int
    #: Tokens of the same text in a real BPE vocabulary.
    text_tokens: int
    #: Text tokens ÷ vision tokens.
    compression: float
    #: Bits of the vision tokens as stored, headers included.
    bits_per_character: float
    #: Bits of the text compressed by zstd -19, page by page.
    zstd_bits_per_character: float
    #: Expected calibration error of the confidences.
    calibration_error: float
    #: Share of the characters that are flagged as uncertain.
    flagged_share: float
    #: Share of the wrong characters that are flagged; 1 if none is wrong.
    flagged_errors_share: float
    #: Wrong characters that are not flagged, per 10,000 characters.
    silent_errors_per_10k: float
    encode_ms: float
    decode_ms: float
    #: Condition of the page image: "clean", or one of `CONDITIONS`.
    condition: str
    #: "direct": encoded from the original; "aged": from the text decoded at the tier before.
    path: Literal["direct", "aged"]
    bytes_per_token: int
    #: Whether `bytes_per_token` is the codec's default at this tier.
    default_size: bool
    #: Compression if four characters counted as one text token.
    chars_per_4_per_token: float
    #: Share of the characters whose cell was decoded right.
    character_accuracy: float
    #: Pages that the codec reports as unread.
    unread_pages: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
