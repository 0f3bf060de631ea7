"""Prometheus metrics, in one registry per application."""

import math
import os
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from platform import python_version
from threading import Lock, Thread
from typing import Any, NamedTuple

import prometheus_client.values
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import MultiProcessValue

from foxing.memory import (
    AgeReport,
    Memory,
    ModelCall,
    Operations,
    RecallResult,
    RecordedCalls,
    SealReport,
    StoreResult,
    Value,
)
from foxing.memory.lifecycle.job_runner import JobResult
from foxing.memory.telemetry import Operation
from foxing.memory.values.sizes import DatabaseSizes
from foxing.renderer import FoxingError

from .member import Member

METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST

#: Buckets in seconds. The targets are 10 ms for storing and 300 ms for a recall from a page that is not cached.
LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0)
OPEN = "open"  # label `tier` of messages on the open page
MAX_MODELS = 100  # labels of models
MAX_TENANTS = 100  # labels of tenants
SIZES_S = 60.0  # between two reads of the sizes
READ_S = 1.0  # for which a scrape waits for figures of the database
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Requests and their latency. To bound the number of label values, `route` is a path template ("unmatched" for
    unknown paths), and unknown methods count as "OTHER"."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "foxing_http_requests_total", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.latency = Histogram(
            "foxing_http_request_duration_seconds",
            "Time from the first byte of a request to the end of its response.",
            ("method", "route"),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    def quantiles(self) -> list[tuple[str, tuple[float, float]]]:
        """Returns the p50 and p99 in seconds of each route, the busiest first, to the bucket that holds them."""
        counts: dict[str, list[tuple[float, float]]] = {}
        for metric in self.latency.collect():
            for sample in metric.samples:
                if sample.name.endswith("_bucket"):
                    route = f"{sample.labels['method']} {sample.labels['route']}"
                    counts.setdefault(route, []).append((float(sample.labels["le"]), sample.value))
        busiest = sorted(counts.items(), key=lambda item: -item[1][-1][1])
        return [(route, (_quantile(below, 0.5), _quantile(below, 0.99))) for route, below in busiest]

    def record_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Counts a request and observes its duration, in seconds."""
        name = method if method in KNOWN_METHODS else "OTHER"
        self.requests.labels(name, route, str(status)).inc()
        self.latency.labels(name, route).observe(duration_s)


def _quantile(below: Sequence[tuple[float, float]], share: float) -> float:
    """Returns the upper bound of the bucket that holds this share. `below`: bound → observations up to it."""
    rank = share * below[-1][1]
    return next((min(bound, LATENCY_BUCKETS_S[-1]) for bound, count in below if count >= rank), LATENCY_BUCKETS_S[-1])


class MemoryMetrics:
    """Messages stored, recalls answered, and the decode queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stored = Counter("foxing_messages_stored_total", "New messages stored over HTTP.", registry=registry)
        self.duplicates = Counter(
            "foxing_messages_duplicate_total", "Messages that were already stored.", registry=registry
        )
        self.recalls = Counter("foxing_recalls_total", "Recalls answered.", ("format",), registry=registry)
        self.recalled_spans = Counter(
            "foxing_recalled_spans_total", "Spans returned by recalls, by source.", ("source",), registry=registry
        )
        self.recalled_characters = Counter(
            "foxing_recalled_characters_total", "Characters of recalled spans.", ("tier",), registry=registry
        )
        self.flagged_characters = Counter(
            "foxing_flagged_characters_total",
            "Characters of recalled spans flagged as uncertain.",
            ("tier",),
            registry=registry,
        )
        self.decode_queue = Gauge(
            "foxing_decode_queue_pages", "Pages waiting to be decoded.", registry=registry, multiprocess_mode="sum"
        )

    def record_store(self, result: StoreResult) -> None:
        """Counts the messages of a store."""
        self.stored.inc(result.stored)
        self.duplicates.inc(result.duplicates)

    def record_recall(self, result: RecallResult) -> None:
        """Counts a text recall, its spans and their characters."""
        self.recalls.labels("text").inc()
        for source, count in Tally(span.source for span in result.spans).items():
            self.recalled_spans.labels(source).inc(count)
        for span in result.spans:
            tier = span.tier or OPEN
            self.recalled_characters.labels(tier).inc(len(span.text))
            self.flagged_characters.labels(tier).inc(sum(stop - start for start, stop, _ in span.uncertain))

    def record_image_recall(self) -> None:
        """Counts a recall of page images."""
        self.recalls.labels("images").inc()


