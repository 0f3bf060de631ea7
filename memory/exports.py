"""Exports of `foxing.memory`: where each is defined."""

from typing import TYPE_CHECKING

from .access import Access, KeyRole
from .conversation import FORMATS, Provider, ProviderMessage, SessionTurns, Turn, WebCalls, Wire, parse_message
from .errors import (
    Busy,
    ChoiceNeeded,
    Closed,
    Conflict,
    DatabaseTooNew,
    EmbedderError,
    Forbidden,
    Forgotten,
    Held,
    InvalidBundle,
    InvalidCursor,
    InvalidInput,
    InvalidPolicy,
    InvalidTime,
    LimitReached,
    MemoryFault,
    MessageTooLarge,
    NoDatabase,
    NotFound,
    PoolError,
    QuotaReached,
    ReaderFailed,
    SearchIndexError,
    StorageError,
    TimeTravelForbidden,
    TokensDamaged,
    Unavailable,
    UnknownReader,
    Unreadable,
)
from .in_threads import InThreads
from .problems import Problem
from .values.banks import BankEnd, BankInfo, Banks
from .values.base import Fields, Value
from .values.compression import CompressRequest, CompressResult, RetrieveResult
from .values.context import ContextFields, ContextRequest, ContextResult, TokenPrices
from .values.fences import fenced
from .values.fold import FoldRequest, FoldResult
from .values.forecasts import PolicyForecast
from .values.holds import Hold, HoldRequest, Holds
from .values.imports import ImportJob, ImportPreview, ImportQuery, ImportReport, LeftOutOfImport
from .values.jobs import Job, Jobs
from .values.keys import KeyInfo, KeyRequest, KeyRotation, Keys, NewKey
from .values.limits import UsageLimits, UsageOfDay, UsageReport
from .values.messages import FetchResult, MessageInfo, NewMessage, RecalledMessage, StoreResult
from .values.pages import MessageOnPage, PageInfo, PageReading, Pages
from .values.parts import ImagePart, TextPart, ToolCall, ToolResult
from .values.persons import PersonErasure, PersonErasureRequest, PersonMessage
from .values.policy import AgeingForecast, Policy, PolicyStep
from .values.recall import (
    MAX_QUERY_CHARS,
    RELEVANCE_FLOOR,
    ImageQueryFields,
    LeftOut,
    MatchScore,
    RecalledImage,
    RecalledImages,
    RecallQuery,
    RecallResult,
    TextQueryFields,
)
from .values.records import FoundRecords, Namespaces, Record, RecordChanges, Records, RecordSearch, RecordSearchFields
from .values.reports import (
    AgeReport,
    BundleReport,
    EmbeddingReport,
    ErasureReport,
    MarkdownReport,
    PagePreview,
    ReencodingReport,
    SealReport,
    TickReport,
    UndoReport,
)
from .values.savings import ModelCall, ModelCalls, RecordedCalls, Savings, SavingsBy
from .values.threads import ThreadInfo, Threads

if TYPE_CHECKING:
    from .async_memory import AsyncMemory
    from .ingest.importers import ImportOptions, NamedFile
    from .keys import LiveKeys
    from .maintenance import Maintenance
    from .memory import Memory, Operations
    from .options import MemoryOptions
    from .records.store import RecordStore
    from .storage.database import DatabaseOptions

__all__ = [
    "FORMATS",
    "MAX_QUERY_CHARS",
    "RELEVANCE_FLOOR",
    "Access",
    "AgeReport",
    "AgeingForecast",
    "AsyncMemory",
    "BankEnd",
    "BankInfo",
    "Banks",
    "BundleReport",
    "Busy",
    "ChoiceNeeded",
    "Closed",
    "CompressRequest",
    "CompressResult",
    "Conflict",
    "ContextFields",
    "ContextRequest",
    "ContextResult",
    "DatabaseOptions",
    "DatabaseTooNew",
    "EmbedderError",
    "EmbeddingReport",
    "ErasureReport",
    "FetchResult",
    "Fields",
    "FoldRequest",
    "FoldResult",
    "Forbidden",
    "Forgotten",
    "FoundRecords",
    "Held",
    "Hold",
    "HoldRequest",
    "Holds",
    "ImagePart",
    "ImageQueryFields",
    "ImportJob",
    "ImportOptions",
    "ImportPreview",
    "ImportQuery",
    "ImportReport",
    "InThreads",
    "InvalidBundle",
    "InvalidCursor",
    "InvalidInput",
    "InvalidPolicy",
    "InvalidTime",
    "Job",
    "Jobs",
    "KeyInfo",
    "KeyRequest",
    "KeyRole",
    "KeyRotation",
    "Keys",
    "LeftOut",
    "LeftOutOfImport",
    "LimitReached",
    "LiveKeys",
    "Maintenance",
    "MarkdownReport",
    "MatchScore",
    "Memory",
    "MemoryFault",
    "MemoryOptions",
    "MessageInfo",
    "MessageOnPage",
    "MessageTooLarge",
    "ModelCall",
    "ModelCalls",
    "NamedFile",
    "Namespaces",
    "NewKey",
    "NewMessage",
    "NoDatabase",
    "NotFound",
    "Operations",
    "PageInfo",
    "PagePreview",
    "PageReading",
    "Pages",
    "PersonErasure",
    "PersonErasureRequest",
    "PersonMessage",
    "Policy",
    "PolicyForecast",
    "PolicyStep",
    "PoolError",
    "Problem",
    "Provider",
    "ProviderMessage",
    "QuotaReached",
    "ReaderFailed",
    "RecallQuery",
    "RecallResult",
    "RecalledImage",
    "RecalledImages",
    "RecalledMessage",
    "Record",
    "RecordChanges",
    "RecordSearch",
    "RecordSearchFields",
    "RecordStore",
    "RecordedCalls",
    "Records",
    "ReencodingReport",
    "RetrieveResult",
    "Savings",
    "SavingsBy",
    "SealReport",
    "SearchIndexError",
    "SessionTurns",
    "StorageError",
    "StoreResult",
    "TextPart",
    "TextQueryFields",
    "ThreadInfo",
    "Threads",
    "TickReport",
    "TimeTravelForbidden",
    "TokenPrices",
    "TokensDamaged",
    "ToolCall",
    "ToolResult",
    "Turn",
    "Unavailable",
    "UndoReport",
    "UnknownReader",
    "Unreadable",
    "UsageLimits",
    "UsageOfDay",
    "UsageReport",
    "Value",
    "WebCalls",
    "Wire",
    "fenced",
    "parse_message",
]
