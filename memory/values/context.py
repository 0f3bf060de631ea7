"""A request for context, and the answer to it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, Strict

from .base import INTEGRAL, Input, Now, Timezone, Value
from .recall import MAX_QUERY_CHARS

#: Whose request bodies the content is for; "blocks" is for none of them.
ContentFormat = Literal["anthropic", "openai", "gemini", "blocks"]
MAX_BUDGET = 1_000_000
MAX_GIVEN = 10_000  # messages of the prompt
#: What recall found is shown as: whichever shows more for a billed token, or one of them alone.
Show = Literal["best", "text", "images"]


class ContextRequest(Input):
    """A model that will read the content, what it may cost, and what is asked."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    reader: str = Field(
        max_length=200, description="Name of the reader, such as 'claude', 'gpt-6', 'gemini-3' or 'text'."
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), INTEGRAL] = Field(
        description="Tokens that the content may cost, as the reader bills."
    )
    query: str | None = Field(
        None,
        max_length=MAX_QUERY_CHARS,
        description="What to recall; by default the text of the last user message of `messages`.",
    )
    messages: Annotated[tuple[dict[str, JsonValue], ...], Strict(False)] | None = Field(
        None,
        max_length=MAX_GIVEN,
        description="What the prompt holds already, as the provider's messages, oldest first; none of it is repeated.",
    )
    thread: str | None = Field(
        None,
        max_length=200,
        description="The thread whose last messages are given exactly; recall looks at all threads. Default: any.",
    )
    now: Now = None
    timezone: Timezone = None
    form: ContentFormat | None = Field(
        None,
        alias="as",
        description="Whose request bodies the content is for; blocks: none of them. Default: the reader's provider.",
    )
    keepsakes: bool = Field(True, description="Whether identifiers stand as text beside the image that shows them.")
    show: Show = Field(
        "best",
        description="What recall found is shown as text or page image, whichever shows more for a billed token, or as "
        "one of them alone.",
    )

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


def _said(message: Mapping[str, JsonValue]) -> tuple[str, str]:
    """Role and text of a provider's message: its content as a string, or the texts of its parts."""
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
    partial_message_ids: list[str] = Field(
        default_factory=list,
        description="Those of `message_ids` that a page image shows in part; each stands whole as text beside it.",
    )
    reader: str = Field(description="Name of the reader.")
    formula: str = Field(description="What the reader bills for an image, in words, and how text is counted.")
    notes: list[str] = Field(default_factory=list, description="What the content went without, and why.")
