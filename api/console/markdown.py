"""Remembered Markdown as HTML: no HTML of its own, no image that is loaded, links of the web alone."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from foxing.memory import RecalledMessage

from .words import SHOWN_CHARS, doubt_mark, gap_mark_of, marked_runs, plain_words, terms_pattern, visible

#: Characters of the private use area that stand for gaps, and for the beginnings and ends of doubtful runs, while
#: Markdown is read; those in the text are shown as unknown characters.
_GAP = "\ue000"
_END = "\ue001"
_BEGINS = "\ue002\ue003\ue004\ue005\ue006"
_OWN = {ord(mark): "\ufffd" for mark in _GAP + _END + _BEGINS}
_ERASED = {ord(mark): None for mark in _GAP + _END + _BEGINS}
_LINKS = ("http://", "https://", "mailto:")


def markdown(message: RecalledMessage, gap_mark: str, terms: Sequence[str] = (), stop: int = SHOWN_CHARS) -> Markup:
    """Returns the first `stop` characters of a message, which is Markdown, with gaps, doubtful runs and `terms`
    marked."""
    parts: list[str] = []
    at = 0
    text = message.text
    stop = min(stop, len(text))
    for begin, end, sure in marked_runs(message, gap_mark, 0, stop):
        parts.append(text[at:begin].translate(_OWN))
        if sure is None:
            parts.append(_GAP)
        else:
            mark = _BEGINS[min(4, int((1 - sure) * 5))]
            parts.append(f"{mark}{text[begin:end].translate(_OWN)}{_END}")
        at = end
    parts.append(text[at:stop].translate(_OWN))
    return _rendered("".join(parts), message, gap_mark, terms)


def markdown_text(text: str, terms: Sequence[str] = ()) -> Markup:
    """Returns a text, which is Markdown, in which nothing has faded."""
    return _rendered(text[:SHOWN_CHARS].translate(_OWN), None, "", terms)


def _rendered(text: str, message: RecalledMessage | None, gap_mark: str, terms: Sequence[str]) -> Markup:
    gap = Markup("") if message is None else gap_mark_of(message, gap_mark)
    env = {"gap": gap, "pattern": terms_pattern(terms)}
    return Markup(_parser().render(visible(text), env))  # each rule escapes


@cache
def _parser() -> MarkdownIt:
    """Returns a parser that reads HTML and images as text."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(["image", "html_block", "html_inline"])
    parser.validateLink = lambda address: address.lower().startswith(_LINKS)  # type: ignore[assignment,method-assign]
    for name in ("text", "code_inline", "code_block", "fence"):
        parser.add_render_rule(name, _RULES[name])
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    return parser


def _words(text: str, env: dict[str, Any], *, marked: bool = True) -> str:
    """Returns words, escaped, with what stands for gaps and doubtful runs. A run ends with its element."""
    pieces: list[str] = []
    is_open = False
    run = ""
    pattern = env["pattern"] if marked else None
    for char in (*text, ""):
        if char and char not in _OWN_MARKS:
            run += char
            continue
        pieces.append(str(plain_words(run, pattern)))
        run = ""
        if is_open:
            pieces.append("</span>")
            is_open = False
        if char == _GAP:
            pieces.append(str(env["gap"]))
        elif char and char in _BEGINS:
            pieces.append(doubt_mark(_BEGINS.index(char)))
            is_open = True
    return "".join(pieces)


_OWN_MARKS = frozenset(_GAP + _END + _BEGINS)


def _text(_: Any, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    return _words(tokens[number].content, env)


def _code(_: Any, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    return f"<code>{_words(tokens[number].content, env, marked=False)}</code>"


def _block(_: Any, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    token = tokens[number]
    language = token.info.translate(_ERASED).split(" ")[0][:30]
    label = f'<figcaption dir="auto">{escape(language)}</figcaption>' if language else ""
    words = _words(token.content, env, marked=False)
    return f'<figure class="code">{label}<pre tabindex="0"><code>{words}</code></pre></figure>'


def _link(_: Any, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    address = str(tokens[number].attrGet("href") or "").replace("%EE%80%80", "")
    return f'<a href="{escape(address.translate(_ERASED))}" rel="noreferrer noopener nofollow">'


def _heading(_: Any, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    return '<p class="heading">' if tokens[number].nesting == 1 else "</p>\n"


_RULES = {"text": _text, "code_inline": _code, "code_block": _block, "fence": _block}
