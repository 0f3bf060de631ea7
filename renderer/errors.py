"""Errors of the renderer, and the base class of every Foxing error."""


class FoxingError(Exception):
    """Base class of the errors that Foxing raises on purpose. The message says what to do."""


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout is invalid, or a tier does not exist."""
