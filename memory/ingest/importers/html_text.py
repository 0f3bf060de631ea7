"""Text of HTML, for formats whose messages are HTML."""

import re
from html.parser import HTMLParser

_HIDDEN = ("script", "style", "head", "title", "template")
_BLOCKS = (
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li"),
    *("main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"),
)
_SPACES = re.compile(r"[ \t\r\n\f]+")


def text_of(html: str) -> str:
    """Returns the text of a piece of HTML: a line for each block, without scripts and styles."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = ("".join(line).strip() for line in reader.lines)
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[list[str]] = [[]]
        self._hidden = 0
        self._kept = 0  # depth of elements whose line breaks count

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = 0 if tag == "body" else self._hidden + (tag in _HIDDEN)
        self._kept += tag == "pre"
        if tag in _BLOCKS:
            self.lines.append(["- "] if tag == "li" else [])
        elif tag in ("td", "th") and self.lines[-1]:
            self.lines[-1].append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        self._kept = max(0, self._kept - (tag == "pre"))
        if tag in _BLOCKS:
            self.lines.append([])

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._kept:
            first, *others = data.split("\n")
            self.lines[-1].append(first)
            self.lines.extend([other] for other in others)
        else:
            self.lines[-1].append(_SPACES.sub(" ", data))
