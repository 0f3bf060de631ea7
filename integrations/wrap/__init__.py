"""A memory for any client of OpenAI's and Anthropic's SDKs: `client = wrap(OpenAI())`."""

from .wrapping import flush, wrap

__all__ = ["flush", "wrap"]
