"""Secrets that are parts of something longer: a header, cookies, a list of codes, the words of a wallet, a user with a
password."""

from collections.abc import Iterator

import regex

from .acceptance import has_saying, is_name
from .labels import Label
from .ranges import SIGN, TO_BLANK, Range
from .values import YEAR, Shape, shape_of
from .words import JOINED_SIGNS, SCRIPTS, Cue, Words

_SCHEME = regex.compile(
    r"(?i)(?:bearer|basic|token|digest|apikey|negotiate|key|jwt|oauth|ssws|bot|aws4-hmac-sha256)[ :=]\s?"
)
_COOKIE = regex.compile(r"[;,]?\s?(?P<key>[\w.%-]{1,80}+)=(?P<value>[^\s;,\"']{1,4096}+)")
_SESSION = regex.compile(r"(?i)sess|sid|token|auth|csrf|remember|jwt|login")
_CODE = regex.compile(
    r"(?<![\w-])[A-Za-z0-9]{4,12}(?:-[A-Za-z0-9]{3,12}){0,5}+(?![\w-])|(?<![\w-])\d{3,6}(?:[ -]\d{3,6}){0,4}+(?![\w-])"
)
_BETWEEN_CODES = regex.compile(r"(?:[\s,;、/・•*|·\-]|\(?\d{1,2}[.):]\s|und|and|et|と|와|및|,){0,12}+")
_NUMBERED = regex.compile(r"\d{1,2}[.)]")
_SENTENCE_END = regex.compile(r"[.!?]\s|。(?!\n|.?$)")
_TELLS_YEAR = regex.compile(r"[:：\n、]|は|은|는")
_TELLS = regex.compile(r"[:：\n]|は|が|은|는|\bis\b|\bare\b|sind|lauten|ist|sont|est|voici")
_PAIR = regex.compile(
    rf"(?P<user>[^\s/|:,;=\"'{JOINED_SIGNS}]{{2,64}})(?:\s?[/|:,／・]\s?"
    r"|,?\s(?:(?:und |and |et )?(?:then|followed by|dann|danach|ensuite|puis))\s|\s(?:with|mit|avec|und|and|et|/)\s"
    rf"|(?:で、?|이?고 )(?:その後|次に|そのあと|그다음|그 다음)(?:は|에|은)?、? ?)"
    rf"(?P<secret>[^\s<>\"'|,;{JOINED_SIGNS}]{{4,64}})"
)
#: Another code after one: “…, the phone's 2051”, “… und die fürs Tablet 6640”.
_FURTHER = regex.compile(
    r"(?:[,;]|,? (?:and|und|et))(?P<of>(?: [\p{L}'’-]{1,20}+){1,5}+) ?:? (?P<code>\d{3,8}|\d{2,3}(?: \d{2,3}){1,2}+)"
    r"(?=[,.;!)]|\s|$)"
)
_ARTICLE = regex.compile(r" (?:the|die|der|das|le|la|l['’]\p{L}+|celui|celle)(?: [\p{L}'’-]+){0,2}")
_PAIR_END = regex.compile(r"[.!?](?=\s|$)|\n\n")
#: Says that a password has several words, which follow.
WORDED = regex.compile(r"[^.:。!?\n]{1,30}?(?:words|wörtern?|mots|단어|単語)[^.:。!?\n]{0,16}+[.:。]")
_DELIMITERS = ";,\t|"
MOST_COLUMNS = 50
#: Kinds of words whose columns hold secrets.
_COLUMNS = frozenset({"password", "key", "code"})
#: Stands around the value of a cell.
_CELL = " \t\r\n\"'`*"
_PHRASE = regex.compile(
    r"(?P<secret>(?:(?:\d{1,2}[.)]\s?)?[a-zà-ÿ]{2,12}[ ,\n]{1,3}){7,23}+(?:\d{1,2}[.)]\s?)?[a-zà-ÿ]{2,12})"
)
#: Words of a phrase that follow a sign.
_LISTED = regex.compile(
    r"[:：。.]\s{0,2}(?P<secret>(?:[a-zà-ÿ]{2,12}[ ,、]{1,3}){3,23}+[a-zà-ÿ]{2,12}"
    rf"|[{SCRIPTS}]{{1,8}}+(?:[ 　][{SCRIPTS}]{{1,8}}+){{3,23}}+)(?=\s{{0,2}}(?:[.。…,\n(（–—]|$))"
)


def _after_sign(text: str, label: Label) -> int | None:
    """Returns where the value of a header begins."""
    sign = SIGN.match(text, label.stop)
    return None if sign is None else sign.end() + (text[sign.end() : sign.end() + 1] in ("'", '"', "`"))


def header_value(text: str, label: Label, lexicon: Words) -> Iterator[Range]:
    """Yields what `Authorization` says after its scheme."""
    at = _after_sign(text, label)
    if at is None:
        return
    scheme = _SCHEME.match(text, at)
    value = TO_BLANK.match(text, scheme.end() if scheme is not None else at)
    if value is None:
        return
    secret = value[0].rstrip(".,)}]\\")
    shape = shape_of(secret)
    is_credential = scheme is not None and shape is not Shape.PLACEHOLDER and len(secret) >= 8
    if shape >= Shape.STRONG or (is_credential and secret.lower() not in lexicon.plain):
        yield value.start(), value.start() + len(secret)


