"""A memory for any client of the SDKs of OpenAI, Anthropic and Google: `client = wrap(OpenAI())`."""

from .wrapping import flush, wrap

__all__ = ["flush", "wrap"]
