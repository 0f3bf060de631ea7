"""Synthetic training text that corpora lack: meaningless text, so that every character is read from its pixels in any
context, and records of agents (JSON, logs, paths, diffs, commands)."""

import json
import random
import string
import unicodedata
import uuid
from collections.abc import Callable, Sequence

import numpy as np

from foxing.encoder.bench.documents import entries
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, Charset
from foxing.renderer import DENSE_PAGE, Typesetter
from foxing.renderer.page import BLANK, Cells

from . import symbolic_text

HEX = "0123456789abcdef"
SIGNS = "{}[]()<>:;,.=+-*/\\|&%$#@!?'\"`~^_"
WORD_ENDINGS = (*(" ",) * 14, ", ", ". ", "! ", "? ", " – ", "… ", "\n", ": ", " (", ") ")
MIN_LETTERS = 20  # per script
EXTENSIONS = ("py", "json", "ts", "md", "txt", "log", "yaml", "toml", "rs", "go", "html", "cfg", "sh", "csv")


def alphabets(charset: Charset) -> list[str]:
    """Returns the letters of each script with at least `MIN_LETTERS` in the charset, without ideographs and Hangul."""
    scripts: dict[str, str] = {}
    for letter in filter(str.isalpha, charset.common + charset.rare + charset.wide + charset.rare_wide):
        name = unicodedata.name(letter, "")
        if not name.startswith(("CJK", "HANGUL SYL")):
            script = name.split(" ")[0]
            scripts[script] = scripts.get(script, "") + letter
    return [letters for letters in scripts.values() if len(letters) >= MIN_LETTERS]


def identifier(generator: random.Random) -> str:
    """Returns a UUID, hash, number, IP address, amount, date, time or token."""
    kind = generator.randrange(9)
    digits = "".join(generator.choices(string.digits, k=generator.randint(1, 16)))
    if kind == 0:
        return str(uuid.UUID(int=generator.getrandbits(128)))
    if kind == 1:
        return "".join(generator.choices(HEX, k=generator.choice((7, 8, 12, 16, 32, 40, 64))))
    if kind == 2:
        return ".".join(str(generator.randrange(256)) for _ in range(4))
    if kind == 3:
        return "".join(generator.choices(string.ascii_uppercase + string.digits, k=generator.randint(4, 12)))
    if kind == 4:
        return f"{generator.randrange(10_000)}.{generator.randrange(1000):03d}"
    if kind == 5:
        return f"20{generator.randrange(100):02d}-{generator.randrange(13):02d}-{generator.randrange(32):02d}"
    if kind == 6:
        return f"{generator.randrange(24):02d}:{generator.randrange(60):02d}:{generator.randrange(60):02d}"
    if kind == 7:
        return "".join(generator.choices(string.ascii_letters + string.digits + "-_", k=generator.randint(6, 44)))
    return digits


