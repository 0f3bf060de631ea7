"""Toolset over a bank: the model recalls, remembers and forgets by its own decision."""

from typing import Any, Self, TypeVar

from pydantic_ai import FunctionToolset, ModelRetry
from pydantic_ai.exceptions import ToolFailed

from foxing.integrations.client import Call, Connection, Target, connect
from foxing.integrations.frameworks.closing import AsyncClosing, Closing
from foxing.memory import RELEVANCE_FLOOR, Conflict, Fields, Forgotten, InvalidInput, NotFound, TextQueryFields
from foxing.memory.values.messages import REPLACES
from foxing.memory.values.speakers import set_apart, speaker_of
from foxing.renderer import FoxingError

R = TypeVar("R")

MOST_TOKENS = 2_000
NOTHING = "Nothing relevant is remembered."


class FoxingToolset(Closing, AsyncClosing, FunctionToolset[Any]):
    """The tools `recall`, `remember` and `forget` over a bank.

        toolset = FoxingToolset.connect("http://127.0.0.1:8765", bank="agent-7")
        agent = Agent(model, toolsets=[toolset])

    An argument that the bank refuses is a retry of the model. If the service fails, the model is told so.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        thread: str | None = None,
        max_tokens: int = MOST_TOKENS,
        min_relevance: float = RELEVANCE_FLOOR,
        id: str | None = "foxing",
    ) -> None:
        """`thread`: thread of the messages that `remember` stores. `max_tokens`: maximum number of text tokens that
        `recall` returns. `min_relevance`: minimum relevance of the most relevant match, 0 to 1; below it, nothing is
        recalled. `id`: unique id of the toolset in an agent."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._thread = thread
        self._recall: TextQueryFields = {"max_tokens": max_tokens, "min_relevance": min_relevance}
        super().__init__([self.recall, self.remember, self.forget], id=id)

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        *,
        api_key: str | None = None,
        thread: str | None = None,
        max_tokens: int = MOST_TOKENS,
        min_relevance: float = RELEVANCE_FLOOR,
        id: str | None = "foxing",
    ) -> Self:
        """Returns a toolset for a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        connection = connect(target, bank, api_key=api_key)
        return cls(connection, thread=thread, max_tokens=max_tokens, min_relevance=min_relevance, id=id)

    async def recall(self, query: str, since: str | None = None, until: str | None = None) -> str:
        """Find earlier messages and list them by time, each with its reference in brackets. … marks text that has
        faded: do not guess it.

        Args:
            query: Question or search terms.
            since: Start of the time window, such as 2026-03-02 or “3 weeks ago”.
            until: End of the time window, in the same formats.
        """
        bank = self.connection.bank
        fields: TextQueryFields = {**self._recall, "since": since, "until": until}
        result = await self._run(lambda memory: memory.recall(bank, query, **fields))
        spans = sorted(result.spans, key=lambda span: span.created_at)
        lines = [
            f"[{span.ref}] {span.created_at:%Y-%m-%d %H:%M} {speaker_of(span)}: {set_apart(span.text)}"
            for span in spans
        ]
        return "\n".join(lines) or NOTHING

    async def remember(self, text: str, replaces: str | None = None) -> str:
        """Store a text in long-term memory, verbatim. Do not store secrets.

        Args:
            text: Text to remember, in full sentences with names.
            replaces: Reference of the remembered message that this one replaces.
        """
        bank = self.connection.bank
        message: Fields = {"role": "assistant", "content": text}
        if replaces is not None:
            message["metadata"] = {REPLACES: await self._id_of(replaces)}
        stored = await self._run(lambda memory: memory.store(bank, [message], thread=self._thread))
        return f"Remembered as {stored.ids[0]}."

    async def forget(self, reference: str) -> str:
        """Permanently erase a message from memory. This cannot be undone. Use it only when the user asks for it.

        Args:
            reference: Reference of the message, from recall.
        """
        bank = self.connection.bank
        key = await self._id_of(reference)
        await self._run(lambda memory: memory.erase_message(bank, key))
        return f"Message {reference} was permanently erased."

    async def _id_of(self, reference: str) -> str:
        bank = self.connection.bank
        try:
            result = await self._run(lambda memory: memory.fetch(bank, [reference.strip("[] ")]))
        except (NotFound, Forgotten) as error:
            raise ModelRetry(str(error)) from error
        return result.messages[0].message_id

    async def _run(self, call: Call[R]) -> R:
        """Runs a call. Raises `NotFound` and `Forgotten`, and every other error as one that the model sees."""
        try:
            return await self.connection.run_async(call)
        except (NotFound, Forgotten):
            raise
        except (InvalidInput, Conflict) as error:
            raise ModelRetry(str(error)) from error
        except FoxingError as error:
            raise ToolFailed(str(error)) from error
