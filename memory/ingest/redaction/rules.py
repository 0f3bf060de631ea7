"""Redaction: what a bank's policy says is replaced in messages before anything of them is written.

Rules look at texts, at the arguments and results of tools, and at metadata. What they match becomes `[redacted: NAME]`,
so that it is in no page, index, embedding or backup. It cannot be restored.

Rules of the package take time in proportion to the text. All rules together have `TIME_S` for a message, and more for a
long one; a text that one of them has not decided by then is withheld: no secret of it is stored, and the message is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import JsonValue

from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part, TextPart, ToolCall, ToolResult
from foxing.renderer.marks import GAP_MARK

from .matches import RuleMatch, replaced, without_overlaps

if TYPE_CHECKING:
    from .forms import Form, Time

#: What stands after the name of a rule where a text was withheld.
WITHHELD = "not decided in time"
#: Rules for what gives access or money to whoever reads it.
SENSITIVE = ("secrets", "iban", "card")
_QUOTES = "\"'`"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Redaction:
    """The rules of a bank."""

    rules: tuple[str, ...] = ()
    #: name of a rule of the bank's own → its pattern
    patterns: tuple[tuple[str, str], ...] = field(default=())
    #: whether matches are counted by rule rather than by form
    by_rule: bool = False

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> "Redaction":
        """Returns the rules of a policy as stored."""
        patterns = policy.get("redact_patterns") or {}
        return cls(tuple(policy.get("redact") or ()), tuple(sorted(patterns.items())))

    def __bool__(self) -> bool:
        return bool(self.rules or self.patterns)

    @cached_property
    def _forms(self) -> "list[Form]":
        """The forms to replace. Those of the package are tried first: they take as long as a text is."""
        # their expressions take a third of a second to compile, which a bank without rules does not need
        import regex

        from .forms import RULES, pattern_form

        of_rules = [form for rule, make_forms in RULES.items() if rule in self.rules for form in make_forms()]
        own = [pattern_form(name, name, regex.compile(pattern), 1) for name, pattern in self.patterns]
        return [*of_rules, *own]

    def text(self, text: str, counts: Counter[str], time: "Time | None" = None) -> str:
        """Returns a text without what the rules match, which is counted by name. `time`: left for the message."""
        if not self:
            return text
        from . import forms

        time = time or forms.Time(forms.TIME_S)
        time.extend(len(text) * forms.TIME_PER_CHARACTER_S)
        subject = forms.Subject.of(text, time)
        matches = subject.matches
        for form in self._forms:
            try:
                matches += form.found(subject)
            except forms.Undecided:
                log.warning("redaction.withheld", rule=form.name, characters=len(text))
                matches = [RuleMatch(0, len(text), f"{form.name}, {WITHHELD}", form.name, 0)]
                break
        chosen = without_overlaps(matches)
        counts.update(match.rule if self.by_rule else match.name for match in chosen)
        return replaced(text, chosen)

    def message(self, message: NewMessage, counts: Counter[str]) -> NewMessage:
        """Returns a message without what the rules match, which is counted by name."""
        if not self:
            return message
        from .forms import TIME_S, Time

        time = Time(TIME_S)
        before = message
        if message.parts is not None:
            message = message.with_content(tuple(self._part(part, counts, time) for part in message.parts))
        elif message.content is not None:
            message = message.with_content(self.text(str(message.content), counts, time))
        if message.metadata:
            message = message.model_copy(update={"metadata": self._json(message.metadata, counts, time)})
        if before.gaps:
            message = message.model_copy(update={"gaps": _gaps_in(message.text, before)})
        return message

    def _part(self, part: Any, counts: Counter[str], time: "Time") -> Part:
        if isinstance(part, TextPart):
            return part.model_copy(update={"text": self.text(part.text, counts, time)})
        if isinstance(part, ToolResult):
            return part.model_copy(update={"content": self.text(part.content, counts, time)})
        if isinstance(part, ImagePart):
            texts = {name: text for name in ("url", "name", "alt") if (text := getattr(part, name)) is not None}
            changed = {name: self.text(text, counts, time) for name, text in texts.items()}
            if part.url is not None:
                changed["url"] = changed["url"].replace(" ", "-")  # a URL has no blanks
            if part.machine_read is None:
                return part.model_copy(update=changed)
            read = part.machine_read.model_copy(update={"text": self.text(part.machine_read.text, counts, time)})
            return part.model_copy(update={**changed, "machine_read": read})
        assert isinstance(part, ToolCall)
        return part.model_copy(update={"arguments": self._json(part.arguments, counts, time)})

    def _json(self, value: JsonValue, counts: Counter[str], time: "Time") -> JsonValue:
        if isinstance(value, str):
            return self.text(value, counts, time)
        if isinstance(value, list):
            return [self._json(item, counts, time) for item in value]
        if isinstance(value, dict):
            return {key: self._named(key, item, counts, time) for key, item in value.items()}
        return value

    def _named(self, key: str, value: JsonValue, counts: Counter[str], time: "Time") -> JsonValue:
        """Returns a value of an object. Its key may say that it is a secret: `{"password": "…"}`."""
        if not isinstance(value, str) or "secrets" not in self.rules:
            return self._json(value, counts, time)
        text = self.text(value, counts, time)
        quote = next((quote for quote in _QUOTES if quote not in value), None)
        if text != value or quote is None:
            return text
        before = f"{key}: {quote}"
        line = f"{before}{value}{quote}"
        result = self.text(line, counts, time)
        return result[len(before) : -1] if result.startswith(before) and result.endswith(quote) else value


def _gaps_in(text: str, before: NewMessage) -> tuple[int, ...]:
    """Returns the offsets of the gaps of a message in its text after redaction; none if a match had a mark in it."""
    marks = [place for place, character in enumerate(text) if character == GAP_MARK]
    marks_before = [place for place, character in enumerate(before.text) if character == GAP_MARK]
    gaps = set(before.gaps)
    if len(marks) != len(marks_before):
        return ()
    return tuple(place for place, earlier in zip(marks, marks_before, strict=True) if earlier in gaps)
