"""The work of every pattern that meets a user's text grows no faster than the text."""

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from support.regex.examples import beginnings
from support.regex.steps import TooManySteps, search_steps

import foxing.api
import foxing.memory
import foxing.renderer
from foxing.memory.ingest.redaction import numbers
from foxing.memory.ingest.redaction.forms import SECRETS, secret_patterns
from foxing.memory.ingest.redaction.labelled import labelled
from foxing.memory.ingest.redaction.nearby import nearby
from foxing.memory.ingest.redaction.scorer import scored
from foxing.memory.ingest.redaction.words import WORDS, words
from foxing.memory.text.facts import DATA as FACTS_PATH
from foxing.memory.text.facts import rules_of as facts_of
from foxing.renderer.fading.rules import RULES_PATH, rules_of

#: Characters of the shorter of two texts: longer than any bounded repetition of a pattern.
LENGTH = 130
#: The same for rules of redaction, which have longer repetitions.
RULE_LENGTH = 400
#: Steps for each character of a text, at most: a constant factor can freeze a process as well.
STEPS_PER_CHARACTER = 500
#: What long texts are made of: characters of each class that a pattern names, and what words and times are made of.
UNITS = (
    *"_aAf0 \n.:-/'@+,~$#(\"\\[{<=`“",
    *("가", "漢", "あ", "ア", "ก", "é", "\u0301", "й", "😀", "⋯", "△"),
    *("a.", "0,", "a-", "a/", "_a", "a@", "a:", "1 ", "a\n", "a0", "aA", ". ", "0-", "a_", "a ", "a://"),
    '\\"',
    *("march ", "the ", "of the ", "last ", "3주 "),
)
#: Their patterns are tried where a time expression of a query begins or ends, and are not searched for in long texts.
TRIED_AT_A_PLACE = ("foxing.memory.text.times.evidence", "foxing.memory.text.times.window")


def modules() -> Iterator[ModuleType]:
    for room in (foxing.memory, foxing.renderer, foxing.api):
        for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if not found.name.startswith(("foxing.api.cli", "foxing.api.demo", *TRIED_AT_A_PLACE)):
                yield importlib.import_module(found.name)


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        pattern = value.pattern
        yield value if isinstance(pattern, str) else re.compile(pattern.decode("latin-1"), value.flags | re.ASCII)
    elif isinstance(value, tuple):
        for item in value:
            yield from patterns_in(item)


def all_patterns() -> dict[str, re.Pattern[str]]:
    """The patterns of the package, by where they are defined."""
    found: dict[re.Pattern[str], str] = {}
    for module in modules():
        for name, value in vars(module).items():
            for number, pattern in enumerate(patterns_in(value)):
                place = f"{module.__name__}.{name}"
                found.setdefault(pattern, f"{place}[{number}]" if isinstance(value, tuple) else place)
    for code in sorted(file.stem for file in RULES_PATH.glob("*.toml")):
        rules = rules_of(code)
        assert rules is not None
        found |= {pattern: f"rules/{code}[{number}]" for number, pattern in enumerate(rules.patterns)}
    for code in sorted(file.stem for file in FACTS_PATH.glob("*.toml")):
        facts = facts_of(code)
        assert facts is not None
        found |= {pattern: f"facts/{code}[{number}]" for number, pattern in enumerate(facts.patterns)}
    return {place: pattern for pattern, place in found.items()}


PATTERNS = all_patterns()


