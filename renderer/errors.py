"""Errors of the renderer, and the base class of every Foxing error."""

from dataclasses import dataclass, replace
from typing import Final, Literal, Self, TypeAlias

#: What an error promises of the same call: it is refused for ever, it may succeed at some time, or after a known pause.
Retry: TypeAlias = Literal["never", "later", "after"]
#: Pause after an error that ends when a person corrects a setting or installs something, in seconds.
REPAIR_S: Final = 60.0


@dataclass(frozen=True)
class ProblemKind:
    """Kind of problem that clients can distinguish, over HTTP and with `--json`."""

    #: Stable name; the last part of the type of a problem document.
    slug: str
    #: HTTP status.
    status: int
    #: Short summary, the same for every occurrence.
    title: str
    #: Whether the same call may succeed another time.
    retry: Retry = "never"
    #: Seconds before which it does not succeed, if `retry` is "after".
    retry_after_s: float | None = None

    def after(self, seconds: float) -> Self:
        """Returns the same kind for a call that may succeed after so many seconds."""
        return replace(self, retry="after", retry_after_s=seconds)


class FoxingError(Exception):
    """Base class of all errors that Foxing raises. The message says what to do."""

    #: Kind of problem reported in problem documents.
    kind = ProblemKind("internal", 500, "Internal error").after(REPAIR_S)
    #: Settings and codec options to change, such as "device" and "codecs.remote.url". The HTTP service and the command
    #: line add to the message where they are set.
    settings: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Stable name of the kind of problem, such as "not-found"."""
        return self.kind.slug

    @property
    def retry(self) -> Retry:
        """Promise about the same call; nothing else decides whether it is tried again."""
        return self.kind.retry

    @property
    def retry_after_s(self) -> float | None:
        """Seconds before which the same call does not succeed, if `retry` is "after"; else None."""
        return self.kind.retry_after_s

    def after(self, seconds: float) -> Self:
        """Sets the seconds after which the same call may succeed, and returns this error."""
        self.kind = self.kind.after(seconds)
        return self

    def naming(self, *settings: str) -> Self:
        """Sets the settings to change, and returns this error."""
        self.settings = settings
        return self


class NoEngine(FoxingError, ImportError):
    """Only foxing-client is installed, which has no engine."""

    kind = ProblemKind("no-engine", 501, "The engine is not installed")

    def __init__(self) -> None:
        """Says what to install."""
        super().__init__(
            "only foxing-client is installed here, and this needs the whole of Foxing; run: pip install foxing. "
            "Without it, a command needs a service that runs on the database of the settings"
        )


def is_of_engine(error: ImportError) -> bool:
    """Returns True if a module of Foxing is missing, so that only foxing-client is installed."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("foxing.")


class UnknownReader(FoxingError):
    """No reader has the given name."""

    kind = ProblemKind("unknown-reader", 422, "Unknown reader")


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout is invalid, or a tier does not exist."""
