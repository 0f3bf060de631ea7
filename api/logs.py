"""Structured logs: one event per line, on stderr."""

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.types import Processor

from .settings import Settings

LOGGER_NAME = "foxing.api"

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


def get_logger() -> structlog.stdlib.BoundLogger:
    """The logger of the service. It writes through the standard library, so the handlers configured there apply."""
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


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Sends everything that this process logs, libraries included, to `stream` (default: stderr). The settings give
    the format and the level."""
    renderer: list[Processor]
    if settings.log_format == "json":
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=False)]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # The service logs requests itself, and the metrics count ticks.
    logging.getLogger("uvicorn.access").disabled = True
    # httpx logs the full URL of each request, which may hold a key.
    for name in ("apscheduler", "alembic", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
