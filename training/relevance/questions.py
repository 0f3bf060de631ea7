"""Questions made by rule from dialogues, with the messages that answer them.

A question keeps some of the words of a message and drops or replaces the others; or it is a question of the dialogue,
answered by the message after it, and is left out of the bank. Each is also asked in a bank that does not answer it.
"""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage

#: Messages of a bank; most are large, as most memories are.
SIZES = (400, 250, 120, 400, 40, 250, 12, 4, 1)
#: Maximum number of questions to one bank that are made from a message, and that are questions of a dialogue. Most of
#: the latter make sense only in their dialogue.
QUESTIONS, ANSWERED = 30, 8
#: Shares of the words of a message that its questions keep, uniformly between these.
LEAST_KEPT, MOST_KEPT = 0.1, 0.7
FOREIGN = 0.5  # share of the questions that also have a word of another message
NAMED = 0.6  # share of the questions that name the speaker, if there is one
CHARS = (25, 600)  # of a message that a question is made from
LEAST_TERMS = 4  # of such a message
#: Messages with at least this share of the terms of the evidence are evidence too: dialogues repeat themselves.
SAME = 0.8
NAMES = ("Ruth", "Omar", "Lena", "Victor", "Priya", "Hugo", "Ines", "Tariq", "Wanda", "Felix", "Noor", "Bram")

_TEMPLATES = {
    "en": (
        "What did {name} say about {words}?",
        "When did {name} {words}?",
        "Why {words}?",
        "Who {words}?",
        "Did {name} mention {words}?",
        "{name}: {words}?",
        "How about {words}",
    ),
    "ko": ("{name} {words} 뭐라고 했지?", "{words} 언제였지?", "{words}에 대해 알려줘"),
    "ja": ("{name}は{words}について何と言っていましたか？", "{words}はいつでしたか？", "{words}"),
    "zh": ("{name}说过{words}什么？", "{words}是什么时候？", "{words}呢"),
}
_NO_NAME = {"en": "they", "ko": "", "ja": "", "zh": ""}
_UNSPACED = frozenset({"ja", "zh"})
_WORD = re.compile(r"[^\s,.;:!?()\[\]\"“”。、，！？]+")
_FIRST_PERSON = frozenset({"i", "i'm", "i've", "i'd", "i'll", "me", "my", "we", "our", "us", "mine", "you", "your"})
_ASKS = re.compile(r"[?？]\s*$")
_ADDRESSED = re.compile(r"(\S+?)\s*[,:]")


class Asked(NamedTuple):
    """A question to a bank."""

    text: str
    #: ids of the messages that answer it; empty if the bank does not answer it
    evidence: frozenset[str]


@dataclass(frozen=True)
class Bank:
    """Messages of one language, and the questions to them."""

    name: str
    source: str
    language: str
    messages: Sequence[NewMessage]
    questions: Sequence[Asked]


class Source(NamedTuple):
    """A file of dialogues that banks are made from."""

    name: str
    language: str
    #: number of rounds through `SIZES`
    rounds: int
    #: sources in whose banks its questions are asked too
    elsewhere: Sequence[str]


SOURCES = (
    Source("en_irc", "en", 2, ("en_irc", "en_sgd")),
    Source("en_sgd", "en", 1, ("en_irc", "en_tau_bench")),  # its own dialogues repeat each other
    Source("en_tau_bench", "en", 1, ("en_irc", "en_sgd")),
    Source("ja_real_persona_chat", "ja", 1, ("ja_real_persona_chat",)),
    Source("ko_songys", "ko", 1, ("ko_songys",)),
    Source("zh_kdconv", "zh", 1, ("zh_kdconv",)),
)


def make_banks(folder: Path, seed: int = 7) -> list[Bank]:
    """Returns the banks made from the files of `SOURCES` in `folder`; the same for the same seed."""
    chooser = random.Random(seed)
    banks = []
    for source in SOURCES:
        dialogues = list(_dialogues(folder / f"{source.name}.jsonl.gz"))
        chooser.shuffle(dialogues)
        rest = iter(dialogues)
        for number, size in enumerate(SIZES * source.rounds):
            messages = _messages(rest, size, chooser if number % 2 else None)
            banks.append(_bank(source, number, messages, size, chooser))
    return [_with_questions_of_others(bank, banks, chooser) for bank in banks]


