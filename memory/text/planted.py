"""Instructions to a model in texts that are data: forms are recognised by rules, see `data/planted.toml`.

A rule is tried only where a text has one of its literal words. Repetitions of the expressions are bounded, so that
they take time in proportion to the text, and of a long text the beginning and the end alone are read.
"""

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: Characters that are read at the beginning and at the end of a text.
READ_CHARS = 32_768
_BLANKS = re.compile(r"\s+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


class PlantedRule(NamedTuple):
    """A form of instructions."""

    name: str
    #: Literal words, one of which a text must have.
    words: re.Pattern[str]
    pattern: re.Pattern[str]


@cache
def _rules() -> tuple[PlantedRule, ...]:
    source = files("foxing.memory.text").joinpath("data", "planted.toml").read_text(encoding="utf-8")
    return tuple(
        PlantedRule(
            entry["name"], re.compile("|".join(map(re.escape, entry["words"]))), re.compile(entry["pattern"], re.S)
        )
        for entry in tomllib.loads(source)["rule"]
    )


def planted_form(text: str) -> str | None:
    """Returns the name of the first rule that recognises instructions to a model in a text; None if none does."""
    if len(text) > 2 * READ_CHARS:
        text = f"{text[:READ_CHARS]}\n{text[-READ_CHARS:]}"
    plain = unicodedata.normalize("NFKC", _BLANKS.sub(" ", _UNSEEN.sub("", text))).casefold()
    return next((rule.name for rule in _rules() if rule.words.search(plain) and rule.pattern.search(plain)), None)
