"""Settings of an answer that a page shows: fields of its form, read from its address, with links that remove them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foxing.memory import InvalidInput

from .rendering import text_of, url

#: Begins the name of a setting of the second answer, where two are set side by side.
SECOND = "b_"


@dataclass(frozen=True)
class AnswerSetting:
    """A field of the form."""

    name: str
    kind: Literal["number", "date", "text", "choice"]
    #: Values of a choice.
    choices: tuple[str, ...] = ()
    #: Lowest value of a number.
    lowest: int = 1
    #: Value that is in effect where none is set.
    default: str = ""

    def value(self, text: str, label: str) -> Any:
        """Returns the value of a text of the form. `label`: name of the field, for the error. Raises `InvalidInput`."""
        if self.kind == "choice" and text not in self.choices:
            raise InvalidInput(f"'{text}' is not one of {', '.join(self.choices)}; correct the field “{label}”")
        if self.kind != "number":
            return text
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < self.lowest:
            raise InvalidInput(f"'{text}' is not a whole number from {self.lowest}; correct the field “{label}”")
        return int(text)


@dataclass(frozen=True)
class Chip:
    """A setting that is in effect, and the address of the page without it."""

    label: str
    value: str
    without: str
    is_second: bool


class AnswerSettings:
    """Settings of one answer, or of two side by side, as an address has them."""

    def __init__(self, settings: Sequence[AnswerSetting], query: Mapping[str, str], page: str, bank: str) -> None:
        """`page`: name of the page, also of its labels. `query`: parameters of its address."""
        self.settings = settings
        self.page = page
        self.bank = bank
        self.question = query.get("q", "").strip()
        names = [prefix + setting.name for prefix in ("", SECOND) for setting in settings]
        #: Name → text, without those that are empty.
        self.texts = {name: text for name in names if (text := query.get(name, "").strip())}

    @property
    def are_two(self) -> bool:
        """True if the second answer has a setting of its own."""
        return any(name.startswith(SECOND) for name in self.texts)

    def label(self, name: str) -> str:
        """Returns the label of a setting."""
        return text_of(f"{self.page}.{name}")

    def values(self, *, second: bool = False) -> dict[str, Any]:
        """Returns name → value. `second`: of the second answer, which has those of the first that it does not set
        itself. Raises `InvalidInput`."""
        values = {}
        for setting in self.settings:
            text = self.texts.get(setting.name, setting.default)
            if second:
                text = self.texts.get(SECOND + setting.name, text)
            if text:
                values[setting.name] = setting.value(text, self.label(setting.name))
        return values

    def differences(self, *, second: bool) -> list[tuple[str, str]]:
        """Returns label and value of the settings in which two answers differ, of one of them."""
        pairs = []
        for setting in self.settings:
            if (other := self.texts.get(SECOND + setting.name)) is not None:
                first = self.texts.get(setting.name, setting.default) or "–"
                pairs.append((self.label(setting.name), other if second else first))
        return pairs

    @property
    def chips(self) -> list[Chip]:
        """Settings that the address has."""
        chips = []
        for name, text in self.texts.items():
            is_second = name.startswith(SECOND)
            label = self.label(name.removeprefix(SECOND) if is_second else name)
            chips.append(Chip(label, text, self.link(**{name: ""}), is_second))
        return chips

    def link(self, **changes: str) -> str:
        """Returns the address of the page with some parameters changed; an empty one is removed."""
        return url(f"/banks/{{}}/{self.page}", self.bank, **({"q": self.question} | self.texts | changes))
