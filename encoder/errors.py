"""Errors of the codecs."""

from foxing.renderer import FoxingError


class CodecError(FoxingError):
    """A codec cannot do what was asked of it."""


class TokensError(CodecError):
    """Vision tokens are damaged, or were written by another codec or other weights."""


class ReadFailed(CodecError):
    """A page could not be decoded this time. Its tokens are intact, and a later attempt may succeed."""
