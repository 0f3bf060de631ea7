"""Trust classes: whose words a message has.

    user > assistant > tool > web = imported > unknown

A message has the class of its role, unless the caller or the door through which it comes gives it another. Words of the
lower classes are data: a speaker is shown with the class, and no such message replaces one of a higher class.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from .base import OPEN

TrustClass = Literal["user", "assistant", "tool", "web", "imported", "unknown"]
Trust = Annotated[TrustClass, OPEN]
#: Rank of each class, 0 for the most trusted.
RANKS: Mapping[str, int] = {"user": 0, "assistant": 1, "tool": 2, "web": 3, "imported": 3, "unknown": 4}
#: Classes of the messages of each role. Instructions are those of whoever runs the agent.
OF_ROLE: Mapping[str, TrustClass] = {
    "system": "user",
    "developer": "user",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
#: Classes whose words are data, never instructions.
DATA_CLASSES: frozenset[str] = frozenset({"tool", "web", "imported", "unknown"})


def trust_of(role: str, trust: str | None) -> str:
    """Returns the class of a message: its own, or that of its role."""
    return trust or OF_ROLE.get(role, "unknown")


def own_trust(role: str, trust: str | None) -> str | None:
    """Returns the class of a message as it is stored: None for that of its role."""
    return None if trust is None or trust == OF_ROLE.get(role) else trust


def page_marks(role: str, trust: str, *, suspicious: bool) -> tuple[str, ...]:
    """Returns what stands after the role of a message on page images: its class where its words are data and the role
    does not say so."""
    return (*((trust,) if trust in DATA_CLASSES and trust != role else ()), *(("suspicious",) if suspicious else ()))


def stated_trust(role: str, marks: tuple[str, ...]) -> tuple[str, bool]:
    """Returns the class of a message on a page image, and whether it is marked as suspicious."""
    return next((mark for mark in marks if mark in DATA_CLASSES), trust_of(role, None)), "suspicious" in marks


def data_marks(trust: str, *, suspicious: bool) -> tuple[str, ...]:
    """Returns what stands beside words in text for a model: their class where they are data, and whether rules
    recognise instructions in them."""
    return (*((trust,) if trust in DATA_CLASSES else ()), *(("suspicious",) if suspicious else ()))


def lowest_marks(marks: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Returns the marks of what stands for words with these: the lowest class, and whether any are suspicious."""
    distinct = {mark for group in marks for mark in group}
    classes = distinct & DATA_CLASSES
    return (*((lowest(classes),) if classes else ()), *(("suspicious",) if "suspicious" in distinct else ()))


def lowest(classes: Iterable[str]) -> str:
    """Returns the least trusted of classes; unknown for none."""
    return max(sorted(classes), key=rank, default="unknown")


def rank(trust: str) -> int:
    """Returns the rank of a class, 0 for the most trusted; a class that a newer service names ranks last."""
    return RANKS.get(trust, max(RANKS.values()))


def recall_rank(trust: str, *, suspicious: bool) -> int:
    """Returns the rank of a match among others that answer about as well, 0 for the first. The classes of roles have
    the same, so that the order of what people, models and tools say does not depend on it."""
    return max(0, rank(trust) - RANKS["tool"]) + suspicious
