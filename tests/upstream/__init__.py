"""A strict upstream for tests and benchmarks: the APIs of Anthropic and OpenAI on loopback, with scripted answers,
recorded requests and bills."""

from .answers import Fault, ModelAnswer, Part, ScriptedCall, Text, Thinking
from .cache import Bill, MovableClock
from .models import RequestLimits
from .problems import RefusedRequest
from .tokens import count_bytes
from .upstream import RecordedCall, Responder, Upstream

__all__ = [
    "Bill",
    "Fault",
    "ModelAnswer",
    "MovableClock",
    "Part",
    "RecordedCall",
    "RefusedRequest",
    "RequestLimits",
    "Responder",
    "ScriptedCall",
    "Text",
    "Thinking",
    "Upstream",
    "count_bytes",
]
