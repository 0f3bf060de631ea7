"""Exports of `foxing.memory`; importing them loads all values."""

from importlib import import_module
from typing import TYPE_CHECKING

from foxing.renderer.errors import NoEngine, is_of_engine

from .errors import (
    ChoiceNeeded,
    Closed,
    Conflict,
    DatabaseTooNew,
    EmbedderError,
    Forgotten,
    InvalidCursor,
    InvalidInput,
    InvalidPolicy,
    InvalidTime,
    MemoryFault,
    MessageTooLarge,
    NoDatabase,
    NotFound,
    PoolError,
    ReaderFailed,
    RerankerError,
    SearchIndexError,
    StorageError,
    TimeTravelForbidden,
    TokensDamaged,
    UnknownReader,
    Unreadable,
)
from .values.banks import BankBytes, BankEnd, BankInfo, Banks, DueWork, TierStatistics
from .values.compression import CompressRequest, CompressResult, RetrieveResult
from .values.context import ContextRequest, ContextResult, TokenPrices
from .values.fences import fenced
from .values.fold import FoldRequest, FoldResult
from .values.forecasts import PolicyForecast, TierForecast
from .values.imports import FilesOfImport, ImportJob, ImportPreview, ImportQuery, ImportReport, LeftOutOfImport
from .values.messages import FetchResult, MessageInfo, MissingReference, NewMessage, RecalledMessage, StoreResult
from .values.pages import MessageOnPage, PageInfo, PageReading, Pages
from .values.parts import FunctionCall, ImagePart, OriginalImage, TextPart, ToolCall, ToolResult
from .values.policy import AgeingForecast, AgeingStep, Policy, PolicyStep
from .values.recall import LeftOut, MatchScore, RecalledImage, RecalledImages, RecallQuery, RecallResult
from .values.records import FoundRecords, Namespaces, Record, RecordChange, RecordChanges, Records, RecordSearch
from .values.reports import (
    AgeReport,
    EmbeddingReport,
    ErasureReport,
    FadedMessage,
    PageErased,
    PageForecast,
    PageMove,
    PagePreview,
    PageReencoded,
    PageRestored,
    PageSkipped,
    ReencodingReport,
    SealReport,
    TickReport,
    UndoReport,
    WordCount,
)
from .values.savings import ModelCall, PricedCall, RecordedCalls, Savings, SavingsRow, SavingsSum
from .values.threads import ThreadInfo, Threads

if TYPE_CHECKING:
    from .async_memory import AsyncMemory, AsyncRecordStore
    from .memory import Memory
    from .options import MemoryOptions
    from .records.store import RecordStore
    from .storage.database import DatabaseOptions
else:
    _MODULES = {
        "AsyncMemory": "async_memory",
        "AsyncRecordStore": "async_memory",
        "DatabaseOptions": "storage.database",
        "Memory": "memory",
        "MemoryOptions": "options",
        "RecordStore": "records.store",
    }

    def __getattr__(name: str) -> object:
        """Imports the in-process memory on first use, since clients of a service need only the values."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return vars(import_module(f".{_MODULES[name]}", __package__))[name]
        except ModuleNotFoundError as error:
            if is_of_engine(error):
                raise NoEngine from error
            raise


__all__ = [
    "AgeReport",
    "AgeingForecast",
    "AgeingStep",
    "AsyncMemory",
    "AsyncRecordStore",
    "BankBytes",
    "BankEnd",
    "BankInfo",
    "Banks",
    "ChoiceNeeded",
    "Closed",
    "CompressRequest",
    "CompressResult",
    "Conflict",
    "ContextRequest",
    "ContextResult",
    "DatabaseOptions",
    "DatabaseTooNew",
    "DueWork",
    "EmbedderError",
    "EmbeddingReport",
    "ErasureReport",
    "FadedMessage",
    "FetchResult",
    "FilesOfImport",
    "FoldRequest",
    "FoldResult",
    "Forgotten",
    "FoundRecords",
    "FunctionCall",
    "ImagePart",
    "ImportJob",
    "ImportPreview",
    "ImportQuery",
    "ImportReport",
    "InvalidCursor",
    "InvalidInput",
    "InvalidPolicy",
    "InvalidTime",
    "LeftOut",
    "LeftOutOfImport",
    "MatchScore",
    "Memory",
    "MemoryFault",
    "MemoryOptions",
    "MessageInfo",
    "MessageOnPage",
    "MessageTooLarge",
    "MissingReference",
    "ModelCall",
    "Namespaces",
    "NewMessage",
    "NoDatabase",
    "NotFound",
    "OriginalImage",
    "PageErased",
    "PageForecast",
    "PageInfo",
    "PageMove",
    "PagePreview",
    "PageReading",
    "PageReencoded",
    "PageRestored",
    "PageSkipped",
    "Pages",
    "Policy",
    "PolicyForecast",
    "PolicyStep",
    "PoolError",
    "PricedCall",
    "ReaderFailed",
    "RecallQuery",
    "RecallResult",
    "RecalledImage",
    "RecalledImages",
    "RecalledMessage",
    "Record",
    "RecordChange",
    "RecordChanges",
    "RecordSearch",
    "RecordStore",
    "RecordedCalls",
    "Records",
    "ReencodingReport",
    "RerankerError",
    "RetrieveResult",
    "Savings",
    "SavingsRow",
    "SavingsSum",
    "SealReport",
    "SearchIndexError",
    "StorageError",
    "StoreResult",
    "TextPart",
    "ThreadInfo",
    "Threads",
    "TickReport",
    "TierForecast",
    "TierStatistics",
    "TimeTravelForbidden",
    "TokenPrices",
    "TokensDamaged",
    "ToolCall",
    "ToolResult",
    "UndoReport",
    "UnknownReader",
    "Unreadable",
    "WordCount",
    "fenced",
]
