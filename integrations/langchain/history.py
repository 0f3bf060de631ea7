"""`BaseChatMessageHistory` on a bank."""

from collections.abc import Sequence
from typing import Self

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing
from foxing.integrations.frameworks.transcript import Remember, Transcript

from .entries import entries, message_of

NAMESPACE = "langchain"


class FoxingChatMessageHistory(Closing, AsyncClosing, BaseChatMessageHistory):
    """A LangChain chat message history: messages are stored exactly, and their text is also remembered.

        history = FoxingChatMessageHistory.connect("http://127.0.0.1:8765", bank="agent-7", session_id="chat-1")
        history.add_user_message("hello")

    Methods raise `FoxingError`. After an error of `add_messages`, adding the same messages again stores nothing twice.
    """

    def __init__(self, connection: Connection, session_id: str, *, remember: Remember = True) -> None:
        """`remember`: also store the text as messages of the bank: False for never, True until the history is cleared,
        or "always". Raises `InvalidInput` for a `session_id` that is empty, longer than 200 characters, or has control
        characters."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        #: Id of the conversation and name of the thread of its remembered messages.
        self.session_id = session_id
        self._transcript = Transcript(connection.bank, NAMESPACE, session_id, remember=remember)

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        session_id: str,
        *,
        api_key: str | None = None,
        remember: Remember = True,
    ) -> Self:
        """Returns a history in a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or id."""
        return cls(connect(target, bank, api_key=api_key), session_id, remember=remember)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # as LangChain's own histories do it
        """All messages in the order in which they were added."""
        return [message_of(item) for item in run(self.connection, self._transcript.items())]

    async def aget_messages(self) -> list[BaseMessage]:
        """Returns `messages` without blocking the event loop."""
        return [message_of(item) for item in await run_async(self.connection, self._transcript.items())]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds all messages or none. Raises `InvalidInput` for a message that cannot be restored exactly."""
        run(self.connection, self._transcript.add(entries(messages)))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds messages without blocking the event loop; see `add_messages`."""
        await run_async(self.connection, self._transcript.add(entries(messages)))

    def clear(self) -> None:
        """Removes all messages from the history, and permanently erases the thread of this session unless `remember` is
        False or "always"."""
        run(self.connection, self._transcript.clear())

    async def aclear(self) -> None:
        """Clears the history without blocking the event loop; see `clear`."""
        await run_async(self.connection, self._transcript.clear())
