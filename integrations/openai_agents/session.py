"""`Session` of the Agents SDK over a bank."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self, cast

from pydantic import JsonValue

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run_async
from foxing.integrations.frameworks.closing import AsyncClosing
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.transcript import Remember, Transcript, TranscriptItem
from foxing.integrations.frameworks.turns import message_fields
from foxing.memory import Fields, InvalidInput, WebCalls, parse_message

if TYPE_CHECKING:
    from agents import SessionSettings, TResponseInputItem

NAMESPACE = "openai_agents"


class FoxingSession(AsyncClosing):
    """A session of the Agents SDK: items are stored exactly, and their text is also remembered.

        session = FoxingSession.connect("http://127.0.0.1:8765", bank="agent-7", session_id="chat-1")
        await Runner.run(agent, "hello", session=session)

    Methods raise `FoxingError`. After an error of `add_items`, adding the same items again stores nothing twice.
    """

    #: Id of the session and name of the thread of its remembered messages.
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
        """`remember`: also store the text as messages of the bank: False for never, True until the items are removed,
        or "always". Raises `InvalidInput` for a `session_id` that is empty, longer than 200 characters, or has control
        characters."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        self.session_id = session_id
        self.session_settings = session_settings
        self._transcript = Transcript(connection.bank, NAMESPACE, session_id, remember=remember)
        #: Calls of tools of the web whose results have not been added.
        self._web_calls: frozenset[str] = frozenset()

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
        """Returns a session in a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or id."""
        connection = connect(target, bank, api_key=api_key)
        return cls(connection, session_id, remember=remember, session_settings=session_settings)

    async def get_items(self, limit: int | None = None) -> "list[TResponseInputItem]":
        """Returns the last `limit` items in the order in which they were added. Default: the limit of the session's
        settings, or all items. Raises `InvalidInput` for a negative limit."""
        max_items = limit if limit is not None or self.session_settings is None else self.session_settings.limit
        if max_items is not None and max_items < 0:
            raise InvalidInput(f"limit is {max_items}; it must be 0 or more, or None for all items")
        items = await run_async(self.connection, self._transcript.items(max_items))
        return [cast("TResponseInputItem", item) for item in items]

    async def add_items(self, items: "list[TResponseInputItem]") -> None:
        """Adds all items or none. Raises `InvalidInput` for an item that is not JSON."""
        calls = WebCalls(self._web_calls)
        await run_async(self.connection, self._transcript.add(_entries(items, calls)))
        self._web_calls = frozenset(calls.ids)

    async def pop_item(self) -> "TResponseInputItem | None":
        """Removes and returns the last item; None if there is none. Its message is permanently erased, unless
        `remember` is "always"."""
        item = await run_async(self.connection, self._transcript.pop())
        return None if item is None else cast("TResponseInputItem", item)

    async def clear_session(self) -> None:
        """Removes all items, and permanently erases the thread of this session unless `remember` is False or
        "always"."""
        await run_async(self.connection, self._transcript.clear())


def _entries(items: "Sequence[TResponseInputItem]", calls: WebCalls) -> list[TranscriptItem]:
    """Returns items as transcript items. `calls`: those of the items before them. Raises `InvalidInput` for an
    item that is not a JSON object."""
    entries: list[TranscriptItem] = []
    for number, item in enumerate(items):
        value: JsonValue = exact_json(item, f"item {number}")
        if not isinstance(value, dict):
            raise InvalidInput(f"item {number} is not an object; pass items of the Agents SDK")
        entries.append(TranscriptItem(value, _message_of(value, calls)))
    return entries


def _message_of(item: Mapping[str, JsonValue], calls: WebCalls) -> Fields | None:
    """Returns the message of an item; None for one that says nothing, such as reasoning, or has no role."""
    try:
        return message_fields(parse_message("openai-responses", item), calls)
    except InvalidInput:
        return None
