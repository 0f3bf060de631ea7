"""Structured logs: one event per line, on stderr."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.types import Processor

from .settings import Settings

LOGGER_NAME = "foxing.api"


def _add_trace(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds the ids of the trace and of the span in progress, where there is tracing."""
    trace = sys.modules.get("opentelemetry.trace")  # whose import would take longer than all else here
    span = None if trace is None else trace.get_current_span().get_span_context()
    if span is not None and span.is_valid:
        entry["trace_id"] = f"{span.trace_id:032x}"
        entry["span_id"] = f"{span.span_id:016x}"
    return entry


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    _add_trace,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


#: Characters that could control a terminal → their JSON escapes.
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F))}
#: The same without line breaks and tabs, which a rendered traceback contains.
_LINE_ESCAPES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\t\n"}


def _escape_values(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escapes control characters in the values of an entry, so that it stays on one line."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = value.translate(_ESCAPES)
    return entry


def _escape_line(logger: object, method: str, line: Any) -> str:
    """Escapes control characters in a rendered entry, such as those in a traceback."""
    return str(line).translate(_LINE_ESCAPES)


class _RateLimit(logging.Filter):
    """Limits repeated entries of libraries, such as those logged when file descriptors run out: at most `AT_MOST`
    entries with the same logger and beginning pass in `PERIOD_S`. Foxing's own entries always pass."""

    AT_MOST = 10
    PERIOD_S = 60.0
    MOST_KINDS = 1000

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("foxing"):
            return True
        kind = (record.name, str(record.msg).partition("\n")[0][:80])
        began, count = self._seen.get(kind, (record.created, 0))
        if record.created - began >= self.PERIOD_S:
            began = record.created
            count = 0
        if len(self._seen) >= self.MOST_KINDS:
            self._seen.clear()
        self._seen[kind] = (began, count + 1)
        return count < self.AT_MOST


def get_logger() -> structlog.stdlib.BoundLogger:
    """Returns the logger of the service, which writes through the standard library's `logging` and its handlers."""
    logger = structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return cast(structlog.stdlib.BoundLogger, logger)


def _without_colours(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drops the copy of the message for terminals that uvicorn adds."""
    entry.pop("color_message", None)
    return entry


class _ProcessNumber:
    """Adds the number of this process to entries, where several serve one address."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["process"] = self._number
        return entry


def configure_logs(settings: Settings, stream: TextIO | None = None, *, process: int | None = None) -> None:
    """Sends the log of this process, including that of libraries, to `stream` (default: stderr), in the format and at
    the level of the settings. `process`: its number, if several serve one address; 0 for their parent."""
    renderer: list[Processor]
    if settings.log_format == "json":
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        renderer = [
            _escape_values,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    number = [] if process is None else [_ProcessNumber(process)]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *number, *renderer, _escape_line],
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder(), _without_colours],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_RateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # `RequestLogging` logs requests, and the metrics count ticks.
    logging.getLogger("uvicorn.access").disabled = True
    # httpx logs the full URL of each request, which may contain a key.
    for name in ("apscheduler", "alembic", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
