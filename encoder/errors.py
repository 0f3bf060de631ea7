"""Errors that codecs raise."""

from foxing.renderer.errors import FoxingError, ProblemKind


class CodecError(FoxingError):
    """A codec cannot be loaded or cannot perform an operation."""

    kind = ProblemKind("codec", 500, "The codec cannot do this")


class TokensError(CodecError):
    """Vision tokens are damaged, or another codec or other weights wrote them."""

    kind = ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")


class ReadFailed(CodecError):
    """A page could not be decoded at this time. Its tokens are intact, and a later attempt may succeed."""

    kind = ProblemKind("reader-failed", 503, "The page cannot be read at the moment", retry="later")
