"""LoCoMo's evidence as published, and as corrected by an audit.

LoCoMo's answer key has errors. An audit of its ten conversations (github.com/dial481/locomo-audit, CC BY-NC 4.0) lists
156 questions with wrong evidence or a wrong answer. Only the evidence is used here. A file of LoCoMo may have either
key; questions that the audit does not list have the same evidence in both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from foxing.memory.errors import InvalidInput

from .locomo import Conversation, Question, split_turns

SOURCE = "https://github.com/dial481/locomo-audit"
PUBLISHED, CORRECTED = "published", "corrected"
#: The key of a file that was not compared with the audit.
UNKNOWN = "of the file"


class Correction(NamedTuple):
    """Evidence of a question, as turn ids."""

    published: frozenset[str]
    corrected: frozenset[str]


@dataclass(frozen=True)
class KeyAudit:
    """Evidence that the audit corrects."""

    #: text of the question → its corrections; several conversations may have the same question
    corrections: Mapping[str, Sequence[Correction]]

    def key_of(self, conversations: Sequence[Conversation]) -> str:
        """Returns the key that most of the listed questions have: `PUBLISHED` or `CORRECTED`; `UNKNOWN` without any of
        them."""
        corrected = [
            _has(question, found.corrected)
            for conversation in conversations
            for question in conversation.questions
            for found in [self._correction(question)]
            if found is not None and found.published != found.corrected
        ]
        if not corrected:
            return UNKNOWN
        return CORRECTED if 2 * sum(corrected) > len(corrected) else PUBLISHED

    def with_key(self, conversations: Sequence[Conversation], key: str) -> list[Conversation]:
        """Returns the conversations with the evidence of `key`. A question without evidence in the conversation is left
        out."""
        return [
            replace(
                conversation,
                questions=[
                    replace(question, evidence=evidence)
                    for question in conversation.questions
                    if (evidence := self._evidence(question, key) & conversation.sessions.keys())
                ],
            )
            for conversation in conversations
        ]

    def _evidence(self, question: Question, key: str) -> frozenset[str]:
        found = self._correction(question)
        if found is None:
            return question.evidence
        sample = next(iter(question.evidence)).rpartition("/")[0]
        return frozenset(f"{sample}/{turn}" for turn in (found.corrected if key == CORRECTED else found.published))

    def _correction(self, question: Question) -> Correction | None:
        listed = self.corrections.get(question.text, ())
        return next((found for found in listed if _has(question, found.published | found.corrected)), None)


def _has(question: Question, turns: frozenset[str]) -> bool:
    """Returns whether the evidence of a question is among these turns; those that do not exist are left out of it."""
    return {key.rpartition("/")[2] for key in question.evidence} <= turns


def read_audit(place: Path) -> KeyAudit:
    """Reads the audit's `errors.json`, or the files `errors_conv_*.json` of a folder. Raises `InvalidInput`."""
    files = sorted(place.glob("errors_conv_*.json")) if place.is_dir() else [place]
    if not files:
        raise InvalidInput(f"{place} has no errors_conv_*.json; the audit is at {SOURCE}")
    corrections: dict[str, list[Correction]] = {}
    for file in files:
        try:
            for row in json.loads(file.read_text(encoding="utf-8")):
                corrections.setdefault(str(row["question"]), []).append(_correction(row))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{file.name} is not a file of the audit of LoCoMo ({error}); see {SOURCE}") from error
    return KeyAudit(corrections)


def _correction(row: Mapping[str, Any]) -> Correction:
    published, corrected = (frozenset(split_turns(row[name])) for name in ("cited_evidence", "correct_evidence"))
    return Correction(published, corrected)