def cookies(text: str, label: Label) -> Iterator[Range]:
    """Yields the values of cookies that a machine has made."""
    at = _after_sign(text, label)
    while at is not None and (cookie := _COOKIE.match(text, at)) is not None:
        shape = shape_of(cookie["value"][:256])
        if shape is Shape.MACHINE or (shape is Shape.STRONG and _SESSION.search(cookie["key"])):
            yield cookie.span("value")
        at = cookie.end()


def codes(text: str, lower: str, label: Label, end: int, lexicon: Words) -> Iterator[Range]:
    """Yields the codes of a list. `end`: where the next word for a secret begins."""
    code = next(
        (
            match
            for match in _CODE.finditer(text, label.stop, min(end, label.stop + 160))
            if any(map(str.isdigit, match[0])) and _begins_codes(text, lower, match, label, lexicon)
        ),
        None,
    )
    while code is not None and (any(map(str.isdigit, code[0])) or "-" in code[0]):
        yield code.span()
        between = _BETWEEN_CODES.match(text, code.end())
        code = _CODE.match(text, between.end()) if between is not None else None


def _begins_codes(text: str, lower: str, match: "regex.Match[str]", label: Label, lexicon: Words) -> bool:
    between = lower[label.stop : match.start()]
    if _SENTENCE_END.search(_NUMBERED.sub(" ", between)) or _TELLS.search(between) is None:
        return False
    year = match[0].isdigit() and len(match[0]) == 4 and not _TELLS_YEAR.search(between)
    return not year and not (match[0].isdigit() and lexicon.counts(lower, match.end()))


def wallet_words(text: str, label: Label, lexicon: Words) -> Iterator[Range]:
    """Yields the words that open a wallet. After “seed” alone, none of them says anything."""
    seed = label.kind == "key"
    phrase = _PHRASE.search(text, label.stop, min(len(text), label.stop + 400))
    if not seed and (phrase is None or phrase.start() - label.stop > 60):
        phrase = _LISTED.search(text, label.stop, min(len(text), label.stop + 200))
    if phrase is None or phrase.start("secret") - label.stop > (8 if seed else 60):
        return
    if not seed or not has_saying(phrase["secret"], lexicon):
        yield phrase.span("secret")


def pair_password(text: str, label: Label, end: int) -> Iterator[Range]:
    """Yields the password of a user and a password. `end`: where the next word for a secret begins."""
    if text.startswith("/", label.stop):
        return  # a path
    stop = min(end, label.stop + 120)
    sentence = _PAIR_END.search(text, label.stop, stop)
    stop = sentence.start() if sentence is not None else stop
    for match in _PAIR.finditer(text, label.stop, stop, overlapped=True):
        value = match["secret"].rstrip(".,;:)]}")
        address = value.startswith("//") or ("@" in value and "/" in value) or match["user"] in ("http", "https")
        chosen = shape_of(value) >= Shape.STRONG or (value.isdigit() and len(value) >= 8)
        if chosen and not address and not is_name(value) and "=" not in value[1:-2]:
            yield match.start("secret"), match.start("secret") + len(value)
            return


def columns(text: str, lexicon: Words) -> Iterator[Range]:
    """Yields the cells of tables below a word for a secret: `device;user;password`."""
    delimiter = ""
    width = 0
    kinds = dict[int, str]()
    at = 0
    for line in text.splitlines(keepends=True):
        if delimiter and line.count(delimiter) == width:
            place = at
            for number, cell in enumerate(line.split(delimiter)):
                value = cell.strip(_CELL)
                if number in kinds and _is_cell(value, kinds[number]):
                    start = place + cell.index(value)
                    yield start, start + len(value)
                place += len(cell) + 1
        else:
            delimiter = max(_DELIMITERS, key=line.count)
            width = line.count(delimiter)
            cells = line.lower().split(delimiter) if 0 < width <= MOST_COLUMNS else []
            kinds = {
                number: kind
                for number, cell in enumerate(cells)
                if len(cell) <= 40 and (kind := lexicon.kind_of(cell.strip(_CELL))) in _COLUMNS
            }
            delimiter = delimiter if kinds else ""
        at += len(line)


def _is_cell(value: str, kind: str) -> bool:
    shape = shape_of(value) if value and " " not in value else Shape.PLACEHOLDER
    return shape >= Shape.STRONG or (shape is Shape.NUMBER and kind == "code" and len(value) >= 4)


def further_codes(text: str, lower: str, code: Range, lexicon: Words) -> Iterator[Range]:
    """Yields the codes of other things that follow a code without a word for it."""
    at = code[1]
    length = code[1] - code[0]
    while (match := _FURTHER.match(text, at)) is not None:
        cues = lexicon.cues.said(lower[slice(*match.span("of"))])
        same_form = _ARTICLE.fullmatch(lower, *match.span("of")) and len(match["code"]) == length
        thing = cues & (Cue.OPENED | Cue.THING) or (same_form and not YEAR.fullmatch(match["code"]))
        if not thing or cues & Cue.OTHER or lexicon.counts(lower, match.end()):
            return
        yield match.span("code")
        at = match.end()
