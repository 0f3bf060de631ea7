"""The conversations of the benchmark: LoCoMo, that of the demo, agent runs, and the other labelled texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.evidence import CATEGORIES
from benchmarks.locomo import read_locomo
from foxing.api.demo.conversation import demo_conversation
from foxing.memory.values.messages import NewMessage

from .conversation import Conversation, Message, Question
from .labels import LOCOMO, Label, group_names, read_group, read_texts
from .scoring import is_asked

LOCOMO_NAME, DEMO, AGENTS = "locomo", "demo", "agents"
#: Sources of agent runs and tool dialogues, which stand in one bank.
AGENT_SOURCES = ("en_tau_retail", "en_swe_agent", "en_aider")
#: Dates of texts that have none are spread over the year before this time.
ENDS_AT, YEAR = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(days=365)
#: Characters after the labelled documents, so that these stand on full pages.
FILLER_CHARACTERS = 6_000


@dataclass(frozen=True)
class Source:
    """Conversations that are reported together, with the labels of their messages."""

    name: str
    conversations: Sequence[Conversation]
    labels: Sequence[Label]


def read_sources(
    names: Sequence[str], data: Path, most_questions: int | None = None, most_conversations: int | None = None
) -> list[Source]:
    """Returns the sources of `names`: `LOCOMO_NAME`, `DEMO`, `AGENTS`, or files of `data`/eval without suffix.
    `most_questions`: of a conversation, evenly spread. `most_conversations`: of a source, the first. Raises
    `InvalidInput`, and `DataDifferError` if the data are not those that were labelled."""
    labels = [label for name in group_names() for label in read_group(name, data).labels]
    sources = [_source(name, labels, data) for name in names]
    return [
        Source(
            source.name,
            [
                Conversation(conversation.name, conversation.messages, _spread(conversation.questions, most_questions))
                for conversation in source.conversations[:most_conversations]
            ],
            source.labels,
        )
        for source in sources
    ]


def labelled_sources(data: Path) -> list[str]:
    """Returns the names of all sources with labels, LoCoMo first."""
    found = {label.source for name in group_names() for label in read_group(name, data).labels}
    return [LOCOMO_NAME, *sorted(found - {LOCOMO})]


def _spread(questions: Sequence[Question], most: int | None) -> Sequence[Question]:
    if most is None or len(questions) <= most:
        return questions
    return [questions[number * len(questions) // most] for number in range(most)]


def _source(name: str, labels: Sequence[Label], data: Path) -> Source:
    if name == DEMO:
        return Source(DEMO, [Conversation(DEMO, [_plain(message) for message in demo_conversation()], [])], [])
    if name == LOCOMO_NAME:
        ours = [label for label in labels if label.source == LOCOMO]
        return Source(name, list(_locomo(data / "eval" / "locomo_dev.json.gz")), ours)
    files = AGENT_SOURCES if name == AGENTS else (name,)
    ours = [label for label in labels if label.source in files]
    messages = _dated([message for file in files for message in _documents(file, ours, data)])
    return Source(name, [Conversation(name, messages, _questions(ours, messages))], ours)


def _locomo(file: Path) -> Iterator[Conversation]:
    """A conversation of LoCoMo each, with the questions of `CATEGORIES`."""
    for conversation in read_locomo(file):
        questions = [
            Question(question.text, question.answer, question.evidence)
            for question in conversation.questions
            if question.category in CATEGORIES
        ]
        messages = [_plain(message) for message in conversation.messages]
        yield Conversation(messages[0].thread, messages, questions)


def _plain(message: NewMessage) -> Message:
    return Message(
        id=str(message.id),
        speaker=message.name or message.role,
        text=message.text,
        created_at=message.created_at or ENDS_AT,
        role=message.role,
        thread=message.thread or "",
    )


def _documents(source: str, labels: Sequence[Label], data: Path) -> Iterator[Message]:
    """Messages of the labelled documents of a source, then those of others up to `FILLER_CHARACTERS`, all without
    dates."""
    texts = read_texts(source, data)
    labelled = dict.fromkeys(label.document for label in labels if label.source == source)
    left = FILLER_CHARACTERS
    for document in (*labelled, *(other for other in texts if other not in labelled)):
        if document not in labelled:
            if left <= 0:
                return
            left -= sum(map(len, texts[document].values()))
        for key, text in texts[document].items():
            yield Message(f"{document}/{key}", "user", text, ENDS_AT, "user", document)


def _dated(messages: Sequence[Message]) -> list[Message]:
    """The messages with dates spread over a year."""
    step = YEAR / max(1, len(messages))
    return [
        Message(each.id, each.speaker, each.text, ENDS_AT - YEAR + number * step, each.role, each.thread)
        for number, each in enumerate(messages)
    ]


def _questions(labels: Sequence[Label], messages: Sequence[Message]) -> list[Question]:
    """Written questions. Their evidence is every message of the document that has all of the answer's spans."""
    questions = []
    for label in labels:
        if is_asked(label):
            parts = [span.text for span in label.spans]
            dialogue = [message for message in messages if message.thread == label.document]
            evidence = frozenset(message.id for message in dialogue if all(part in message.text for part in parts))
            questions.append(Question(label.question, " ".join(parts), evidence, repeated=True))
    return questions
