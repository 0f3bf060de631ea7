"""Facts, negations, answers and questions that were labelled by reading; see `gold/README.md`.

The labels hold places and digests, not text. This module joins them with the data and stops where the data differ. It
imports nothing of the package, so that no rule of the package can influence what is expected of it.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("gold")
#: The source whose messages are named by session and turn (“D3:7”); in the others a message is named by its index.
LOCOMO = "locomo_dev"
DIGEST_CHARACTERS = 12  # hexadecimal digits of a SHA-256


class DataDifferError(Exception):
    """The data are not those that were labelled."""


@dataclass(frozen=True)
class Span:
    """A substring of a message."""

    #: Offsets in characters (code points) of the message.
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Passage:
    """Text that was read completely: what is not labelled in it is not a fact."""

    source: str
    document: str
    message: str
    span: Span

    @property
    def message_id(self) -> str:
        """The id that the importer of LoCoMo gives the message (“conv-26/D3:7”), and its like for other sources."""
        return f"{self.document}/{self.message}"


@dataclass(frozen=True)
class Label:
    """A fact, negation, answer or question that a reader found at a place in a message."""

    #: File of `eval` without its suffix, such as “en_irc”.
    source: str
    document: str
    message: str
    #: See `gold/README.md`.
    kind: str
    #: Parts in the order in which they were named; several where words that do not matter stand between them. Of a
    #: negation, the negating word.
    spans: tuple[Span, ...]
    #: Of a negation, the least that it negates; empty if it is rhetorical.
    scope: tuple[Span, ...] = ()
    #: A written question, or the message with the question that this message answers; else empty.
    question: str = ""

    @property
    def message_id(self) -> str:
        """The id that the importer of LoCoMo gives the message (“conv-26/D3:7”), and its like for other sources."""
        return f"{self.document}/{self.message}"


@dataclass(frozen=True)
class Group:
    """The labels of one file."""

    name: str
    labels: tuple[Label, ...]
    #: Passages whose labels are complete; empty where single places were labelled.
    passages: tuple[Passage, ...]


def group_names() -> list[str]:
    """Returns the names of the groups in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def read_group(name: str, data: Path) -> Group:
    """Returns a group joined with the data. `data`: the folder that has `eval`. Raises `DataDifferError` if a file is
    missing, or a message or a digest differs."""
    group = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    labels = [_label(label, label.get("source") or group["source"], data) for label in group["labels"]]
    passages = [_passage(passage, group["source"], data) for passage in group.get("passages", ())]
    return Group(name, tuple(labels), tuple(passages))


@cache
def read_texts(source: str, data: Path) -> Mapping[str, Mapping[str, str]]:
    """Returns the texts of a source: document → message → text. Captions of images in LoCoMo are not part of the text.
    `data`: the folder that has `eval`. Raises `DataDifferError` if the file is missing."""
    file = data / "eval" / (f"{source}.json.gz" if source == LOCOMO else f"{source}.jsonl.gz")
    try:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            if source == LOCOMO:
                return {sample["sample_id"]: _turns(sample["conversation"]) for sample in json.load(stream)}
            documents = [json.loads(line) for line in stream if line.strip()]
    except FileNotFoundError as error:
        raise DataDifferError(f"{file} is missing; the labels of {source} refer to it") from error
    return {
        document["id"]: {str(index): message["content"] for index, message in enumerate(document["messages"])}
        for document in documents
    }


def digest(text: str) -> str:
    """Returns the first digits of the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _turns(conversation: Mapping[str, Any]) -> dict[str, str]:
    sessions = (turns for key, turns in conversation.items() if key.startswith("session_") and isinstance(turns, list))
    return {turn["dia_id"]: turn["text"] for turns in sessions for turn in turns}


def _label(label: Mapping[str, Any], source: str, data: Path) -> Label:
    document, message = str(label["document"]), str(label["message"])
    text = _text(source, document, message, data)
    where = f"{source}, {document}, message {message}"
    parts = [label["word"]] if "word" in label else label["spans"]
    return Label(
        source=source,
        document=document,
        message=message,
        kind=label["kind"],
        spans=tuple(_span(part, text, where) for part in parts),
        scope=tuple(_span(part, text, where) for part in label.get("scope", ())),
        question=str(label.get("question", "")),
    )


def _passage(passage: Mapping[str, Any], source: str, data: Path) -> Passage:
    document, message = str(passage["document"]), str(passage["message"])
    text = _text(source, document, message, data)
    return Passage(source, document, message, _span(passage, text, f"{source}, {document}, message {message}"))


def _text(source: str, document: str, message: str, data: Path) -> str:
    try:
        return read_texts(source, data)[document][message]
    except KeyError as error:
        where = f"{source}, {document}, message {message}"
        raise DataDifferError(f"{where}: there is no such message; use the data that were labelled") from error


def _span(part: Mapping[str, Any], text: str, where: str) -> Span:
    found = text[part["start"] : part["end"]]
    if digest(found) != part["sha256"]:
        raise DataDifferError(
            f"{where}: {part['start']}–{part['end']} is not what was labelled; use the data that were labelled"
        )
    return Span(part["start"], part["end"], found)
