"""Errors of the renderer, and the base class of every Foxing error."""

from typing import Self


class FoxingError(Exception):
    """Base class of the errors that Foxing raises on purpose. The message says what to do."""

    #: What to change: names of settings, such as "device", and of options of codecs, such as "codecs.remote.url". Where
    #: these are set is not known here; the HTTP service and the command add it to the message.
    settings: tuple[str, ...] = ()

    def naming(self, *settings: str) -> Self:
        """This error, with the settings to change."""
        self.settings = settings
        return self


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout is invalid, or a tier does not exist."""
