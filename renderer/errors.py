"""Errors of the renderer, and the base class of all of Foxing's errors."""


class FoxingError(Exception):
    """Something Foxing cannot do; the message says what to do about it."""


class RenderError(FoxingError):
    """A page cannot be typeset or drawn."""


class LayoutError(RenderError):
    """A page layout or a tier makes no sense."""
