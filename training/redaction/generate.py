"""Lines with secrets and lines without, made from `sentences.toml` and from settings of programs.

A line marks its secrets as ⟦…⟧. Nouns that name secrets and nouns that name other things stand in the same sentences,
so that what is learned is which words ask for a secret, and what a secret looks like.
"""

import string
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

SENTENCES = Path(__file__).with_name("sentences.toml")
_DATA = tomllib.loads(Path(__file__).with_name("settings.toml").read_text(encoding="utf-8"))
WORDS: list[str] = _DATA["words"]
SIGNS = "!#$%&*+?@_-.=^~"
ALNUM = string.ascii_letters + string.digits
#: Language → share of lines.
LANGUAGES = {"en": 0.28, "de": 0.14, "fr": 0.14, "es": 0.12, "zh": 0.1, "ja": 0.11, "ko": 0.11}


class Values:
    """Values that people and machines choose."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def some(self, characters: str, shortest: int, longest: int | None = None) -> str:
        """Returns so many of the characters."""
        return "".join(self.random.choices(characters, k=self.random.randint(shortest, longest or shortest)))

    def word(self) -> str:
        """Returns a word, perhaps with a capital."""
        word = self.random.choice(WORDS)
        return self.random.choice((word, word, word.capitalize(), word.capitalize(), word.upper()))

    def digits(self) -> str:
        """Returns a few digits, often a year."""
        year = str(self.random.randint(1950, 2029))
        return self.random.choice((year, self.some("0123456789", 1, 4), self.some("0123456789", 2)))

    def password(self) -> str:
        """Returns what a person chooses."""
        word, other, sign, digits = self.word(), self.word(), self.random.choice(SIGNS), self.digits()
        return self.random.choice(
            (
                f"{word}{digits}",
                f"{word}{sign}{digits}",
                f"{word}{digits}{self.random.choice('!#$*?')}",
                f"{word}{sign}{other}{digits}",
                f"{word}{self.random.choice('-_.')}{other}{self.random.choice('-_.')}{digits}",
                f"{word.capitalize()}{self.random.choice('!&$+*%')}{other.capitalize()}",
                f"{word}{digits}{other}",
                f"{digits}{word.capitalize()}{sign}",
                f"{word}{other}{digits}".lower(),
                word.translate(str.maketrans("aeios", "43105")) + sign + digits,
                self.some(ALNUM + "!#$%&*+?@_-", 8, 14),
                self.some(ALNUM, 3, 5) + self.random.choice("-_!#") + word.capitalize() + digits[:2],
                f"{word.lower()}-{other.lower()}-{self.random.choice(WORDS)}{self.random.choice(('', '-' + digits))}",
            )
        )

    def words(self) -> str:
        """Returns a word, or several that are joined."""
        several = [self.random.choice(WORDS) for _ in range(self.random.choice((1, 1, 1, 2, 2, 3)))]
        return self.random.choice("-_.- ").join(several) if self.random.random() < 0.9 else several[0].capitalize()

    def code(self) -> str:
        """Returns what is entered with keys."""
        four, two = self.some("0123456789", 4), self.some("0123456789", 2)
        six, eight = self.some("0123456789", 5, 6), self.some("0123456789", 8)
        letter = self.random.choice("ABCD")
        many = [four, four, four, four, six, six, six, eight, f"{four}#", f"#{four}", f"{four[:3]} {four[1:]}"]
        return self.random.choice(
            [*many, f"{letter}{four}", f"{four[:2]}-{two}-{four[2:]}", f"{four[:2]}{letter}{four[2:]}"]
        )

    def key(self) -> str:
        """Returns what a machine makes."""
        return self.random.choice(
            (
                self.some("0123456789abcdef", 16, 40),
                self.some(ALNUM, 16, 40),
                f"{self.some(string.ascii_lowercase, 2, 4)}{self.random.choice('_-')}{self.some(ALNUM, 12, 32)}",
                "-".join(
                    self.some(string.ascii_uppercase + string.digits, 4) for _ in range(self.random.randint(3, 5))
                ),
                self.some(ALNUM + "+/", 24, 44) + "=",
                "-".join(
                    self.some(string.ascii_lowercase + string.digits, 4, 5) for _ in range(self.random.randint(2, 4))
                ),
            )
        )

    def user(self) -> str:
        """Returns the name of a user."""
        word, other, letter = self.random.choice(WORDS), self.random.choice(WORDS), self.some(string.ascii_lowercase, 1)
        names = [word, f"{word}{self.some('0123456789', 1, 3)}", f"{letter}.{word}", f"{word}.{other}", "admin", "root"]
        return self.random.choice([*names, f"{letter}{word}", f"{word}@example.com", f"svc-{word}", f"{word}_{letter}"])

    def other(self) -> str:
        """Returns what is no secret."""
        template = self.random.choice(_DATA["others"])
        line: str = template.format(
            w=self.random.choice(WORDS),
            W=self.random.choice(WORDS).capitalize(),
            C=self.some(string.ascii_uppercase, 2),
            n=self.some("0123456789", 2, 4),
            m=self.some("0123456789", 1, 6),
            d=self.some("0123456789", 1),
            t=self.some("0123456789", 2),
            q=self.some("0123456789", 4),
            x=self.some("0123456789abcdef", 7),
            X=self.some("0123456789abcdef", 40),
            u=self.user(),
        )
        return line


def lines(number: int, seed: int = 0) -> Iterator[str]:
    """Yields so many lines; of settings a third, of sentences the rest."""
    random = Random(seed)
    values = Values(random)
    languages = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    for _ in range(number):
        if random.random() < 0.33:
            yield _settings(random, values)
        else:
            [language] = random.choices(list(LANGUAGES), list(LANGUAGES.values()))
            yield _sentences(languages[language], random, values)


def _settings(random: Random, values: Values) -> str:
    return "\n".join(_setting(random, values) for _ in range(random.choice((1, 1, 2, 4))))


def _setting(random: Random, values: Values) -> str:
    owner = random.choice(("", random.choice(_DATA["owners"]) + "_"))
    secret = random.random() < 0.4
    end = random.choice(_DATA["secret" if secret else "other"])
    machine = any(word in end for word in ("KEY", "TOKEN", "SECRET", "CREDENTIAL"))
    value = values.key() if machine and random.random() < 0.7 else values.code() if end == "PIN" else values.password()
    value = value.replace(" ", "")
    if random.random() < 0.3:
        value = values.words()
    if secret and random.random() < 0.25:
        secret, value = False, random.choice(_DATA["placeholders"])
    elif not secret:
        value = (
            random.choice((values.other, values.other, values.user, values.key))()
            if "HASH" not in end
            else values.key()
        )
    name = owner + end
    low = name.lower()
    camel = "".join(part.capitalize() for part in low.split("_"))
    text: str = random.choice(_DATA["formats"]).format(
        n=name,
        l=low,
        d=low.replace("_", "."),
        k=low.replace("_", "-"),
        c=random.choice((camel, camel[0].lower() + camel[1:])),
        v=f"⟦{value}⟧" if secret else value,
    )
    return text


def _sentences(pieces: Mapping[str, list[str]], random: Random, values: Values) -> str:
    kinds: tuple[tuple[float, Callable[[], str]], ...] = (
        (3, lambda: _given("password", "give", "things", values.password)),
        (2, lambda: _given("password", "give_password", "things", values.password)),
        (2, lambda: _given("code", "give", "doors", values.code)),
        (1.5, lambda: _given("code", "give_code", "doors", values.code)),
        (1, lambda: _given("key", "give", "things", values.key)),
        (4, lambda: _given("other", "give_other", "things", values.other, secret=False)),
        (3, lambda: _given(random.choice(("password", "code", "key")), "talk", "things", values.other, secret=False)),
        (3, lambda: _given("other", "plain", "things", values.other, secret=False)),
    )

    def _given(noun: str, frame: str, thing: str, make: Callable[[], str], *, secret: bool = True) -> str:
        mark = "⟦{}⟧" if secret else "{}"
        value = mark.format(make())
        if noun == "password" and secret and random.random() < 0.1:
            value = mark.format(values.code())
        noun = random.choice(pieces[noun])
        text = random.choice(pieces[frame])
        text = text.format(
            n=noun if random.random() < 0.8 else noun.lower(),
            t=random.choice(pieces[thing]),
            v=value,
            w=mark.format(make()),
            u=values.user(),
        )
        return text[0].upper() + text[1:] if random.random() < 0.4 else text

    def one() -> str:
        [(_, make)] = random.choices(kinds, [weight for weight, _ in kinds])
        return make()

    text = one()
    while random.random() < 0.35:
        text += random.choice((" ", "\n", ". ", ", ")) + one()
    return text
