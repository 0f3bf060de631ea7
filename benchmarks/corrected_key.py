"""Corrected evidence of LoCoMo's questions.

LoCoMo's answer key has errors. An audit of the ten conversations (github.com/dial481/locomo-audit, CC BY-NC 4.0) lists
156 questions, of which it corrects the evidence or the answer. Only its evidence is used here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foxing.memory.errors import InvalidInput

from .locomo import Conversation, split_turns

SOURCE = "https://github.com/dial481/locomo-audit"
PUBLISHED = "published"
CORRECTED = "corrected"


@dataclass(frozen=True)
class CorrectedKey:
    """Corrected evidence, by question."""

    #: text of the question → evidence as published and as corrected, as turn ids; several conversations may have the
    #: same question
    corrections: Mapping[str, Sequence[tuple[frozenset[str], frozenset[str]]]]

    def applied(self, conversations: Sequence[Conversation]) -> list[Conversation]:
        """Returns the conversations with corrected evidence. A question whose corrected evidence is empty, or not in
        the conversation, is left out."""
        return [self._applied(conversation) for conversation in conversations]

    def _applied(self, conversation: Conversation) -> Conversation:
        questions = []
        for question in conversation.questions:
            sample = next(iter(question.evidence)).rpartition("/")[0]
            turns = {key.rpartition("/")[2] for key in question.evidence}
            evidence = question.evidence
            for cited, correct in self.corrections.get(question.text, ()):
                if turns <= cited:
                    evidence = frozenset(f"{sample}/{turn}" for turn in correct) & conversation.sessions.keys()
            if evidence:
                questions.append(replace(question, evidence=evidence))
        return replace(conversation, questions=questions)


def read_key(place: Path) -> CorrectedKey:
    """Reads the audit's `errors.json`, or the files `errors_conv_*.json` of a folder. Raises `InvalidInput`."""
    files = sorted(place.glob("errors_conv_*.json")) if place.is_dir() else [place]
    if not files:
        raise InvalidInput(f"{place} has no errors_conv_*.json; the corrected key is at {SOURCE}")
    corrections: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
    for file in files:
        try:
            for row in json.loads(file.read_text(encoding="utf-8")):
                corrections.setdefault(str(row["question"]), []).append(_correction(row))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{file.name} is not a corrected key of LoCoMo ({error}); it is at {SOURCE}") from error
    return CorrectedKey(corrections)


def _correction(row: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the evidence of a question as published and as corrected."""
    return frozenset(split_turns(row["cited_evidence"])), frozenset(split_turns(row["correct_evidence"]))