def _dialogues(file: Path) -> Iterator[list[dict[str, Any]]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["messages"]


def _messages(dialogues: Iterator[list[dict[str, Any]]], size: int, chooser: random.Random | None) -> list[NewMessage]:
    """Returns at least `size` messages of whole dialogues. `chooser`: gives speakers without a name one."""
    pair = chooser.sample(NAMES, 2) if chooser is not None else (None, None)
    numbers = count()
    found: list[NewMessage] = []
    for thread, dialogue in enumerate(dialogues):
        for message in dialogue:
            content = message.get("content")
            if message["role"] not in ("user", "assistant") or not isinstance(content, str) or not content.strip():
                continue
            name = message.get("name") or pair[message["role"] == "assistant"]
            found.append(
                NewMessage(
                    id=str(next(numbers)), role=message["role"], name=name, content=content[:2000], thread=f"{thread}"
                )
            )
        if len(found) >= size:
            break
    return found


def _bank(source: Source, number: int, messages: list[NewMessage], size: int, chooser: random.Random) -> Bank:
    """Returns a bank of about `size` of the messages with the questions that it answers."""
    start = chooser.randrange(max(1, len(messages) - size + 1))
    messages = messages[start : start + size]
    asked: list[Asked] = []
    answered = list(_answered(messages, source.language))
    chooser.shuffle(answered)
    left_out = set()
    for question, answer in answered[: min(ANSWERED, size // 8)]:
        if answer.id not in left_out and not _is_evidence(question, asked):
            asked.append(Asked(question.text[:300], frozenset({str(answer.id)})))
            left_out.add(question.id)
    messages = [message for message in messages if message.id not in left_out]
    suitable = [m for m in messages if CHARS[0] <= _width(m.text) <= CHARS[1] and len(terms(m.text)) >= LEAST_TERMS]
    for message in chooser.sample(suitable, min(QUESTIONS, len(suitable))):
        asked.append(_statement_question(message, messages, source.language, chooser))
    return Bank(f"{source.name}-{number}", source.name, source.language, messages, asked)


def _answered(messages: Sequence[NewMessage], language: str) -> Iterator[tuple[NewMessage, NewMessage]]:
    """Yields questions of a dialogue with the message that answers each: the next one by another speaker, and where
    speakers are addressed by name, the next one that addresses the asker."""
    for number, message in enumerate(messages[:-1]):
        if not _ASKS.search(message.text) or len(query_terms(message.text)) < LEAST_TERMS:
            continue
        for later in messages[number + 1 : number + 12]:
            if later.thread != message.thread:
                break
            addressed = _ADDRESSED.match(later.text)
            if message.name in NAMES or message.name is None:
                if later.role != message.role:
                    yield message, later
                break
            if addressed and addressed[1] == message.name and len(terms(later.text)) >= LEAST_TERMS:
                yield message, later
                break


def _is_evidence(message: NewMessage, asked: Sequence[Asked]) -> bool:
    return any(message.id in question.evidence for question in asked)


def _statement_question(
    message: NewMessage, messages: Sequence[NewMessage], language: str, chooser: random.Random
) -> Asked:
    kept = chooser.uniform(LEAST_KEPT, MOST_KEPT)
    pieces = _pieces(message.text, language)
    wanted = max(min(2, len(pieces)), round(kept * min(len(pieces), 14)))
    start = chooser.randrange(max(1, len(pieces) - 14))
    near = list(range(start, min(len(pieces), start + 14)))
    places = sorted(chooser.sample(near, min(wanted, len(near))))
    words = [pieces[place] for place in places]
    if chooser.random() < FOREIGN:
        other = _pieces(chooser.choice(messages).text, language)
        words.insert(chooser.randrange(len(words) + 1), chooser.choice(other or words))
    name = message.name if message.name and chooser.random() < NAMED else _NO_NAME[language]
    joined = ("" if language in _UNSPACED else " ").join(words)
    text = chooser.choice(_TEMPLATES[language]).format(name=name, words=joined)
    own = terms(message.text).keys()
    same = {
        str(m.id) for m in messages if m.name == message.name and len(own & terms(m.text).keys()) >= SAME * len(own)
    }
    return Asked(" ".join(text.split()), frozenset({str(message.id), *same}))


def _pieces(text: str, language: str) -> list[str]:
    """Returns the words of a text, without those about the speaker; for scripts without spaces, runs of three
    characters."""
    words = [word for word in _WORD.findall(text) if word.casefold() not in _FIRST_PERSON]
    if language not in _UNSPACED:
        return words[:80]
    return [word[start : start + 3] for word in words for start in range(0, len(word), 3)][:80]


def _width(text: str) -> int:
    """Returns the length of a text, ideographs counted three times."""
    return sum(1 if character < "\u1100" else 3 for character in text)


def _with_questions_of_others(bank: Bank, banks: Sequence[Bank], chooser: random.Random) -> Bank:
    """Returns the bank with as many questions of other banks, which it does not answer."""
    by_name = {source.name: source for source in SOURCES}
    fits: Callable[[Bank], bool] = lambda other: bank.source in by_name[other.source].elsewhere  # noqa: E731
    others = [each for each in banks if each.name != bank.name and fits(each)]
    asked = [question for other in others for question in other.questions if question.evidence]
    wanted = min(len(asked), max(4, len(bank.questions)))
    return replace(
        bank, questions=[*bank.questions, *(Asked(q.text, frozenset()) for q in chooser.sample(asked, wanted))]
    )
