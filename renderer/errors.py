"""Errors of the renderer, and the base class of every Foxing error."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem that a client can tell apart, in HTTP and with `--json`."""

    #: Stable name; the last part of the type of a problem document.
    slug: str
    #: HTTP status.
    status: int
    #: Short summary, the same for every occurrence.
    title: str


class FoxingError(Exception):
    """Base class of the errors that Foxing raises on purpose. The message says what to do."""

    #: What it is for those who only see a problem document.
    kind = ProblemKind("internal", 500, "Internal error")
    #: What to change: names of settings, such as "device", and of options of codecs, such as "codecs.remote.url". Where
    #: these are set is not known here; the HTTP service and the command add it to the message.
    settings: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Stable name of the kind of problem, such as "not-found"."""
        return self.kind.slug

    def naming(self, *settings: str) -> Self:
        """This error, with the settings to change."""
        self.settings = settings
        return self


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout is invalid, or a tier does not exist."""