@pytest.fixture(autouse=True)
def deep_recursion() -> Iterator[None]:
    """The matcher calls itself for every character of a repeated group."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(limit)


def grows_with_text(pattern: re.Pattern[str], unit: str, end: str, shorter: int = LENGTH) -> bool:
    """Whether a text of `unit` that is twice as long takes at most about twice the steps. One that takes fewer than
    half of the steps of going through the rest of the text from each unit is not made longer."""
    steps: list[int] = []
    for length in (shorter, 2 * shorter):
        if steps and steps[0] < shorter * shorter / (4 * len(unit)):
            return True
        text = (unit * length)[:length] + end
        try:
            steps.append(search_steps(pattern, text, STEPS_PER_CHARACTER * len(text)))
        except TooManySteps:
            return False
    return steps[1] <= 2.3 * steps[0] + 200


@pytest.mark.slow
@pytest.mark.parametrize("place", PATTERNS)
def test_twice_the_text_takes_twice_the_steps(place: str) -> None:
    slow = [unit + end for unit in UNITS for end in ("", "é") if not grows_with_text(PATTERNS[place], unit, end)]
    assert slow == []


@given(
    place=st.sampled_from(sorted(PATTERNS)),
    unit=st.lists(st.sampled_from(UNITS), min_size=2, max_size=4).map("".join),
    end=st.sampled_from(["", "!", "a", "0", "é", "\n"]),
)
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_so_do_texts_of_several_classes(place: str, unit: str, end: str) -> None:
    assert grows_with_text(PATTERNS[place], unit, end)


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        (r"_*[a-z]+", "_"),
        (r"\S+://", "a"),
        (r"(?:a+)+b", "a"),
        (r"\s+$", " "),
        (r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}", "eyJ-"),
    ],
)
def test_the_matcher_finds_what_grows_faster(pattern: str, unit: str) -> None:
    assert not grows_with_text(re.compile(pattern), unit, "!")


def searched_by_redaction() -> dict[str, re.Pattern[str]]:
    """The patterns that redaction searches texts with, by name. They are written for `re`, which has a parse tree."""
    found = {name: re.compile(pattern) for name, pattern in secret_patterns().items()}
    for name, value in vars(numbers).items():
        if isinstance(value, regex.Pattern):
            found[f"numbers.{name}"] = re.compile(value.pattern)
    for first, pattern in words().labels.items():
        found[f"words.{first}"] = re.compile(pattern.pattern)
    return found


SEARCHED = searched_by_redaction()


def adversarial(pattern: str) -> list[str]:
    """Units of texts that a pattern almost matches, alone and with what lets it begin again."""
    units = beginnings(pattern)
    return [*units, *(f"{unit}-" for unit in units), *(unit + more for unit in units[-3:] for more in ". a")]


def test_the_texts_made_from_a_rule_show_one_that_grows_faster() -> None:
    """The rule for JSON web tokens took 46 s for 100,000 characters."""
    before = r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    slow = [unit for unit in adversarial(before) if not grows_with_text(re.compile(before), unit, "", RULE_LENGTH)]
    assert slow != []


def test_every_data_file_with_patterns_is_tested() -> None:
    rooms = [Path(room.__path__[0]) for room in (foxing.memory, foxing.renderer, foxing.api)]
    files = {path.resolve() for room in rooms for path in room.rglob("*.toml")}
    tested = {
        path.resolve()
        for path in (SECRETS, *WORDS.glob("*.toml"), *RULES_PATH.glob("*.toml"), *FACTS_PATH.glob("*.toml"))
    }
    without = {
        path for path in files if path.parent.name == "statements" or path.stem in ("strings", "profiles", "planted")
    }
    assert sorted(path.name for path in files - tested - without) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHED)
def test_rules_of_redaction_take_twice_the_steps_for_twice_the_text(name: str) -> None:
    pattern = SEARCHED[name]
    slow = [unit for unit in adversarial(pattern.pattern) if not grows_with_text(pattern, unit, "", RULE_LENGTH)]
    assert slow == []


def calls_of(text: str) -> int:
    """Calls, of Python and of C, to look for secrets beside words, and by what is said around values."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        list(labelled(text, text.lower(), [], lambda: None, 0))
        list(nearby(text, text.lower(), lambda: None, 0))
        list(scored(text, [], [], lambda: None, 0))
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "unit",
    [
        "password ", "pw:", "pw: a1! ", "the password for the key of the code is ", "token=", "token=a&",
        "login a / b ", "codes: ", "recovery codes 1234 ", "비밀번호는 ", "パスワードは", "Cookie: a=b; ",
        "Authorization: Bearer ",
        "type a1b2c9 ", "wifi. ", "gate 4471 ", "five ", "left 12 ", "A2B3 ", "x-y-", "“a b c d” ",
        "secret: '", "pin [", "seed phrase abandon ",
        "-", "a@", "_a", "a://", "&#x", "/usr/lib", "2026-03-02 ", "密码a1b2c9",
        "so it is ", "passphrase of blue ", "codeword 가", "key safe 12-", "<password>", "x is the password ",
    ],
)  # fmt: skip
def test_words_for_secrets_take_twice_the_calls_for_twice_the_text(unit: str) -> None:
    calls_of(unit)  # reads the words
    first, second = (calls_of(unit * number) for number in (80, 160))
    assert second <= 2.2 * first + 200
    assert second <= 60 * len(unit * 160)
