"""What calls take and return: immutable values, the same over HTTP and in process."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Required, TypeAlias, TypedDict

#: JSON as it comes back.
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
#: JSON as it is given.
JsonInput: TypeAlias = "bool | int | float | str | Sequence[JsonInput] | Mapping[str, JsonInput] | None"
Scalar: TypeAlias = bool | int | float | str | None

Role = Literal["system", "developer", "user", "assistant", "tool"]
Tier = Literal["large", "base", "small", "tiny", "micro"]
Source = Literal["open", "text", "decoded"]
#: A run of characters that may be misread: start and stop in the text, half open, and mean confidence.
UncertainRun: TypeAlias = tuple[int, int, float]


class NewMessage(TypedDict, total=False):
    """A message to store."""

    role: Required[Role]
    #: A text, or parts: `{"type": "text", "text": …}`, tool calls and tool results. None only beside `tool_calls`.
    content: Required[str | Sequence[Mapping[str, JsonInput]] | None]
    #: Tool calls in the shape of OpenAI's chat messages.
    tool_calls: Sequence[Mapping[str, JsonInput]]
    #: When it was said, with a timezone. Default: now.
    created_at: datetime | str | None
    #: When it came into the memory, if that was earlier than now.
    arrived_at: datetime | str | None
    #: Unique in the bank. Default: a generated one.
    id: str | None
    name: str | None
    thread: str | None
    #: A JSON object of at most 2 kB.
    metadata: Mapping[str, JsonInput] | None


@dataclass(frozen=True)
class AgeingStep:
    """A step to a lower tier."""

    tier: Tier
    #: From when on.
    at: datetime


@dataclass(frozen=True)
class AgeingForecast:
    """What the policy of a bank will do to messages, or to a page, and when."""

    #: Whether their exact text is kept, and until when at least; None if it always is.
    exact: bool
    exact_until: datetime | None
    #: The tiers that they will be held at, each from when on at the earliest.
    steps: tuple[AgeingStep, ...]


@dataclass(frozen=True)
class PageForecast(AgeingForecast):
    """The same of a page."""

    page_id: str
    tier: Tier


@dataclass(frozen=True)
class Stored:
    """What storing messages did."""

    #: Ids of the messages, in the order given.
    ids: tuple[str, ...]
    #: How many were new.
    stored: int
    #: How many were stored already, with the same content.
    duplicates: int
    #: What will happen to the new messages, and when, by the present policy; None if none is new.
    ageing: AgeingForecast | None = None


@dataclass(frozen=True)
class Message:
    """A message as remembered."""

    message_id: str
    thread: str
    role: Role
    name: str | None
    created_at: datetime
    #: When it came into the bank; of a sealed message, when the last one on its pages did.
    arrived_at: datetime
    #: The text as the memory holds it, parts rendered.
    text: str
    #: The parts of the content, if it was given in parts and reads as such.
    parts: tuple[dict[str, JsonValue], ...] | None
    metadata: dict[str, JsonValue]
    #: Share of its characters that the memory still holds, 0 to 1.
    kept: float
    #: Offsets in `text` of the marks ⋯ where something has faded.
    gaps: tuple[int, ...]
    #: Mean probability that a character is right, 0 to 1.
    confidence: float
    uncertain: tuple[UncertainRun, ...]
    #: The lowest tier it was read from; None while it is open.
    tier: Tier | None
    source: Source
    page_ids: tuple[str, ...]
    #: How well it matches; None without a query, and of a neighbour.
    score: float | None = None
    #: Id of the match that it was returned with; None for a match.
    neighbour_of: str | None = None
    #: Which part of a long message the text is: start and stop in characters; None for a whole message.
    passage: tuple[int, int] | None = None
    #: How often recall has found it; None where it was not asked for by its id.
    recall_weight: float | None = None

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return _whole_percent(self.kept)


@dataclass(frozen=True)
class LeftOut:
    """A message that matches and is not in the answer."""

    message_id: str
    #: "max_tokens", "not_verbatim" or "unreadable".
    reason: str


@dataclass(frozen=True)
class Recalled:
    """What a recall found."""

    #: Messages, best first; without a query in time order.
    spans: tuple[Message, ...]
    #: Text tokens of all spans.
    text_tokens: int
    left_out: tuple[LeftOut, ...]
    #: Cursor of the next page of the list; None at its end.
    next_cursor: str | None
    #: What the answer went without.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """A page as an image for a reader."""

    page_id: str
    tier: Tier
    #: "image/png".
    media_type: str
    #: The image, in Base64.
    data: str
    width: int
    height: int
    #: What the image costs the reader.
    tokens: int
    message_ids: tuple[str, ...]
    #: Ids of the messages on it that begin on an earlier image, and of those that go on on a later one.
    begins_before: tuple[str, ...] = ()
    goes_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecalledImages:
    """What a recall found, as page images."""

    images: tuple[Image, ...]
    vision_tokens: int
    #: Open messages found, as text: they have no page yet.
    open_spans: tuple[Message, ...]
    left_out: tuple[LeftOut, ...]
    next_cursor: str | None
    notes: tuple[str, ...] = ()
    #: The messages that an image shows only a part of, whole, as text.
    whole_spans: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Context:
    """Content that is ready to be put before a reader."""

    #: Content blocks in the form asked for.
    content: tuple[dict[str, JsonValue], ...]
    #: How many of the first blocks do not change when a message is stored; a prompt cache may end there.
    stable_blocks: int
    billed_tokens: int
    text_tokens_instead: int
    message_ids: tuple[str, ...]
    reader: str
    formula: str
    notes: tuple[str, ...] = ()
    #: Those of `message_ids` that a page image shows in part; each stands whole as text beside it.
    in_part: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A page and how it is held."""

    id: str
    bank: str
    threads: tuple[str, ...]
    tier: Tier
    pinned: bool
    sealed_at: datetime
    first_at: datetime
    last_at: datetime
    arrived_at: datetime
    messages: int
    vision_tokens: int
    bytes: int
    text_kept: bool
    confidence: float
    codec: str
    keepsakes: int


