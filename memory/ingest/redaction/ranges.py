"""Ranges of values that begin, or end, at a place of a text."""

import regex

from .words import JOINED_SIGNS

#: What joins a word for a secret directly with its value.
SIGN = regex.compile(
    r"""(?x)
    [\\]?["'`*_\])]{0,3}+ \s{0,3}+
      (?:\([^()\n]{0,40}+\)|（[^（）\n]{0,40}+）)?+ [ ]{0,2}+
      (?:=>|:=|::|->|[:=：＝→⇒]|\\u003d|\?(?=\s)|？)(?!=) [*_]{0,3}+ \s{0,4}+
    | ["'`]\s?,\s{0,4}+(?=["'`])                                    # define('DB_PASSWORD', '…')
    | </key>\s{0,20}+<string>
    | [^<>\n]{0,40}+>\s{0,3}+(?=[^<\s])                              # <password>…
    | ["']\s{1,3}value\s?=\s?(?=["'])                                # <add key="password" value="…">
    | ["']?,?\s{1,40}+["']?value["']?\s?:\s?                           # - name: DB_PASSWORD⏎  value: …
    | ["']\s?\{\s{1,20}+default\s{0,8}+=\s?                            # variable "db_password" { default = …
    """
)
_CLOSED_BY = {
    '"': '"',
    "'": "'",
    "`": "`",
    "«": "»",
    "“": "”",
    "„": "“”",
    "「": "」",
    "『": "』",
    "‘": "’",
    "‚": "‘’",
    "»": "«",
    "【": "】",
    "”": "”",
}
_STRING_PREFIX = regex.compile(r"[rbuf@$]{1,2}(?=[\"'])")
_BARE = regex.compile(rf"""[^\s<>"'`,;|{JOINED_SIGNS}]{{1,256}}+""")
TO_BLANK = regex.compile(r"""[^\s<>"'`,;|]{1,256}+""")
_QUERY_END = regex.compile(r"[&#]")
#: What ends a value without quotes: a particle, the next field of a query, an escaped sign.
_BARE_END = regex.compile(rf"(?<=[A-Za-z0-9!#$%&*@])[{JOINED_SIGNS}]|&[\w.\[\]-]{{1,40}}+=|\\[nrt\"]")
_BREAK = regex.compile(rf"[\s\"'`“„«{JOINED_SIGNS}]")
_GROUPS = regex.compile(
    r"(?:\d{3}(?:[ \u00a0]\d{3}){1,4}+|\d{2}(?:[ \u00a0]\d{2}){1,4}+|\d{4}(?:[ \u00a0]\d{4}){1,4}+)"
    r"(?![\w.,:/-]{0,20}\d)"
    r"|\d{3}[ \u00a0]\d{3}(?!\d)"
)
Range = tuple[int, int]
_TEMPLATE = regex.compile(r"(?:\{\{-?|\$\{|\$\(\(|<%=?)\s{0,3}$")


def in_template(text: str, at: int) -> bool:
    """True if a placeholder begins directly before a place: `{{ db_password }}`."""
    return _TEMPLATE.search(text, max(0, at - 6), at) is not None


def quoted_at(text: str, at: int) -> Range | None:
    """Returns the range between quotes that begin at a place."""
    escaped = text.startswith('\\"', at)
    opening = text[at + escaped : at + escaped + 1]
    if opening not in _CLOSED_BY:
        prefix = _STRING_PREFIX.match(text, at)
        if prefix is None:
            return None
        at = prefix.end()
        opening = text[at]
    start = at + escaped + (3 if text.startswith(opening * 3, at) and opening in "\"'" else 1)
    for place in range(start, min(start + 200, len(text))):
        mark = text[place]
        if mark == "\n":
            return None
        if mark in _CLOSED_BY[opening]:
            if not escaped and text[place - 1] == "\\" and mark in "\"'":
                continue
            value = text[start : place - (escaped and text[place - 1] == "\\")]
            inner = value.strip()
            start += value.index(inner)
            return (start, start + len(inner)) if inner else None
    return None


def bare_at(text: str, at: int, *, query: bool = False, to_blank: bool = False) -> Range | None:
    """Returns the range of a value without quotes that begins at a place."""
    match = (TO_BLANK if to_blank else _BARE).match(text, at)
    if match is None:
        return None
    end = (_QUERY_END if query else _BARE_END).search(text, *match.span())
    value = text[at : end.start() if end is not None else match.end()]
    core = value.rstrip(".,:?…–—\\" + "*_" * value.startswith(("*", "_")))
    for closing, opening in (")(", "]["):
        while core.endswith(closing) and opening not in core:
            core = core[:-1].rstrip(".,:?")
    if core.endswith("}") and "{" not in core:
        core = core.rstrip("}")
    return (at, at + len(core)) if core else None


def bare_before(text: str, start: int, end: int) -> Range:
    """Returns the range of the value that ends at a place, and begins not before `start`."""
    end = start + len(text[start:end].rstrip(" ,\"'`”»」』)"))
    begin = end
    while begin > start and not _BREAK.match(text[begin - 1]):
        begin -= 1
    return end - len(text[begin:end].lstrip("(")), end


def grouped(text: str, value: Range) -> Range:
    """Returns the range of a number with the groups of digits that follow it."""
    groups = _GROUPS.match(text, value[0])
    return groups.span() if groups is not None else value
