"""Memory of the agents of a framework: what is remembered of a question, and the turns of a conversation."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from pydantic import JsonValue

from foxing.integrations.client import Connection
from foxing.integrations.frameworks.call_sequences import CallSequence, ask
from foxing.integrations.frameworks.turns import session_fields
from foxing.integrations.outbox.adapter import Outbox
from foxing.memory import (
    MAX_QUERY_CHARS,
    RELEVANCE_FLOOR,
    ContextRequest,
    ContextResult,
    Fields,
    InvalidInput,
    ProviderMessage,
)

BUDGET = 2_000  # tokens
_MOST_THREAD_CHARS = 200


class AgentFields(TypedDict, total=False):
    """Options of the memory of an agent as keyword arguments."""

    budget: int
    reader: str
    thread: str | None
    min_relevance: float
    remember: bool


class AgentMemory:
    """Memory of an agent in a bank."""

    def __init__(
        self,
        connection: Connection,
        form: str,
        *,
        budget: int = BUDGET,
        reader: str = "text",
        thread: str | None = None,
        min_relevance: float = RELEVANCE_FLOOR,
        remember: bool = True,
    ) -> None:
        """`form`: format of the context. `budget`: maximum number of tokens of the context, as the `reader` bills them;
        0 for no context. `thread`: thread of the messages; None for that of the conversation. `min_relevance`: minimum
        relevance of the most relevant match. `remember`: whether to store turns. Raises `InvalidInput`."""
        self._bank = connection.bank
        self._request: Fields | None = None
        if budget:
            self._request = {"budget": budget, "reader": reader, "min_relevance": min_relevance, "form": form}
            ContextRequest.from_fields(self._request)
        self._thread = thread
        self._remember = remember
        #: Messages that must wait for the bank.
        self.outbox = Outbox(connection)

    def context(
        self, question: str, messages: Sequence[Mapping[str, object]], thread: str | None
    ) -> CallSequence[list[dict[str, JsonValue]]]:
        """Returns the blocks of the context of a question. `messages`: what the request holds already."""
        if self._request is None or not question.strip():
            return []
        fields: Fields = {**self._request, "query": question[-MAX_QUERY_CHARS:], "messages": messages}
        request = ContextRequest.from_fields(fields if thread is None else {**fields, "thread": thread})
        answer: ContextResult = yield from ask(lambda memory: memory.context(self._bank, request))
        return answer.content

    def store(
        self, messages: Sequence[ProviderMessage], first: int, thread: str | None, session: str
    ) -> CallSequence[None]:
        """Stores the turns of the messages from the one at `first` on, once. `messages`: all of the conversation.
        `session`: what tells it from others."""
        if self._remember:
            yield from self.outbox.put(session_fields(session, messages, first, thread))

    def thread_name(self, read: Callable[[], object], member: str, adapter: str) -> str | None:
        """Returns the thread: that of the options, else that of a framework's conversation. Raises `InvalidInput` for
        an invalid one. `read`: returns the latter. `member`: its name. `adapter`: what takes the options."""
        name = self._thread
        if name is None and (conversation := read()) is not None:
            name = str(conversation)
            if not 1 <= len(name) <= _MOST_THREAD_CHARS or min(name) < " ":
                raise InvalidInput(
                    f"the {member} {name[:50]!r} is not the name of a thread; use 1 to {_MOST_THREAD_CHARS} characters "
                    f"without control characters, or give the {adapter} a `thread`"
                )
        return name