class SyntheticText:
    """Draws text of several kinds, one public method each, from one random generator."""

    def __init__(
        self,
        charset: Charset,
        words: Sequence[str],
        generator: random.Random,
        languages: Sequence[Sequence[str]] = (),
    ) -> None:
        """`words`: for names in records; `languages`: the words of each language, for chats."""
        self._charset = charset
        self._narrow = charset.distinct_narrow
        self._full = charset.wide + charset.rare_wide
        self._signs = charset.full_width_signs
        self._words = list(words) or ["word"]
        self._languages = [language for language in languages if language]
        self._alphabets = alphabets(charset)
        self._generator = generator
        self._setter = Typesetter(repertoire=charset.repertoire)

    def identifiers(self) -> str:
        """Identifiers, separated or not."""
        return self._generator.choice((" ", " ", ", ", "\n", "")).join(
            identifier(self._generator) for _ in range(self._generator.randint(4, 60))
        )

    def ascii(self) -> str:
        """ASCII signs, digits and letters, all pairs equally likely."""
        choices = self._generator.choices
        k = self._generator.randint(40, 400)
        if self._generator.random() < 0.5:
            return "".join(choices(self._charset.common[:95], k=k))
        return "".join(choices(string.ascii_letters + SIGNS * 2 + " ", k=k))

    def narrow(self) -> str:
        """Narrow characters."""
        return self._runs(self._narrow)

    def full_width(self) -> str:
        """Full-width characters other than Hangul."""
        return self._runs(self._full)

    def mixed(self) -> str:
        """Short runs of narrow and full-width characters between words. Two adjacent narrow signs take the place of a
        full-width one."""
        generator = self._generator
        kinds = (self._narrow, self._narrow, self._signs, self._signs, self._full)
        parts = []
        for _ in range(generator.randint(10, 60)):
            characters = generator.choice(kinds)
            if generator.random() < 0.3:
                start = generator.randrange(len(characters))
                characters = characters[start : start + 60]
            parts += ["".join(generator.choices(characters, k=generator.choice((1, 2, 2, 3, 5)))), self._word()]
        return generator.choice((" ", " ", "")).join(parts)

    def ideographs(self) -> str:
        """Rare full-width characters."""
        return "".join(self._generator.choices(self._charset.rare_wide, k=self._generator.randint(20, 300)))

    def hangul(self) -> str:
        """Hangul syllables."""
        points = range(HANGUL_FIRST, HANGUL_LAST + 1)
        return "".join(map(chr, self._generator.choices(points, k=self._generator.randint(20, 300))))

    def chat(self) -> str:
        """A message of random words of one language, or of invented words in the letters of a language or script."""
        generator = self._generator
        kind = generator.random()
        if self._languages and kind < 0.4:
            words = generator.choices(generator.choice(self._languages), k=generator.randint(1, 40))
        else:
            letters = generator.choice(symbolic_text.ALPHABETS) if kind < 0.8 else self._letters()
            words = [
                "".join(generator.choices(letters, k=min(14, 1 + int(generator.expovariate(0.22)))))
                for _ in range(generator.randint(1, 30))
            ]
        style = generator.random()
        if style < 0.15:
            words = [word.upper() for word in words]
        elif style < 0.6:
            words = [word.capitalize() if generator.random() < 0.2 else word.lower() for word in words]
        if generator.random() < 0.2:
            words.insert(generator.randint(0, len(words)), generator.choice(symbolic_text.EMOJI))
        message = "".join(word + generator.choice(WORD_ENDINGS) for word in words)
        cell_class = self._charset.cell_class
        return "".join(c for c in message if cell_class[ord(c)] >= 0 or c == "\n")

    def _letters(self) -> str:
        """As many letters of one script as a language has; with Latin ones, usually a–z too."""
        letters = self._generator.choice(self._alphabets)
        few = "".join(self._generator.sample(letters, min(len(letters), self._generator.randint(8, 60))))
        plain = few[0].isascii() or "LATIN" in unicodedata.name(few[0], "")
        return few[:10] + string.ascii_lowercase if plain and self._generator.random() < 0.8 else few

    def figure(self) -> str:
        """A folder tree, a box or a marked list."""
        draw = self._generator.choice(
            (symbolic_text.tree, symbolic_text.tree, symbolic_text.box, symbolic_text.marked, symbolic_text.marked)
        )
        return draw(self._generator, self._name if draw is symbolic_text.tree else self._word)

    def formula(self) -> str:
        """Formulas and amounts among words."""
        return symbolic_text.formula(self._generator, self._word)

    def record(self) -> str:
        """JSON, a log, paths, a diff, source code, a table or commands."""
        makers: list[Callable[[], str]] = [
            *(self._json, self._json, self._log, self._paths, self._diff, self._commands),
            *(self._source, self._source, self._table),
        ]
        return self._generator.choice(makers)()

    def cells(self, text: Callable[[], str], rows: int) -> Cells:
        """Returns rows filled with text from `text`, uint32 [rows, 160]."""
        parts: list[str] = []
        length = 0
        while length < rows * DENSE_PAGE.columns:
            parts.append(text())
            length += len(parts[-1])
        messages = [{"role": self._generator.choice(("user", "tool", "assistant")), "content": part} for part in parts]
        page = self._setter.page(entries([{"id": "r", "messages": messages}]))
        start = self._generator.randrange(max(1, page.rows_used - rows))
        cells = page.cells[start : start + rows]
        if cells.shape[0] < rows:
            cells = np.concatenate([cells, np.full((rows - cells.shape[0], cells.shape[1]), BLANK, dtype=np.uint32)])
        return cells

    def _runs(self, characters: str) -> str:
        """Runs of random characters; about half of the runs use a small part of `characters`, as real text does."""
        generator = self._generator
        start = generator.randrange(len(characters))
        near = characters[start : start + generator.randint(8, 80)]
        parts = [
            "".join(generator.choices(characters if generator.random() < 0.5 else near, k=generator.randint(1, 12)))
            for _ in range(generator.randint(5, 40))
        ]
        return generator.choice(("", " ", " ")).join(parts)

    def _word(self) -> str:
        return self._generator.choice(self._words)

    def _name(self) -> str:
        word = "_".join(self._word() for _ in range(self._generator.randint(1, 3)))
        style = self._generator.randrange(4)
        if style == 0:
            return "".join(part.title() for part in word.split("_"))
        if style == 1:
            return word.upper()
        return word

    def _value(self, depth: int) -> object:
        generator = self._generator
        kind = generator.randrange(8 if depth else 6)
        if kind < 2:
            return identifier(generator)
        if kind == 2:
            return " ".join(self._word() for _ in range(generator.randint(1, 9)))
        if kind == 3:
            return generator.randrange(10 ** generator.randint(1, 8))
        if kind == 4:
            return round(generator.uniform(-200, 5000), generator.randint(0, 6))
        if kind == 5:
            return generator.choice((True, False, None, "", [], 0))
        if kind == 6:
            return [self._value(depth - 1) for _ in range(generator.randint(0, 5))]
        return {self._name(): self._value(depth - 1) for _ in range(generator.randint(1, 5))}

    def _json(self) -> str:
        value = {self._name(): self._value(2) for _ in range(self._generator.randint(2, 9))}
        if self._generator.random() < 0.2:
            return repr(value)
        return json.dumps(value, indent=self._generator.choice((None, None, 2, 4)), ensure_ascii=False)

    def _path(self) -> str:
        generator = self._generator
        root = generator.choice(("/", "./", "~/", "../", "", "/usr/lib/", "/home/user/", "C:\\", "src/", "https://"))
        separator = "\\" if root.startswith("C") else "/"
        parts = [self._name() for _ in range(generator.randint(1, 6))]
        return root + separator.join(parts) + "." + generator.choice(EXTENSIONS)

    def _paths(self) -> str:
        sizes = self._generator.random() < 0.3
        lines = [self._path() for _ in range(self._generator.randint(3, 25))]
        if sizes:
            lines = [f"-rw-r--r-- 1 user user {self._generator.randrange(10**6):>8} {line}" for line in lines]
        return self._generator.choice(("\n", "\n", " ")).join(lines)

    def _log(self) -> str:
        generator = self._generator
        lines = []
        for _ in range(generator.randint(3, 20)):
            level = generator.choice(("INFO", "DEBUG", "WARNING", "ERROR", "error:", "[info]"))
            text = " ".join(self._word() for _ in range(generator.randint(2, 10)))
            end = generator.choice(("", f" ({identifier(generator)})", f" {self._name()}={identifier(generator)}"))
            stamp = f"2025-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d}T"
            clock = f"{generator.randrange(24):02d}:{generator.randrange(60):02d}:{generator.randrange(60):02d}"
            lines.append(f"{stamp}{clock}Z {level} {self._name()}: {text}{end}")
        return "\n".join(lines)

    def _diff(self) -> str:
        generator = self._generator
        path = self._path()
        first = generator.randrange(900)
        lines = [f"--- a/{path}", f"+++ b/{path}", f"@@ -{first},{generator.randrange(30)} +{first + 2},7 @@"]
        for _ in range(generator.randint(4, 20)):
            indent = " " * (4 * generator.randrange(4))
            call = f"{self._name()}.{self._word()}({self._name()}, {self._word()}={identifier(generator)!r})"
            body = generator.choice(
                (call, f"if {self._name()}[{generator.randrange(99)}] != {call}:", f"return {call}")
            )
            lines.append(generator.choice("+- ") + indent + body)
        return "\n".join(lines)

    def _source(self) -> str:
        """Source code, usually indented with tabs, as in Go, C and makefiles."""
        generator = self._generator
        indent = generator.choice(("\t", "\t", "\t", "    "))
        lines, depth = [], 0
        for _ in range(generator.randint(6, 40)):
            call = f"{self._name()}.{self._name()}({self._word()}, {identifier(generator)!r})"
            kind = generator.randrange(7)
            if kind < 2 and depth < 4:
                opening = generator.choice(
                    (f"func {self._name()}({self._word()} *{self._name()}) error {{", "if err {")
                )
                lines.append(indent * depth + opening)
                depth += 1
            elif kind == 2 and depth:
                depth -= 1
                lines.append(indent * depth + generator.choice(("}", "});")))
            elif kind == 3:
                lines.append(f"{indent * depth}// {' '.join(self._word() for _ in range(generator.randint(2, 9)))}")
            elif kind == 4:
                lines.append("")
            else:
                gap = generator.choice((" ", " ", indent))
                lines.append(f"{indent * depth}{self._name()}{gap}{generator.choice((':=', '=', '<', '=='))} {call};")
        return "\n".join(lines)

    def _table(self) -> str:
        """Rows of columns separated by tabs, bars or commas."""
        generator = self._generator
        between = generator.choice(("\t", "\t", " | ", ","))
        cells: list[Callable[[], str]] = [self._word, self._name, lambda: identifier(generator), lambda: "-"]
        kinds = [generator.choice(cells) for _ in range(generator.randint(2, 7))]
        return "\n".join(between.join(kind() for kind in kinds) for _ in range(generator.randint(3, 25)))

    def _commands(self) -> str:
        generator = self._generator
        lines = []
        for _ in range(generator.randint(3, 15)):
            options = [
                generator.choice((f"-{generator.choice(string.ascii_letters)}", f"--{self._word()}={self._word()}"))
                for _ in range(generator.randrange(4))
            ]
            tool = generator.choice(("git", "ls", "grep", "python -m", "pip install", "cat", "sed -n", "curl -s", "$"))
            lines.append(
                " ".join((tool, *options, generator.choice((self._path(), self._name(), f"'{self._word()}'"))))
            )
        return "\n".join(lines)
