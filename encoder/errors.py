"""Errors of the codecs."""

from foxing.renderer import FoxingError


class CodecError(FoxingError):
    """A codec cannot do what was asked of it."""


class TokensError(CodecError):
    """Vision tokens are damaged, or were written by something this codec cannot read."""


class ReadFailed(CodecError):
    """A page could not be read this time. Its tokens are whole, and a later try may read it."""
