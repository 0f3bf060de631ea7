"""Rules of languages: phrases that are facts, what a negation denies, and where clauses begin.

The rules are data, one TOML file for each language. A language without a file fades by sentence and word.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RULES_PATH = Path(__file__).parent / "data" / "rules"
#: Minimum words of a clause where the rules of a language do not say.
LEAST_WORDS = 3
_MACRO = re.compile(r"\{([A-Z]+)\}")


@dataclass(frozen=True)
class Rules:
    """Rules of one language."""

    #: Match phrases that are facts as a whole.
    facts: tuple[re.Pattern[str], ...]
    #: Matches words that negate.
    negation: re.Pattern[str]
    #: Whether a negation denies what precedes it, and what follows it, within its clause.
    denies_before: bool
    denies_after: bool
    #: Matches negations that deny nothing.
    rhetorical: re.Pattern[str]
    #: Matches between two clauses of a sentence.
    clause: re.Pattern[str]
    #: Minimum words of a clause; a shorter part is joined to the next one of its sentence.
    least_words: int
    #: Matches the beginning of greetings, thanks and compliments.
    aside: re.Pattern[str]
    #: Matches words of statements about oneself.
    statement: re.Pattern[str]
    #: Matches words of statements about the person addressed, other than advice.
    addressed: re.Pattern[str]
    #: Matches the end of a question.
    question: re.Pattern[str]
    #: Matches the beginning of an answer of one word.
    answer: re.Pattern[str]

    @property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """All patterns."""
        clauses = (self.clause, self.aside, self.statement, self.addressed, self.question, self.answer)
        return (*self.facts, self.negation, self.rhetorical, *clauses)


@cache
def rules_of(code: str) -> Rules | None:
    """Returns the rules of the language `code`; None if there are none."""
    path = RULES_PATH / f"{code}.toml"
    if not path.is_file():
        return None
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    macros = data["macros"]

    def compiled(pattern: str) -> re.Pattern[str]:
        while _MACRO.search(pattern):
            pattern = _MACRO.sub(lambda match: f"(?:{macros[match[1]]})", pattern)
        return re.compile(pattern, re.IGNORECASE)

    facts = data["facts"]
    negation = data["negation"]
    clauses = data["clauses"]
    return Rules(
        facts=tuple(compiled(pattern) for kind in ("times", "quantities", "names") for pattern in facts[kind]),
        negation=compiled(negation["words"]),
        denies_before=negation["direction"] in ("before", "both"),
        denies_after=negation["direction"] in ("after", "both"),
        rhetorical=compiled(negation["rhetorical"]),
        clause=compiled(clauses["begins"]),
        least_words=clauses.get("least", LEAST_WORDS),
        aside=compiled(clauses["asides"]),
        statement=compiled(clauses["statements"]),
        addressed=compiled(clauses["addressed"]),
        question=compiled(clauses["questions"]),
        answer=compiled(clauses["answers"]),
    )
