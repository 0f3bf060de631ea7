"""`BaseMemoryBlock` over a bank."""

import uuid
from collections.abc import Sequence
from itertools import islice
from typing import Self, TypedDict, Unpack

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, ImageBlock, MessageRole, TextBlock
from llama_index.core.memory import BaseMemoryBlock
from pydantic import Field, PrivateAttr

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run_async
from foxing.integrations.outbox.adapter import Outbox, OutboxClosing
from foxing.memory import (
    MAX_QUERY_CHARS,
    RELEVANCE_FLOOR,
    Fields,
    ImagePart,
    ImageQueryFields,
    RecalledImage,
    RecalledMessage,
    TextQueryFields,
)
from foxing.memory.recall.transcript import transcript
from foxing.memory.values.speakers import IMAGE_LINE, speaker_of

from .entries import session_messages, text_of

IMAGE_TOKENS = 256
CHARS_PER_TOKEN = 4


class BlockFields(TypedDict, total=False):
    """Fields of a `FoxingMemoryBlock` as keyword arguments."""

    name: str
    description: str | None
    priority: int
    accept_short_term_memory: bool
    k: int
    thread: str | None
    min_relevance: float | None
    reader: str | None
    images: int


class FoxingMemoryBlock(OutboxClosing, BaseMemoryBlock[list[ContentBlock]]):
    """A memory block that recalls messages for the last user message, as text or page images, and stores new messages.

        block = FoxingMemoryBlock.connect("http://127.0.0.1:8765", bank="agent-7")
        memory = Memory.from_defaults(memory_blocks=[block])

    Close the block when its agent ends: `Memory` does not. Reading raises `FoxingError`. Messages that cannot be stored
    because the service fails wait in a file, and are stored before the next ones, also by the next process.
    """

    name: str = "foxing"
    #: Connection to the bank, for other calls.
    connection: Connection = Field(exclude=True, repr=False)
    #: Maximum number of messages to recall, 1 to 500.
    k: int = Field(default=4, ge=1, le=500)
    #: Recall only messages of this thread; also the thread of stored messages without a session.
    thread: str | None = None
    #: Minimum relevance of the most relevant match, 0 to 1; below it, nothing is recalled.
    min_relevance: float | None = Field(default=RELEVANCE_FLOOR, ge=0, le=1)
    #: Name of the reader of page images; None for text.
    reader: str | None = None
    #: Maximum number of images of recalled messages, after the text; for a model that sees.
    images: int = Field(default=0, ge=0)
    _outbox: Outbox = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Prepares for messages that cannot be stored at once."""
        self._outbox = Outbox(self.connection)

    @classmethod
    def connect(cls, target: Target, bank: str, *, api_key: str | None = None, **fields: Unpack[BlockFields]) -> Self:
        """Returns a block for a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank, and pydantic's
        `ValidationError` for invalid fields."""
        return cls(connection=connect(target, bank, api_key=api_key), **fields)

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: object) -> list[ContentBlock]:
        questions = [text_of(message) for message in messages or () if message.role == MessageRole.USER]
        query = questions[-1][-MAX_QUERY_CHARS:] if questions else ""
        if not query.strip():
            return []
        bank = self.connection.bank
        run = self.connection.run_async
        if self.reader is None:
            search: TextQueryFields = {"limit": self.k, "thread": self.thread, "min_relevance": self.min_relevance}
            text = await run(lambda memory: memory.recall(bank, query, **search))
            return [TextBlock(text=text.rendered), *_images(text.spans, self.images)] if text.spans else []
        fields: ImageQueryFields = {
            "limit": self.k,
            "thread": self.thread,
            "min_relevance": self.min_relevance,
            "reader": self.reader,
        }
        result = await run(lambda memory: memory.recall_images(bank, query, **fields))
        # A data URL, because the template of `Memory` ignores images given as bytes.
        images = [block for image in result.images for block in _page_image(image)]
        return [*images, *map(_text, result.open_spans)]

    async def _aput(self, messages: list[ChatMessage]) -> None:
        write_id = uuid.uuid4().hex
        keyed: list[Fields] = [
            {**message, "id": f"{write_id}-{number:06}", "thread": session or self.thread}
            for number, (session, message) in enumerate(session_messages(messages))
        ]
        await run_async(self.connection, self._outbox.put(keyed))

    async def atruncate(self, content: list[ContentBlock], tokens_to_truncate: int) -> list[ContentBlock] | None:
        """Removes images and lines of text from the end, and returns the remaining blocks; None if none remain. A text
        counts one token per four characters, an image 256."""
        blocks = list(content)
        while blocks and tokens_to_truncate > 0:
            last = blocks.pop()
            if not isinstance(last, TextBlock):
                tokens_to_truncate -= IMAGE_TOKENS
                continue
            text, _, line = last.text.rpartition("\n")
            tokens_to_truncate -= max(1, (len(line) + 1) // CHARS_PER_TOKEN)
            if text:
                blocks.append(TextBlock(text=text))
        return blocks or None


def _images(messages: Sequence[RecalledMessage], limit: int) -> list[ContentBlock]:
    """Returns the first images of messages, at most `limit`, each after a text that says whose it is."""
    blocks = list[ContentBlock]()
    images = ((message, part) for message in messages for part in message.parts or () if isinstance(part, ImagePart))
    for message, part in islice(((message, part) for message, part in images if part.data), limit):
        blocks.append(
            TextBlock(text=IMAGE_LINE.format(name=speaker_of(message), time=f"{message.created_at:%Y-%m-%d %H:%M}"))
        )
        blocks.append(ImageBlock(url=f"data:{part.media_type};base64,{part.data}"))
    return blocks


def _page_image(image: RecalledImage) -> list[ContentBlock]:
    """Returns a page image, after a text that says of what class its words are where these are data."""
    note = image.class_note
    label = [TextBlock(text=f"The page image that follows {note}:")] if note else []
    return [*label, ImageBlock(url=f"data:{image.media_type};base64,{image.data}")]


def _text(message: RecalledMessage) -> TextBlock:
    return TextBlock(text=transcript([message]))
