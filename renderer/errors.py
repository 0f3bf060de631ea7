"""Errors of the renderer, and the base class of every Foxing error."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ProblemKind:
    """Kind of problem that clients can distinguish, over HTTP and with `--json`."""

    #: Stable name; the last part of the type of a problem document.
    slug: str
    #: HTTP status.
    status: int
    #: Short summary, the same for every occurrence.
    title: str


class FoxingError(Exception):
    """Base class of all errors that Foxing raises. The message says what to do."""

    #: Kind of problem reported in problem documents.
    kind = ProblemKind("internal", 500, "Internal error")
    #: Settings and codec options to change, such as "device" and "codecs.remote.url". The HTTP service and the command
    #: line add to the message where they are set.
    settings: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Stable name of the kind of problem, such as "not-found"."""
        return self.kind.slug

    def naming(self, *settings: str) -> Self:
        """Sets the settings to change, and returns this error."""
        self.settings = settings
        return self


class UnknownReader(FoxingError):
    """No reader has the given name."""

    kind = ProblemKind("unknown-reader", 422, "Unknown reader")


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout is invalid, or a tier does not exist."""