class AgeingMetrics:
    """Sealing, ageing and purging by trigger ("request" or "tick"), ticks of the scheduler, and the job queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sealed = Counter("foxing_pages_sealed_total", "Pages sealed.", ("trigger",), registry=registry)
        self.aged = Counter("foxing_pages_aged_total", "Pages moved to a lower tier.", ("trigger",), registry=registry)
        self.purged = Counter("foxing_trash_purged_total", "Trash entries purged.", ("trigger",), registry=registry)
        self.ticks = Counter("foxing_ticks_total", "Ageing ticks completed.", registry=registry)
        self.tick_failures = Counter(
            "foxing_tick_failures_total", "Ageing ticks that failed to fill the job queue.", registry=registry
        )
        self.jobs = Counter("foxing_jobs_total", "Jobs completed.", ("kind",), registry=registry)
        self.job_failures = Counter(
            "foxing_job_failures_total", "Failed attempts at jobs.", ("kind",), registry=registry
        )
        self.bank_jobs_ended = Counter(
            "foxing_bank_jobs_ended_total",
            "Jobs of banks that this process carried out, by how they ended: done, failed, or ended before that.",
            ("kind", "state"),
            registry=registry,
        )
        self.jobs_waiting = Gauge(
            "foxing_jobs_waiting",
            "Jobs in the queue that no worker has claimed, including failed jobs that will be retried.",
            registry=registry,
        )
        self.jobs_running = Gauge(
            "foxing_jobs_running", "Jobs in the queue that a worker has claimed.", registry=registry
        )
        self.oldest_job = Gauge(
            "foxing_oldest_job_seconds",
            "Seconds that the oldest unclaimed job is overdue; 0 if there is none.",
            registry=registry,
        )
        self.oldest_page = Gauge(
            "foxing_oldest_due_page_seconds",
            "Seconds that the oldest page due for ageing is overdue, or that a bank waits for a worker to plan its "
            "ageing; 0 if there is none.",
            registry=registry,
        )
        self.jobs_failed = Gauge(
            "foxing_jobs_failed", "Jobs in the queue whose last attempt failed.", registry=registry
        )
        self.last_tick = Gauge(
            "foxing_last_tick_timestamp_seconds",
            "Unix time at which the last tick completed; 0 before the first tick.",
            registry=registry,
            multiprocess_mode="max",
        )

    def record_bank_job(self, kind: str, state: str, result: Value | None) -> None:
        """Counts a job of a bank, and the pages that it sealed or aged and the trash that it purged."""
        self.bank_jobs_ended.labels(kind, state).inc()
        if isinstance(result, SealReport):
            self.sealed.labels("request").inc(len(result.pages))
        elif isinstance(result, AgeReport):
            self.aged.labels("request").inc(len(result.moved))
            self.purged.labels("request").inc(result.purged)

    def record_tick(self, ended_at_s: float) -> None:
        """Counts a completed tick. `ended_at_s`: Unix time in seconds."""
        self.ticks.inc()
        self.last_tick.set(ended_at_s)

    def record_job(self, result: JobResult) -> None:
        """Counts an attempt at a job, and the pages and trash entries that it processed."""
        if not result.helped:
            (self.jobs if result.error is None else self.job_failures).labels(result.kind).inc()
        self.sealed.labels("tick").inc(result.sealed_pages)
        self.aged.labels("tick").inc(result.moved_pages)
        self.purged.labels("tick").inc(result.purged)

    def watch_queue(self, figures: "DatabaseFigures") -> None:
        """Sets the gauges of the queue on each scrape; NaN if the database cannot be read."""
        self.jobs_waiting.set_function(lambda: figures.queue.waiting)
        self.jobs_running.set_function(lambda: figures.queue.running)
        self.jobs_failed.set_function(lambda: figures.queue.failed)
        self.oldest_job.set_function(lambda: figures.queue.oldest_job_s)
        self.oldest_page.set_function(lambda: figures.queue.oldest_page_s)


class QueueFigures(NamedTuple):
    """State of the job queue; NaN while the database cannot be read."""

    waiting: float = math.nan
    running: float = math.nan
    failed: float = math.nan
    oldest_job_s: float = math.nan
    oldest_page_s: float = math.nan


class DatabaseFigures:
    """Figures of what the database holds, read on each scrape in a thread of their own. A scrape waits for `READ_S` at
    most: when no connection is free or the database does not answer, the metrics of the process are the more needed."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = Lock()
        self._thread: Thread | None = None
        self._sizes_at = -math.inf
        self.queue = QueueFigures()
        #: Kind and state → number of jobs of banks that have not ended; None while the database cannot be read.
        self.bank_jobs: Mapping[tuple[str, str], int] | None = None
        #: As read at most once in `SIZES_S`; None if they have never been read.
        self.sizes: DatabaseSizes | None = None

    def refresh(self) -> None:
        """Reads the figures, or says that they cannot be read."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._read, name="foxing-metrics", daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(READ_S)
        if thread.is_alive():
            self._forget()

    def _forget(self) -> None:
        self.queue = QueueFigures()
        self.bank_jobs = None

    def _read(self) -> None:
        operations = self._memory.operations
        try:
            length = operations.jobs.length()
            lag = operations.jobs.lag(self._memory.now())
            lengths = (length.waiting, length.running, length.failed)
            self.queue = QueueFigures(*lengths, lag.oldest_job_s, lag.oldest_page_s)
            self.bank_jobs = operations.bank_jobs.counts()
            if time.monotonic() - self._sizes_at >= SIZES_S:
                self._sizes_at = time.monotonic()
                self.sizes = operations.sizes()
        except FoxingError:
            self._forget()


class SavingsMetrics:
    """Recorded calls of models. To bound the number of label values, further models count as "other"."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._models: set[str] = set()
        self.calls = Counter(
            "foxing_model_calls_total", "Calls of models recorded.", ("model", "folded"), registry=registry
        )
        self.tokens = Counter(
            "foxing_model_tokens_total",
            "Tokens of calls by how they were billed.",
            ("model", "kind"),
            registry=registry,
        )
        self.price = Counter(
            "foxing_model_input_price_total",
            "Price of inputs as billed, and without folding, in the unit of the prices.",
            ("model", "of"),
            registry=registry,
        )
        self.retries = Counter(
            "foxing_model_retries_total", "Requests sent again without thinking.", ("model",), registry=registry
        )

    def record(self, calls: Sequence[ModelCall], recorded: RecordedCalls) -> None:
        """Counts the calls that were recorded."""
        by_id = {call.id: call for call in reversed(calls)}
        for entry in recorded.recorded:
            call = by_id[entry.id]
            model = self._label(call.model)
            self.calls.labels(model, str(call.folded).lower()).inc()
            for kind in ("fresh", "written", "read", "output"):
                self.tokens.labels(model, kind).inc(getattr(call, f"{kind}_tokens"))
            self.price.labels(model, "billed").inc(entry.billed)
            self.price.labels(model, "original").inc(entry.original)
            self.retries.labels(model).inc(call.retries)

    def _label(self, model: str) -> str:
        if len(self._models) < MAX_MODELS:
            self._models.add(model)
        return model if model in self._models else "other"


