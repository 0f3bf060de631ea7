"""The Python client of a service, and connections to a bank of a service or of a memory in process. The values and the
other errors are those of `foxing.memory`."""

from .async_client import AsyncClient, AsyncClientRecords
from .client import Client, ClientRecords
from .connection import Call, Connection, Target, connect
from .errors import InvalidResponse, Refused, ServiceFailed, TimedOut, Unreachable
from .transport import ServiceOptions

__all__ = [
    "AsyncClient",
    "AsyncClientRecords",
    "Call",
    "Client",
    "ClientRecords",
    "Connection",
    "InvalidResponse",
    "Refused",
    "ServiceFailed",
    "ServiceOptions",
    "Target",
    "TimedOut",
    "Unreachable",
    "connect",
]
