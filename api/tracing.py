"""OpenTelemetry tracing: a span per request, with a child span per operation of the memory.

Spans contain names of banks, ids of pages and numbers, and no message content. Off unless the settings select an
exporter. Requires `foxing[otel]`.
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

PREFIX = "foxing."  # prefix of the names of spans and attributes


class Tracing:
    """Exports spans from `start` to `stop`."""

    def __init__(self, exporter: "SpanExporter | None" = None, *, batched: bool = True) -> None:
        """`exporter`: destination of the spans; None for no tracing. `batched`: export in batches, in a thread."""
        self._exporter = exporter
        self._batched = batched
        self._provider: TracerProvider | None = None
        self._tracer: Any = None
        self._unwatch: Callable[[], None] | None = None

    @classmethod
    def chosen(cls, settings: Settings) -> "Tracing":
        """Returns the tracing that the settings select. Raises `InvalidSettings` if its packages are not installed."""
        if settings.tracing == "none":
            return cls()
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as error:
            raise InvalidSettings(
                "FOXING_TRACING=otlp requires OpenTelemetry; run: pip install 'foxing[otel]'"
            ) from error
        return cls(OTLPSpanExporter())

    def start(self) -> None:
        """Starts tracing, if there is an exporter."""
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
        """Stops tracing and exports the remaining spans."""
        if self._unwatch is not None:
            self._unwatch()
        if self._provider is not None:
            self._provider.shutdown()
        self._provider = self._tracer = self._unwatch = None

    def _span(self, name: str, **options: Any) -> Any:
        """Starts a span that does not record exceptions, whose messages may quote message content."""
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
        """Starts the span of a request, as a child of the caller's span; yields a function to call with the status."""
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
    """Middleware that starts a span per request."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application in a span."""
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