class OperationMetrics:
    """Durations of the operations of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "foxing_operation_duration_seconds",
            "Duration of an operation, including its nested operations.",
            ("operation",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    @contextmanager
    def watch(self, operation: Operation) -> Iterator[None]:
        """Observes the duration of an operation, also if it raises."""
        with self.duration.labels(operation.name).time():
            yield


class LoadMetrics:
    """Queues of this process, its database connections, and the build."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "foxing_waiting",
            "Calls of this process that wait: for a thread (calls, codec_calls), to search, or to write.",
            ("queue",),
            registry=registry,
        )
        self.connections = Gauge(
            "foxing_database_connections",
            "Database connections of this process: in_use or idle.",
            ("state",),
            registry=registry,
        )
        self.connection_limit = Gauge("foxing_database_connections_limit", "Maximum number of them.", registry=registry)
        self.build = Gauge(
            "foxing_build_info",
            "1, by version of Foxing and of Python.",
            ("version", "python"),
            registry=registry,
        )
        self.build.labels(version("foxing"), python_version()).set(1)

    def watch_queue(self, queue: str, length: Callable[[], int]) -> None:
        """Reads the length of a queue on each scrape."""
        self.waiting.labels(queue).set_function(length)

    def watch(self, operations: Operations) -> None:
        """Reads the gauges of a memory on each scrape."""
        self.watch_queue("searches", lambda: operations.waiting_searches)
        self.watch_queue("writers", lambda: operations.waiting_writers)
        self.connections.labels("in_use").set_function(lambda: operations.connections.in_use)
        self.connections.labels("idle").set_function(lambda: operations.connections.idle)
        self.connection_limit.set_function(lambda: operations.connections.limit)


