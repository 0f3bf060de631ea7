"""LangChain: chat message history stored exactly in a bank, and a retriever of remembered messages. The module
`middleware` is imported by itself, because it needs langchain, and these need langchain-core alone."""

from foxing.integrations.frameworks.versions import require

require("langchain")

from .history import FoxingChatMessageHistory  # noqa: E402
from .retriever import FoxingRetriever, RetrieverFields  # noqa: E402

__all__ = ["FoxingChatMessageHistory", "FoxingRetriever", "RetrieverFields"]
