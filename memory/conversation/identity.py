"""Identity of turns: the same id by every way in."""

import json
import re
from collections import Counter
from collections.abc import Iterable

from .hosts import is_summary, words_of_user
from .parse import ProviderMessage
from .turns import DIGEST_BYTES, Turn, digest_of, normalised_words
from .web_tools import WebCalls

INSTRUCTIONS = ("system", "developer")
_PREFIX = "turn-"
_OWN_BYTES = 8
_TURN_ID = re.compile(rf"{_PREFIX}[0-9a-f]{{{2 * DIGEST_BYTES}}}")


class SessionTurns:
    """The turns of a session with their ids, in order.

    An id follows from the session, who says what, and how often that was said before in the same stretch: what follows
    the first words of the user, or the summary that its host puts in place of what was before. So a sub-agent is a
    stretch of its own, and a message that is said again after a summary is another. A tool call and its result have
    ids that follow from the session and the id of the call alone.
    """

    def __init__(
        self,
        session: str,
        stretch: bytes | None = None,
        counts: Counter[bytes] | None = None,
        web_calls: Iterable[str] = (),
    ) -> None:
        """`stretch`, `counts`, `web_calls`: where an earlier part of the session ended, which a provider holds. The
        last are the ids of its calls of tools of the web without an answer."""
        self.session = session
        #: Digest of the words with which the stretch began; None before them.
        self.stretch = stretch
        #: How often each turn was said in it, by digest.
        self.counts: Counter[bytes] = Counter() if counts is None else counts
        self.web_calls = WebCalls(web_calls)

    def read(self, message: ProviderMessage) -> list[tuple[Turn, str]]:
        """Returns the turns of the next message, each with its id; none for instructions."""
        if message.role in INSTRUCTIONS:
            return []
        if message.role == "user":
            self._find_stretch(message)
        return [(self.web_calls.with_origin(turn), self._id(turn)) for turn in message.turns]

    def begin(self, words: str) -> None:
        """Begins a stretch with these words, those of a summary or the first of the user."""
        self.stretch = digest_of(normalised_words(words))
        self.counts = Counter()

    def _find_stretch(self, message: ProviderMessage) -> None:
        """Begins a stretch with a summary, or with the first words of the user."""
        for part in message.parts:
            text = str(part["text"]) if part["type"] == "text" else ""
            if is_summary(text):
                self.begin(text)
            elif self.stretch is None and (words := words_of_user(text)).strip():
                self.begin(words)

    def _id(self, turn: Turn) -> str:
        digest = turn.digest
        if turn.call_id is not None:
            return _named(self.session, b"", digest, 0)
        number = self.counts[digest]
        self.counts[digest] += 1
        return _named(self.session, self.stretch or b"", digest, number)


def _named(session: str, stretch: bytes, digest: bytes, number: int) -> str:
    content = json.dumps([session, stretch.hex(), digest.hex(), number])
    return f"{_PREFIX}{digest_of(content).hex()}"


def own_session(messages: Iterable[ProviderMessage]) -> str | None:
    """Returns the id of the session of a conversation that names none, which follows from its first user message; None
    without one."""
    turns = (turn for message in messages if message.role not in INSTRUCTIONS for turn in message.turns)
    first = next((turn for turn in turns if turn.role == "user"), None)
    return None if first is None else f"chat-{first.digest[:_OWN_BYTES].hex()}"


def is_turn_id(message_id: str) -> bool:
    """True for the id of a turn: messages with the same one are the same turn, as different ways in have seen it."""
    return _TURN_ID.fullmatch(message_id) is not None
