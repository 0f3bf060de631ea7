"""`BaseMemoryService` over a bank."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self, TypedDict, Unpack

from google.adk.events.event import Event
from google.adk.memory.base_memory_service import BaseMemoryService, SearchMemoryResponse
from google.adk.memory.memory_entry import MemoryEntry
from google.adk.sessions.session import Session
from pydantic import JsonValue

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import CallSequence, ask, run_async, store_all
from foxing.integrations.frameworks.closing import AsyncClosing
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.memory import (
    MAX_QUERY_CHARS,
    RELEVANCE_FLOOR,
    Fields,
    Forgotten,
    InvalidInput,
    NotFound,
    RecalledMessage,
    TextQueryFields,
)

from .entries import APP, USER, content_messages, digest, entry, event_messages, moment, thread_name


class MemoryServiceFields(TypedDict, total=False):
    """Options of a `FoxingMemoryService` as keyword arguments."""

    k: int
    max_tokens: int | None
    min_relevance: float


class FoxingMemoryService(AsyncClosing, BaseMemoryService):
    """A memory service that stores what sessions say as messages of a bank, and finds it by meaning and words.

        memory = FoxingMemoryService.connect("http://127.0.0.1:8765", bank="agent-7")
        runner = Runner(app_name="guide", agent=agent, session_service=sessions, memory_service=memory)

    Users and apps of one bank are told apart by the metadata of the messages: a search finds those of its app and user
    alone. Methods raise `FoxingError`; they can be repeated after an error, and store nothing twice.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        k: int = 10,
        max_tokens: int | None = None,
        min_relevance: float = RELEVANCE_FLOOR,
    ) -> None:
        """`k`: maximum number of memories of a search, 1 to 500. `max_tokens`: maximum number of text tokens of all of
        them. `min_relevance`: minimum relevance of the most relevant match, 0 to 1; below it, nothing is found."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._query: TextQueryFields = {"limit": k, "max_tokens": max_tokens, "min_relevance": min_relevance}

    @classmethod
    def connect(
        cls, target: Target, bank: str, *, api_key: str | None = None, **fields: Unpack[MemoryServiceFields]
    ) -> Self:
        """Returns a service for a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        return cls(connect(target, bank, api_key=api_key), **fields)

    async def add_session_to_memory(self, session: Session) -> None:
        """Stores what a session says: all of it, or what is new since the last call."""
        messages = _messages(session.app_name, session.user_id, session.id, session.events, {})
        await run_async(self.connection, store_all(self.connection.bank, messages))

    async def add_events_to_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        events: Sequence[Event],
        session_id: str | None = None,
        custom_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Stores what some events say. `custom_metadata`: metadata of the messages, at most 2 kB of JSON."""
        metadata = _metadata(custom_metadata)
        await run_async(
            self.connection, store_all(self.connection.bank, _messages(app_name, user_id, session_id, events, metadata))
        )

    async def add_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        memories: Sequence[MemoryEntry],
        custom_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Stores memories, which are the user's unless they have another `author`. A memory with an `id` is stored
        once."""
        shared = _metadata(custom_metadata)
        messages: list[Fields] = []
        for memory in memories:
            metadata = {**shared, **_metadata(memory.custom_metadata), APP: app_name, USER: user_id}
            for number, message in enumerate(content_messages(memory.content, memory.author)):
                message["metadata"] = metadata
                if memory.id is not None:
                    message["id"] = digest(app_name, user_id, memory.id, number)
                if memory.timestamp is not None:
                    message["created_at"] = memory.timestamp
                messages.append(message)
        await run_async(self.connection, store_all(self.connection.bank, messages))

    async def search_memory(self, *, app_name: str, user_id: str, query: str) -> SearchMemoryResponse:
        """Returns what is remembered of a query, best first; each memory is one message, as remembered now."""
        text = query[-MAX_QUERY_CHARS:]
        if not text.strip():
            return SearchMemoryResponse()
        fields: TextQueryFields = {**self._query, "metadata": {APP: app_name, USER: user_id}}
        answer = await self.connection.run_async(lambda memory: memory.recall(self.connection.bank, text, **fields))
        return SearchMemoryResponse(memories=[entry(span) for span in answer.spans])

    async def delete_memory(self, *, app_name: str, user_id: str, memory_id: str | None = None) -> None:
        """Permanently erases a memory by the id that a search gave it. Does nothing if the app and user have none such;
        raises `InvalidInput` without an id."""
        if not memory_id:
            raise InvalidInput("give the memory_id of the memory to delete, from search_memory")
        await run_async(self.connection, self._erase(app_name, user_id, memory_id))

    def _erase(self, app_name: str, user_id: str, memory_id: str) -> CallSequence[None]:
        bank = self.connection.bank
        try:
            message: RecalledMessage = yield from ask(lambda memory: memory.message(bank, memory_id))
            metadata = message.metadata or {}
            if (metadata.get(APP), metadata.get(USER)) == (app_name, user_id):
                yield from ask(lambda memory: memory.erase_message(bank, memory_id))
        except (NotFound, Forgotten):
            return


def _messages(
    app_name: str, user_id: str, session_id: str | None, events: Sequence[Event], metadata: Mapping[str, JsonValue]
) -> list[Fields]:
    """Returns what events say as messages, whose ids are the same whenever they are stored."""
    thread = None if session_id is None else thread_name(app_name, user_id, session_id)
    own = {**metadata, APP: app_name, USER: user_id}

    def of(event: Event) -> Iterator[Fields]:
        for number, message in enumerate(event_messages(event)):
            key = digest(app_name, user_id, session_id, event.id, number)
            yield {**message, "id": key, "thread": thread, "created_at": moment(event.timestamp), "metadata": own}

    return [message for event in events for message in of(event)]


def _metadata(metadata: Mapping[str, object] | None) -> dict[str, JsonValue]:
    value = exact_json(dict(metadata or {}), "custom_metadata")
    return value if isinstance(value, dict) else {}
