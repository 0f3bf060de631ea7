"""`Session` of the Agents SDK on a bank."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self, cast

from pydantic import JsonValue

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run_async
from foxing.integrations.frameworks.closing import AsyncClosing
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.transcript import Remember, Transcript, TranscriptItem
from foxing.memory.errors import InvalidInput

from .items import message_of

if TYPE_CHECKING:
    from agents import SessionSettings, TResponseInputItem

NAMESPACE = "openai_agents"


class FoxingSession(AsyncClosing):
    """A conversation of the Agents SDK: its items come back exactly, and what is said in them is remembered.

        session = FoxingSession.connect("http://127.0.0.1:8765", bank="agent-7", session_id="chat-1")
        await Runner.run(agent, "hello", session=session)

    Methods raise `FoxingError`. After an error of `add_items`, adding the same items again stores nothing twice.
    """

    #: Id of the conversation; what is said in it is remembered in the thread of this name.
    session_id: str
    #: Settings of the Agents SDK.
    session_settings: "SessionSettings | None"

    def __init__(
        self,
        connection: Connection,
        session_id: str,
        *,
        remember: Remember = True,
        session_settings: "SessionSettings | None" = None,
    ) -> None:
        """`remember`: whether what is said is stored as messages as well, until it is removed, or "always". Raises
        `InvalidInput` for a `session_id` that is empty, longer than 200 characters, or has control characters."""
        #: The bank, for calls of other kinds.
        self.connection = connection
        self.session_id = session_id
        self.session_settings = session_settings
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
        session_settings: "SessionSettings | None" = None,
    ) -> Self:
        """A session in the bank behind `target`: the address of a server, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or id."""
        connection = connect(target, bank, api_key=api_key)
        return cls(connection, session_id, remember=remember, session_settings=session_settings)

    async def get_items(self, limit: int | None = None) -> "list[TResponseInputItem]":
        """The items in the order in which they were added: the last `limit` of them, or of the session's settings, or
        all."""
        most = limit if limit is not None or self.session_settings is None else self.session_settings.limit
        if most is not None and most < 0:
            raise InvalidInput(f"limit is {most}; give 0 or more, or None for all items")
        steps = self._transcript.items() if most is None else self._transcript.latest(most)
        return [cast("TResponseInputItem", item) for item in await run_async(self.connection, steps)]

    async def add_items(self, items: "list[TResponseInputItem]") -> None:
        """Adds items, all or none."""
        await run_async(self.connection, self._transcript.add(_entries(items)))

    async def pop_item(self) -> "TResponseInputItem | None":
        """Removes and returns the last item; None if there is none. What was said in it is erased for good."""
        item = await run_async(self.connection, self._transcript.pop())
        return None if item is None else cast("TResponseInputItem", item)

    async def clear_session(self) -> None:
        """Removes all items, and erases the thread of this session for good: everything that was said in it."""
        await run_async(self.connection, self._transcript.clear())


def _entries(items: "Sequence[TResponseInputItem]") -> list[TranscriptItem]:
    """Raises `InvalidInput` for what is no item."""
    entries: list[TranscriptItem] = []
    for number, item in enumerate(items):
        value: JsonValue = exact_json(item, f"item {number}")
        if not isinstance(value, dict):
            raise InvalidInput(f"item {number} is not an object; give items of the Agents SDK")
        entries.append(TranscriptItem(value, message_of(value)))
    return entries
