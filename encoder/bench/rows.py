"""What a bench says of one tier, one language and one condition of the image."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class BenchRow:
    """Figures over all pages together. Shares are 0…1; milliseconds are those of one page in batches."""

    tier: str
    #: The group that the pages belong to: a language, or what its files were called.
    language: str
    pages: int
    #: Characters of the pages, headers and marks included.
    characters: int
    #: 1 − Levenshtein distance / longer length, weighted by the characters of a page.
    accuracy: float
    vision_tokens: int
    #: Of a real BPE vocabulary.
    text_tokens: int
    #: Text tokens ÷ vision tokens.
    compression: float
    #: Of the vision tokens as stored, their headers included.
    bits_per_character: float
    #: Of zstd -19, each page by itself.
    zstd_bits_per_character: float
    calibration_error: float
    #: Characters that are flagged.
    flagged_share: float
    #: Wrong characters that are flagged; 1 when none is wrong.
    flagged_errors_share: float
    #: Wrong characters that are not flagged.
    silent_errors_per_10k: float
    encode_ms: float
    decode_ms: float
    #: Of the page image: "clean", or one of `CONDITIONS`.
    condition: str
    #: "direct": encoded from the original; "aged": from the text decoded at the tier before.
    path: Literal["direct", "aged"]
    bytes_per_token: int
    #: Whether that is the size the codec writes when nothing else is said.
    default_size: bool
    chars_per_4_per_token: float
    #: Characters whose cell was read right.
    character_accuracy: float
    #: Pages that the codec says it cannot read.
    unread_pages: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
