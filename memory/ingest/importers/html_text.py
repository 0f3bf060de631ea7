"""Text of HTML, for formats whose messages are HTML, in time proportional to its length."""

import re
from html import unescape

_HIDDEN = ("script", "style", "head", "title", "template")
_BLOCKS = (
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li"),
    *("main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"),
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
#: Texts, tags and comments, as browsers divide a document: a tag ends at the first “>” outside the quotation marks of a
#: value, or with the document. The quantifiers are possessive, so that no character is read twice.
_TOKEN = re.compile(
    r"(?P<text>[^<]++|<(?![a-zA-Z/!?]))"
    r"|<!--(?P<comment>(?:[^-]++|-(?!->))*+)(?:-->|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)(?:[^>\"'=]++|=\s*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))?|[\"'])*+(?:>|\Z)"
    r"|<[/!?][^>]*+(?:>|\Z)"
)
#: Elements whose contents are no HTML: they end with their end tag alone.
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])[^>]*+(?:>|\Z)|\Z", re.IGNORECASE) for name in ("script", "style")}


def text_of(html: str) -> str:
    """Returns the text of a piece of HTML: a line for each block, without scripts and styles."""
    reader = _Reader()
    place = 0
    while match := _TOKEN.match(html, place):
        place = match.end()
        if match["text"]:
            reader.add_text(match["text"])
        elif match["name"]:
            name = match["name"].lower()
            if match["end"]:
                reader.end(name)
            else:
                reader.start(name)
                if name in _RAW:
                    end = _RAW[name].search(html, place)
                    place = end.end() if end else len(html)
                    reader.end(name)
    lines = ("".join(line).strip() for line in reader.lines)
    return "\n".join(line for line in lines if line)


class _Reader:
    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self._hidden = 0
        self._kept = 0  # depth of elements whose line breaks count

    def start(self, tag: str) -> None:
        self._hidden = 0 if tag == "body" else self._hidden + (tag in _HIDDEN)
        self._kept += tag == "pre"
        if tag in _BLOCKS:
            self.lines.append(["- "] if tag == "li" else [])
        elif tag in ("td", "th") and self.lines[-1]:
            self.lines[-1].append(" ")

    def end(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        self._kept = max(0, self._kept - (tag == "pre"))
        if tag in _BLOCKS:
            self.lines.append([])

    def add_text(self, data: str) -> None:
        if self._hidden:
            return
        data = unescape(data)
        if self._kept:
            first, *others = data.split("\n")
            self.lines[-1].append(first)
            self.lines.extend([other] for other in others)
        else:
            self.lines[-1].append(_SPACES.sub(" ", data))
