"""The Python client of the HTTP service, and connections to a bank of a service or of an in-process memory. Values and
all other errors are those of `foxing.memory`."""

from .async_client import AsyncClient, AsyncClientRecords
from .client import Client, ClientRecords
from .connection import Call, Connection, Target, connect
from .errors import InvalidResponse, JobCancelled, Refused, ServiceFailed, TimedOut, Unreachable
from .transport import ServiceOptions

__all__ = [
    "AsyncClient",
    "AsyncClientRecords",
    "Call",
    "Client",
    "ClientRecords",
    "Connection",
    "InvalidResponse",
    "JobCancelled",
    "Refused",
    "ServiceFailed",
    "ServiceOptions",
    "Target",
    "TimedOut",
    "Unreachable",
    "connect",
]
