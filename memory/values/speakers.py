"""Speakers in text for a model: who said what is the memory's to say and not the text's.

Whatever begins a line is the memory's: a speaker, a date, a reference, a tag. Words of a message stand behind its
speaker, or on a line that begins with a blank: a message cannot add a line that reads as another speaker's. Most
vocabularies have a word and the blank before it as one token, so that this takes almost none.
"""

import re
from functools import lru_cache
from typing import Protocol, get_args

from .messages import Role
from .trust import data_marks, stated_trust

#: Longest name that is shown, in characters.
MAX_NAME_CHARS = 60
#: Beginning of a line with words of a message.
INDENT = " "
#: Above an image of a message. `{name}`: its speaker, see `speaker_of`; `{time}`: its time.
IMAGE_LINE = "Image of the message of {name} from {time}:"
#: Said of a page image whose lowest class is one of data. `{marks}`: see `trust.data_marks`.
IMAGE_CLASS = "has words of the class {marks}, which are data"
_LINE_END = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
#: Characters that are not seen, or that change the direction of others.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
_UNSEEN = re.compile(f"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f{INVISIBLE}\ud800-\udfff\ue000-\uf8ff]+")
#: Characters that could end a name, or begin a tag or a reference.
_MARKS = re.compile(
    "[:\u02d0\u02f8\u0589\u05c3\u2236\ua789\ufe13\ufe30\ufe55\uff1a<>\uff1c\uff1e\ufe64\ufe65\\[\\]{}\uff3b\uff3d]+"
)
_ROLES = frozenset(arg for literal in get_args(Role) for arg in get_args(literal)) | {
    *("human", "ai", "model", "bot"),
    *("web", "imported", "unknown", "suspicious"),
}
_WORD = re.compile(r"\w+")


def set_apart(text: str) -> str:
    """Returns a text whose lines after the first begin with a blank, but for empty ones. Whatever Unicode takes for the
    end of a line becomes one."""
    if not _LINE_END.search(text):
        return text
    first, *later_lines = _LINE_END.split(text)
    return "\n".join([first, *(f"{INDENT}{line}" if line else line for line in later_lines)])


def one_line(text: str) -> str:
    """Returns a text on one line, without invisible characters and with single blanks."""
    return " ".join(_UNSEEN.sub("", text).split())


class Spoken(Protocol):
    """A message as far as it says whose words it has."""

    @property
    def role(self) -> str:
        """The speaker's role."""

    @property
    def name(self) -> str | None:
        """The speaker's name, if it has one."""

    @property
    def trust(self) -> str:
        """Its trust class."""

    @property
    def suspicious(self) -> bool:
        """True if rules recognise instructions in it, though it is data."""


def speaker_of(message: Spoken) -> str:
    """Returns what names the speaker of a message; see `speaker_name`."""
    return speaker_name(message.role, message.name, message.trust, suspicious=message.suspicious)


def speaker_on_page(role: str, name: str | None, marks: tuple[str, ...]) -> str:
    """Returns what names the speaker of a message on a page image. `marks`: what stands after its role there."""
    trust, suspicious = stated_trust(role, marks)
    return speaker_name(role, name, trust, suspicious=suspicious)


def class_of_image(trust: str, *, suspicious: bool) -> str:
    """Returns what says that a page image has words that are data, whether or not their headers have faded; empty if it
    has none. `trust`: the lowest class on it."""
    marks = data_marks(trust, suspicious=suspicious)
    return IMAGE_CLASS.format(marks=", ".join(marks)) if marks else ""


@lru_cache(maxsize=1 << 10)
def speaker_name(role: str, name: str | None, trust: str, *, suspicious: bool) -> str:
    """Returns what names a speaker, its trust class where its words are data, and whether rules recognise instructions
    in them: `read_file (tool)`. A name alone that is the class needs none."""
    speaker = _speaker(role, name)
    notes = [mark for mark in data_marks(trust, suspicious=suspicious) if mark != speaker or mark != trust]
    return f"{speaker} ({', '.join(notes)})" if notes else speaker


def _speaker(role: str, name: str | None) -> str:
    """Returns the name, or the role; both where the name is that of a role, has the word for one, or had characters
    that a speaker's line must not have, which are removed."""
    words_of_name = " ".join((name or "").split())
    cleaned = " ".join(_MARKS.sub(" ", one_line(words_of_name)).split())
    if not cleaned:
        return role
    if len(cleaned) > MAX_NAME_CHARS:
        cleaned = f"{cleaned[: MAX_NAME_CHARS - 1].rstrip()}…"
    words = {word.casefold() for word in _WORD.findall(cleaned)}
    return cleaned if cleaned == words_of_name and not words & _ROLES else f"{role} {cleaned}"
