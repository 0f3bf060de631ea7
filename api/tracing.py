"""Spans of OpenTelemetry: one for each request, and below it one for each operation of the memory.

They hold names of banks, ids of pages and figures, and nothing of what was said. Off unless the settings choose an
exporter. Needs `foxing[otel]`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foxing.api.middleware import route_of
from foxing.api.settings import InvalidSettings, Settings
from foxing.memory.telemetry import Operation, watch

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PREFIX = "foxing."  # of the names of spans and attributes


class Tracing:
    """Traces from `start` to `stop`."""

    def __init__(self, exporter: "SpanExporter | None" = None, *, batched: bool = True) -> None:
        """`exporter`: where spans go; None for nowhere. `batched`: whether they are sent together, by a thread."""
        self._exporter = exporter
        self._batched = batched
        self._provider: TracerProvider | None = None
        self._tracer: Any = None
        self._unwatch: Callable[[], None] | None = None

    @classmethod
    def chosen(cls, settings: Settings) -> "Tracing":
        """What the settings choose. Raises `InvalidSettings` without the packages for it."""
        if settings.tracing == "none":
            return cls()
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as error:
            raise InvalidSettings(
                "FOXING_TRACING=otlp needs OpenTelemetry; install it with: pip install 'foxing[otel]'"
            ) from error
        return cls(OTLPSpanExporter())

    def start(self) -> None:
        """Begins to trace, if there is an exporter."""
        if self._exporter is None:
            return
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        processor = BatchSpanProcessor if self._batched else SimpleSpanProcessor
        resource = Resource.create({"service.name": "foxing", "service.version": version("foxing")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor(self._exporter))
        self._tracer = self._provider.get_tracer("foxing", version("foxing"))
        self._unwatch = watch(self._watch)

    def stop(self) -> None:
        """Ends tracing, and sends what was not sent yet."""
        if self._unwatch is not None:
            self._unwatch()
        if self._provider is not None:
            self._provider.shutdown()
        self._provider = self._tracer = self._unwatch = None

    def _span(self, name: str, **options: Any) -> Any:
        """A span that takes over nothing of an error: its message may quote what was given."""
        return self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False, **options
        )

    @contextmanager
    def _watch(self, operation: Operation) -> Iterator[None]:
        from opentelemetry.trace import Status, StatusCode

        with self._span(PREFIX + operation.name) as span:
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                span.set_attributes({PREFIX + name: value for name, value in operation.attributes.items()})

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Callable[[int], None]]:
        """The span of a request, continuing the trace of its caller; yields what is told the status."""
        if self._tracer is None:
            yield lambda status: None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, Status, StatusCode

        caller = extract(dict(Headers(scope=scope).items()))
        with self._span(scope["method"], context=caller, kind=SpanKind.SERVER) as span:

            def answered(status: int) -> None:
                route = route_of(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attributes(
                    {"http.request.method": scope["method"], "http.route": route, "http.response.status_code": status}
                )
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

            yield answered


class RequestTracing:
    """Middleware: a span for each request."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.tracing.request(scope) as answered:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answered(message["status"])
                await send(message)

            await self.app(scope, receive, send_and_note)


@contextmanager
def traced(tracing: Tracing) -> Iterator[None]:
    """Traces during the block."""
    tracing.start()
    try:
        yield
    finally:
        tracing.stop()