@dataclass(frozen=True)
class Pages:
    """Pages of a bank, oldest first."""

    pages: tuple[Page, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Line:
    """A row of a page as read."""

    row: int
    text: str
    confidence: float


def _whole_percent(share: float) -> int:
    return math.floor(100 * share + 1e-6)  # 0.29 * 100 is a little less than 29


@dataclass(frozen=True)
class MessageOnPage(Message):
    """A message, or the part of it on a page."""

    #: Whether the message begins on an earlier page.
    begins_before: bool = False
    #: Whether the message goes on on a later page.
    goes_on: bool = False


@dataclass(frozen=True)
class PageReading:
    """A page as read from what the memory holds."""

    page_id: str
    tier: Tier
    source: Source
    text: str
    lines: tuple[Line, ...]
    uncertain: tuple[UncertainRun, ...]
    #: Share of the characters of its messages that are left at this tier, 0 to 1.
    kept: float
    #: Mean probability that a character that is left is right, 0 to 1.
    confidence: float
    messages: tuple[MessageOnPage, ...]

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return _whole_percent(self.kept)


@dataclass(frozen=True)
class FadedMessage:
    """A message on a page, before and after the page ages."""

    message_id: str
    before: str
    after: str
    #: Offsets in `after` of the marks ⋯ where something would have faded.
    gaps: tuple[int, ...]
    #: Whether the message begins on an earlier page, and whether it goes on on a later one.
    begins_before: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class PagePreview:
    """What would be left of a page at a lower tier."""

    page_id: str
    from_tier: Tier
    to_tier: Tier
    vision_tokens_before: int
    vision_tokens_after: int
    token_bytes_before: int
    token_bytes_after: int
    #: Class of words → `{"words": …, "kept": …}`.
    words: dict[str, dict[str, int]]
    messages: tuple[FadedMessage, ...]


@dataclass(frozen=True)
class TierStatistics:
    """The pages of a bank at one tier."""

    pages: int
    vision_tokens: int
    token_bytes: int


@dataclass(frozen=True)
class Bank:
    """A bank in numbers."""

    id: str
    created_at: datetime
    messages: int
    open_messages: int
    threads: int
    pages: int
    tiers: dict[str, TierStatistics]
    #: What the database holds of it, in bytes: "tokens", "text", "index", …, "total".
    bytes: dict[str, int]
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class Banks:
    """Banks, by name."""

    banks: tuple[Bank, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Step:
    """A page is held at `tier` from age `after` on."""

    #: ISO 8601, such as "P7D".
    after: str
    tier: Tier


@dataclass(frozen=True)
class Policy:
    """The ageing policy of a bank. Durations in ISO 8601."""

    fresh: Tier = "base"
    steps: tuple[Step, ...] = (Step("P7D", "small"), Step("P30D", "tiny"), Step("P365D", "micro"))
    #: "fresh", "always" or "until:<tier>".
    keep_text: str = "fresh"
    seal_after: str = "P30D"
    undo_window: str = "P7D"
    #: "arrival" or "message": what ages count from.
    age_from: str = "arrival"


@dataclass(frozen=True)
class Sealed:
    """What sealing did."""

    #: Ids of the new pages.
    pages: tuple[str, ...]
    messages: int
    open_messages: int


@dataclass(frozen=True)
class PageMove:
    """A page that moved to a lower tier, or would in a dry run."""

    page_id: str
    from_tier: Tier
    to_tier: Tier
    messages: int
    drops_text: bool
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int
    #: In a dry run: class of words → `{"words": …, "kept": …}`.
    words: dict[str, dict[str, int]] | None = None


@dataclass(frozen=True)
class PageLeft:
    """A page that was left unchanged."""

    page_id: str
    reason: str


@dataclass(frozen=True)
class Aged:
    """What ageing did, or would do in a dry run."""

    now: datetime
    dry_run: bool
    moved: tuple[PageMove, ...]
    text_dropped: tuple[str, ...]
    busy: tuple[str, ...]
    unreadable: tuple[PageLeft, ...]
    purged: int
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int
    #: In a dry run, what happens later to pages that are not due, the next first.
    ahead: tuple[PageForecast, ...] = ()
