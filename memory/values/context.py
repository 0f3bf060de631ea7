"""A request for context, and the answer to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, JsonValue

from foxing.memory.errors import InvalidInput

from .base import Value
from .recall import MAX_QUERY_CHARS

#: Whose request bodies the content is for; "blocks" is for none of them.
ContentFormat = Literal["anthropic", "openai", "gemini", "blocks"]
MAX_BUDGET = 1_000_000
MAX_GIVEN = 10_000  # messages of the prompt
#: What recall found is shown as: whichever shows more for a billed token, or one of them alone.
Show = Literal["best", "text", "images"]
SHOWN: tuple[Show, ...] = ("best", "text", "images")
FORMATS: tuple[ContentFormat, ...] = ("anthropic", "openai", "gemini", "blocks")


@dataclass(frozen=True)
class ContextRequest:
    """What is asked for. Raises `InvalidInput` for values that cannot be met."""

    #: name of the model that will read the content
    reader: str
    #: tokens that the content may cost, as the reader bills
    budget: int
    #: what to recall; by default the text of the last user message of `messages`
    query: str | None = None
    #: what the prompt holds already, as the provider's messages, oldest first; none of it is repeated
    messages: Sequence[Mapping[str, Any]] | None = None
    #: the thread whose last messages are given exactly; recall looks at all threads
    thread: str | None = None
    #: time that words in the query are relative to
    now: str | datetime | None = None
    #: IANA name or offset that times are read in
    timezone: str | None = None
    #: whose request bodies the content is for; by default those of the reader's provider
    form: ContentFormat | None = None
    #: whether identifiers stand as text beside the image that shows them
    keepsakes: bool = True
    #: what recall found is shown as: text or page image, whichever shows more for a token, or one of them alone
    show: Show = "best"

    def __post_init__(self) -> None:
        for name, text in (("reader", self.reader), ("query", self.query), ("thread", self.thread)):
            if not isinstance(text, str) and (text is not None or name == "reader"):
                raise InvalidInput(f"{name} is a text, not {type(text).__name__}")
        if type(self.budget) is not int or not 1 <= self.budget <= MAX_BUDGET:
            raise InvalidInput(f"budget is 1 to {MAX_BUDGET:,} tokens, not {self.budget}")
        if self.query is not None and len(self.query) > MAX_QUERY_CHARS:
            raise InvalidInput(f"a query has at most {MAX_QUERY_CHARS:,} characters")
        if len(self.messages or ()) > MAX_GIVEN:
            raise InvalidInput(f"a prompt has at most {MAX_GIVEN:,} messages here; leave out the oldest")
        if self.show not in SHOWN:
            raise InvalidInput(f"what is recalled is shown as one of {', '.join(SHOWN)}, not '{self.show}'")
        if self.form is not None and self.form not in FORMATS:
            raise InvalidInput(f"the form of the content is one of {', '.join(FORMATS)}, not '{self.form}'")

    @property
    def question(self) -> str | None:
        """What to recall; None if nothing is asked."""
        if self.query is not None:
            return self.query.strip() or None
        said = [text for role, text in map(_said, self.messages or ()) if role == "user" and text.strip()]
        return said[-1].strip()[-MAX_QUERY_CHARS:] if said else None

    @property
    def given(self) -> frozenset[str]:
        """The texts of `messages`."""
        return frozenset(text for _, text in map(_said, self.messages or ()) if text)


def _said(message: Mapping[str, Any]) -> tuple[str, str]:
    """Role and text of a provider's message: its content as a string, or the texts of its parts."""
    if not isinstance(message, Mapping):
        raise InvalidInput(f"messages are objects with a role and a content, not {type(message).__name__}")
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        return str(message.get("role", "")), content
    parts = content if isinstance(content, Sequence) else ()
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return str(message.get("role", "")), "\n".join(text for text in texts if isinstance(text, str))


class ContextResult(Value):
    """Content that is ready to be put before a reader."""

    content: list[dict[str, JsonValue]] = Field(
        description="Content blocks in the form asked for: recalled page images and texts first, then the last "
        "messages exactly. The same state of the memory and the same request give the same bytes."
    )
    stable_blocks: int = Field(
        description="How many of the first blocks do not change when a message is stored; a prompt cache may end there."
    )
    billed_tokens: int = Field(description="What the reader bills for the content.")
    text_tokens_instead: int = Field(description="What all that the content shows would cost as text.")
    message_ids: list[str] = Field(description="Messages that the content shows, whole or in part, in its order.")
    in_part: list[str] = Field(
        default_factory=list,
        description="Those of `message_ids` that a page image shows in part; each stands whole as text beside it.",
    )
    reader: str = Field(description="Name of the reader.")
    formula: str = Field(description="What the reader bills for an image, in words, and how text is counted.")
    notes: list[str] = Field(default_factory=list, description="What the content went without, and why.")