class SizeMetrics(Collector):
    """Size of the database, and what tenants have stored in it. To bound the number of label values, further tenants
    count as "other"; the tenant of no tenant is empty."""

    def __init__(self, figures: DatabaseFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yields the sizes; none if they have never been read."""
        sizes = self._figures.sizes
        if sizes is None:
            return
        yield GaugeMetricFamily("foxing_database_bytes", "Size of the database, without its log.", sizes.bytes)
        banks = GaugeMetricFamily("foxing_banks", "Banks by tenant.", labels=("tenant",))
        messages = CounterMetricFamily("foxing_tenant_messages", "Messages stored by tenant.", labels=("tenant",))
        stored = CounterMetricFamily("foxing_tenant_bytes", "Bytes of messages stored by tenant.", labels=("tenant",))
        sums: dict[str, Tally[str]] = {}
        for number, (tenant, size) in enumerate(sorted(sizes.tenants.items())):
            sums.setdefault(tenant if number < MAX_TENANTS else "other", Tally()).update(size._asdict())
        for tenant, total in sums.items():
            banks.add_metric((tenant,), total["banks"])
            messages.add_metric((tenant,), total["messages"])
            stored.add_metric((tenant,), total["bytes"])
        yield from (banks, messages, stored)


class BankJobMetrics(Collector):
    """Jobs of banks that have not ended, as the database has them."""

    def __init__(self, figures: DatabaseFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yields the number of jobs by kind and state; none if the database cannot be read."""
        gauge = GaugeMetricFamily(
            "foxing_bank_jobs", "Jobs of banks, such as imports, that have not ended.", labels=("kind", "state")
        )
        for labels, number in sorted((self._figures.bank_jobs or {}).items()):
            gauge.add_metric(labels, number)
        yield gauge


class Metrics:
    """All metrics of one application, or of the processes that serve one address."""

    def __init__(self, member: Member | None = None) -> None:
        """`member`: this process among several, whose metrics are then in files of theirs. A process that replaces
        another continues its counts."""
        self._folder = None if member is None else member.metrics_folder
        self._figures: DatabaseFigures | None = None
        if member is not None:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(member.metrics_folder)
            prometheus_client.values.ValueClass = MultiProcessValue(lambda: member.number)  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.http = HttpMetrics(self.registry)
        self.memory = MemoryMetrics(self.registry)
        self.ageing = AgeingMetrics(self.registry)
        self.savings = SavingsMetrics(self.registry)
        self.operations = OperationMetrics(self.registry)
        self.load = LoadMetrics(self.registry)
        ProcessCollector(registry=self.registry)

    def watch(self, memory: Memory) -> None:
        """Reads the gauges of a memory, of its job queue and of its database on each scrape."""
        self.memory.decode_queue.set_function(lambda: memory.operations.queue_depth)
        self._figures = DatabaseFigures(memory)
        self.ageing.watch_queue(self._figures)
        self.load.watch(memory.operations)
        self.registry.register(SizeMetrics(self._figures))
        self.registry.register(BankJobMetrics(self._figures))

    def expose(self) -> bytes:
        """Returns all metrics in the Prometheus text format."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yields all metrics: those of all processes, and gauges of the database as this one reads them."""
        if self._figures is not None:
            self._figures.refresh()
        if self._folder is None:
            yield from self.registry.collect()
            return
        collector: Any = MultiProcessCollector(None, str(self._folder))  # type: ignore[no-untyped-call]
        shared = [
            metric
            for metric in collector.collect()
            if not any("pid" in sample.labels for sample in metric.samples)  # a gauge that is not summed up
        ]
        yield from shared
        names = {metric.name for metric in shared}
        yield from (metric for metric in self.registry.collect() if metric.name not in names)
