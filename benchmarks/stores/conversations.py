"""Input of the stores: conversations, and questions with the messages that answer them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.datasets.dataset import find_datasets
from benchmarks.evidence import CATEGORIES
from benchmarks.locomo import Conversation, Question, read_locomo
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

_START = datetime(2023, 1, 1, tzinfo=UTC)
_AGAIN_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class NamedConversation:
    """A conversation that every store keeps apart from the others."""

    #: Name of its bank, namespace, user or collection.
    name: str
    messages: list[NewMessage]
    questions: list[Question]


def read_conversations(place: Path, most: int | None = None) -> list[NamedConversation]:
    """Returns the conversations of a LoCoMo file, or of all datasets in a folder, up to `most` messages in all, with
    the questions whose evidence is among these. Raises `InvalidInput` if no question remains."""
    conversations: list[NamedConversation] = []
    left = most
    for conversation in _conversations(place):
        messages = conversation.messages[:left]
        held = {str(message.id) for message in messages}
        questions = [question for question in conversation.questions if question.evidence <= held]
        if messages:
            conversations.append(NamedConversation(f"conversation-{len(conversations)}", messages, questions))
        left = None if left is None else left - len(messages)
    if not any(conversation.questions for conversation in conversations):
        raise InvalidInput(f"no question of {place} has its evidence among these messages; store more of them")
    return conversations


def in_one_bank(conversations: Sequence[NamedConversation], size: int, questions: int) -> NamedConversation:
    """Returns a bank of `size` messages, for speed: the conversations one after another, and again as of a week before
    until there are enough, with up to `questions` questions of all of them. That messages occur several times makes
    evidence recall meaningless."""
    said = [(conversation.name, message) for conversation in conversations for message in conversation.messages]
    messages = []
    for number in range(size):
        again, place = divmod(number, len(said))
        thread, message = said[place]
        at = message.created_at or _START
        later = {"id": str(number), "thread": f"{thread}, {again}", "created_at": at - again * _AGAIN_AFTER}
        messages.append(message.model_copy(update=later))
    asked = [question for conversation in conversations for question in conversation.questions]
    held = [replace(question, evidence=frozenset({"0"})) for question in asked[:: max(1, len(asked) // questions)]]
    return NamedConversation("bank", messages, held[:questions])


def _conversations(place: Path) -> Iterable[Conversation]:
    """Yields each conversation with the questions that are counted."""
    if place.is_dir():
        for read in dict(find_datasets(place)).values():
            dataset = read()
            yield from (_asking(conversation, dataset.categories) for conversation in dataset.conversations)
    else:
        yield from (_asking(conversation, CATEGORIES) for conversation in read_locomo(place))


def _asking(conversation: Conversation, categories: Iterable[object]) -> Conversation:
    counted = set(categories)
    asked = [question for question in conversation.questions if question.category in counted]
    return Conversation(conversation.messages, asked)
