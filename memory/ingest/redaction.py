"""Redaction: what a bank's policy says is replaced in messages before anything of them is written.

Rules look at texts, at the arguments and results of tools, and at metadata. What they match becomes `[redacted: RULE]`,
so that it is in no page, index, embedding or backup. It cannot be restored.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import regex
from pydantic import JsonValue

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part, TextPart, ToolCall, ToolResult

SECRETS = Path(__file__).parent / "data" / "secrets.toml"
#: Most time that one of a policy's own patterns may take for one text.
PATTERN_S = 0.25
_DIGITS = regex.compile(r"\D")


@dataclass(frozen=True)
class _Form:
    """A form of text that a rule replaces."""

    #: shown in its place
    name: str
    pattern: "regex.Pattern[str]"
    #: texts of which one must occur in lower case for the pattern to be tried
    needed: Sequence[str] = ()
    #: whether a match is what it seems
    confirmed: Callable[[str], bool] = bool
    #: most time for a text, in seconds; None for our own patterns
    limit_s: float | None = None

    def replaced(self, text: str, lower: str, counts: Counter[str]) -> str:
        """Returns the text without matches, which are counted. Raises `InvalidInput` if it takes too long."""
        if self.needed and not any(needed in lower for needed in self.needed):
            return text

        def replacement(match: "regex.Match[str]") -> str:
            group = "secret" if "secret" in self.pattern.groupindex else 0
            found = match[group]
            if not self.confirmed(found):
                return str(match[0])
            counts[self.name] += 1
            start, stop = (at - match.start() for at in match.span(group))
            return f"{match[0][:start]}[redacted: {self.name}]{match[0][stop:]}"

        try:
            return self.pattern.sub(replacement, text, timeout=self.limit_s)
        except TimeoutError as error:
            raise InvalidInput(
                f"the pattern '{self.name}' of the bank's policy takes longer than {PATTERN_S:g} s for this message; "
                "simplify it"
            ) from error


@dataclass(frozen=True)
class Redaction:
    """The rules of a bank."""

    rules: tuple[str, ...] = ()
    #: name of a rule of the bank's own → its pattern
    patterns: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> "Redaction":
        """Returns the rules of a policy as stored."""
        patterns = policy.get("redact_patterns") or {}
        return cls(tuple(policy.get("redact") or ()), tuple(sorted(patterns.items())))

    def __bool__(self) -> bool:
        return bool(self.rules or self.patterns)

    @cached_property
    def _forms(self) -> list[_Form]:
        """The forms to replace, those of text between tags first and those that are most specific before others."""
        forms = [form for rule, made in _RULES.items() if rule in self.rules for form in made()]
        own = [_Form(name, regex.compile(pattern), limit_s=PATTERN_S) for name, pattern in self.patterns]
        return [*own, *forms]

    def text(self, text: str, counts: Counter[str]) -> str:
        """Returns a text without what the rules match, which is counted by name. Raises `InvalidInput`."""
        lower = text.lower()
        for form in self._forms:
            text = form.replaced(text, lower, counts)
        return text

    def message(self, message: NewMessage, counts: Counter[str]) -> NewMessage:
        """Returns a message without what the rules match, which is counted by name. Raises `InvalidInput`."""
        changed: dict[str, Any] = {}
        if message.parts is not None:
            parts = tuple(self._part(part, counts) for part in message.parts)
            changed = {"content": parts, "tool_calls": (), "tool_call_id": None}
        elif message.content is not None:
            changed = {"content": self.text(str(message.content), counts)}
        if message.metadata:
            changed["metadata"] = self._json(message.metadata, counts)
        return message.model_copy(update=changed)

    def _part(self, part: Any, counts: Counter[str]) -> Part:
        if isinstance(part, TextPart):
            return part.model_copy(update={"text": self.text(part.text, counts)})
        if isinstance(part, ToolResult):
            return part.model_copy(update={"content": self.text(part.content, counts)})
        if isinstance(part, ImagePart):
            said = {name: said for name in ("url", "name", "alt") if (said := getattr(part, name)) is not None}
            changed = {name: self.text(text, counts) for name, text in said.items()}
            if part.url is not None:
                changed["url"] = changed["url"].replace(" ", "-")  # a URL has no blanks
            if part.machine_read is None:
                return part.model_copy(update=changed)
            read = part.machine_read.model_copy(update={"text": self.text(part.machine_read.text, counts)})
            return part.model_copy(update={**changed, "machine_read": read})
        assert isinstance(part, ToolCall)
        return part.model_copy(update={"arguments": self._json(part.arguments, counts)})

    def _json(self, value: JsonValue, counts: Counter[str]) -> JsonValue:
        if isinstance(value, str):
            return self.text(value, counts)
        if isinstance(value, list):
            return [self._json(each, counts) for each in value]
        if isinstance(value, dict):
            return {key: self._named(key, each, counts) for key, each in value.items()}
        return value

    def _named(self, key: str, value: JsonValue, counts: Counter[str]) -> JsonValue:
        """Returns a value of an object. Its key may say that it is a secret: `{"password": "…"}`."""
        if not isinstance(value, str) or "secrets" not in self.rules:
            return self._json(value, counts)
        text = self.text(value, counts)
        if text != value or any(quote in value for quote in "\"'`"):
            return text
        line = f'{key}: "{value}"'
        found = self.text(line, counts)
        return value if found == line else found.removeprefix(f'{key}: "').removesuffix('"')


@cache
def _secrets() -> list[_Form]:
    forms = []
    for name, fields in tomllib.loads(SECRETS.read_text(encoding="utf-8")).items():
        needed = fields.get("with", "").split("|") if fields.get("with") else ()
        confirmed = _is_mixed if fields.get("mixed") else bool
        forms.append(_Form(name.replace("-", " "), regex.compile(fields["pattern"]), needed, confirmed))
    return forms


def _is_mixed(value: str) -> bool:
    """True if a value looks made by a machine or to be hard to guess, and not like a name, a path or a placeholder."""
    kinds = sum(bool(regex.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]"))
    plain = regex.fullmatch(r"[\w.-]*(?:\(.*\)|\[.*\])?;?|[./~\\].*|.*(?:\$\{|\{\{|<).*|(.)\1*", value)
    digits = sum(character.isdigit() for character in value)
    if plain and not (digits >= 3 and kinds >= 2 and not regex.fullmatch(r"[a-z_.-]*\d{0,4}", value)):
        return False
    return kinds >= 2 and len(set(value)) >= 5


def _private() -> list[_Form]:
    pattern = regex.compile(r"<private>[\s\S]*?(?:</private>|\z)", regex.IGNORECASE)
    return [_Form("private", pattern, ("<private>",))]


def _email() -> list[_Form]:
    pattern = regex.compile(r"(?<![\w.+/-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
    return [_Form("email", pattern, ("@",))]


def _card() -> list[_Form]:
    pattern = regex.compile(r"(?<![\d.-])[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\d-])")
    return [_Form("card", pattern, (), _is_card)]


def _is_card(number: str) -> bool:
    """True if a number has the length of a card's and its checksum (ISO/IEC 7812)."""
    digits = [int(digit) for digit in _DIGITS.sub("", number)]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _phone() -> list[_Form]:
    pattern = regex.compile(
        r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
        r"|\(\d{3}\)[ -]?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}|0\d{1,3}[ /-]\d{3,4}[ -]\d{3,4})(?![\w-])"
    )
    return [_Form("phone", pattern)]


#: Rule → its forms. A text is searched by one after the other.
_RULES: dict[str, Callable[[], list[_Form]]] = {
    "private": _private,
    "secrets": _secrets,
    "card": _card,
    "email": _email,
    "phone": _phone,
}
