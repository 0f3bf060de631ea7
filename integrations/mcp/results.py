"""Structured results of the tools.

Hosts such as Claude Code and Codex give a model the structured result and drop the text beside it, others the reverse:
whatever a model must read stands in both, in the same words.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, Field

from foxing.memory import ImagePart, RecalledMessage
from foxing.memory.values.speakers import one_line, set_apart, speaker_of

#: Images that a tool returns, and the characters of their Base64.
MAX_IMAGES = 4
MAX_IMAGE_BYTES = 4 << 20


class Remembered(BaseModel):
    """The result of remember."""

    id: str = Field(description="Id of the message.")
    new: bool = Field(description="False if the same text was already stored under this id.")
    exact_until: datetime | None = Field(description="Time until which it is kept exactly; null for ever, or unknown.")
    pinned: bool = Field(description="Whether it is pinned, so that it does not fade.")


class Recalled(BaseModel):
    """The result of recall."""

    text: str = Field(description="What is remembered, quoted by time; … marks what has faded.")
    left_out: int = Field(0, description="Number of matches that the limit of tokens leaves out.")


class BuiltContext(BaseModel):
    """The result of build_context."""

    text: str = Field(description="The text of the context; its images stand in the content alone.")
    images: int = Field(description="Number of page images.")
    billed_tokens: int = Field(description="Tokens that the reader's provider bills for it.")


class RecentText(BaseModel):
    """The result of recent."""

    text: str = Field(description="The last conversations, the newest first, each with its last messages quoted.")
    messages: int = Field(description="Number of messages in the memory.")


class ListedFacts(BaseModel):
    """The result of facts."""

    text: str = Field(description="What holds, quoted: pinned facts first, then the newest.")
    refs: list[str] = Field(description="References of the messages, in the order listed, for fetch.")
    left_out: int = Field(0, description="Number of facts that the limit of tokens leaves out.")


class Erased(BaseModel):
    """The result of forget."""

    message_id: str | None = Field(description="Id of the erased message.")
    thread: str | None = Field(description="Name of the erased thread.")
    messages: int = Field(description="Number of erased messages.")


class PageText(BaseModel):
    """The result of a tool for a page."""

    page_id: str | None = Field(description="Id of the page.")
    tier: str | None = Field(description="Its tier.")
    pinned: bool = Field(description="Whether it is pinned.")
    text: str = Field(description="What the tool says.")


class PageList(BaseModel):
    """The result of timeline, recall_pages and age_pages."""

    page_ids: list[str] = Field(description="Ids of the pages, in the order listed.")
    text: str = Field(description="What the tool says.")


def images_of(messages: Sequence[RecalledMessage]) -> list[ContentBlock]:
    """Returns the images of messages as content, each after its label; at most `MAX_IMAGES`, and `MAX_IMAGE_BYTES` in
    all."""
    blocks: list[ContentBlock] = []
    room = MAX_IMAGE_BYTES
    count = 0
    for message in messages:
        parts = (part for part in message.parts or () if isinstance(part, ImagePart) and part.data is not None)
        for part in parts:
            data = part.data or ""
            if count == MAX_IMAGES or len(data) > room:
                return blocks
            room = room - len(data)
            count = count + 1
            size = f"{part.width}×{part.height} px"
            name = one_line(part.name or "") or "without a name"
            label = f"Image of the message {one_line(message.message_id)} by {speaker_of(message)}, {name}, {size}:"
            blocks.append(TextContent(type="text", text=label))
            blocks.append(ImageContent(type="image", data=data, mime_type=part.media_type or "image/png"))
            if (read := part.machine_read) is not None:
                heading = f"Text in it by {speaker_of(message)}, read by machine with confidence {read.confidence:.2f}:"
                caption = set_apart(f"{heading}\n{read.text}")
                blocks.append(TextContent(type="text", text=caption))
    return blocks


def answer(result: BaseModel, *content: str | ContentBlock) -> CallToolResult:
    """Returns the result of a tool. `content`: what the model reads."""
    blocks: Iterable[ContentBlock] = (
        TextContent(type="text", text=block) if isinstance(block, str) else block for block in content
    )
    return CallToolResult(content=list(blocks), structured_content=result.model_dump(mode="json"))
