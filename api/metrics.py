"""Figures for Prometheus, in a registry that belongs to one application."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from foxing.memory.models import AgeReport, SealReport, StoreResult, TickReport

METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST

#: Seconds. The bars are 10 ms for storing and 300 ms for a recall from a cold page.
LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0)
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What the service counts. `route` is a path template ("unmatched" for unknown paths), so that labels stay few."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "foxing_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.latency = Histogram(
            "foxing_http_request_duration_seconds",
            "Time from a request's first byte to the end of its answer.",
            ("method", "route"),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.stored = Counter("foxing_messages_stored_total", "New messages stored over HTTP.", registry=self.registry)
        self.duplicates = Counter(
            "foxing_messages_duplicate_total", "Messages that had been stored before.", registry=self.registry
        )
        self.recalls = Counter("foxing_recalls_total", "Recalls answered.", ("format",), registry=self.registry)
        self.recalled_spans = Counter(
            "foxing_recalled_spans_total", "Spans that recalls gave, by source.", ("source",), registry=self.registry
        )
        self.queue = Gauge("foxing_decode_queue_pages", "Pages waiting to be decoded.", registry=self.registry)
        self.sealed = Counter("foxing_pages_sealed_total", "Pages sealed.", ("trigger",), registry=self.registry)
        self.aged = Counter(
            "foxing_pages_aged_total", "Pages moved to a lower tier.", ("trigger",), registry=self.registry
        )
        self.purged = Counter(
            "foxing_wastebasket_purged_total", "Wastebasket entries purged.", ("trigger",), registry=self.registry
        )
        self.ticks = Counter("foxing_ticks_total", "Ticks of ageing that came to their end.", registry=self.registry)
        self.tick_failures = Counter(
            "foxing_tick_failures_total", "Ticks of ageing that failed as a whole.", registry=self.registry
        )
        self.bank_failures = Counter(
            "foxing_tick_bank_failures_total", "Banks whose work failed in a tick.", registry=self.registry
        )
        self.last_tick = Gauge(
            "foxing_last_tick_timestamp_seconds",
            "Unix time at which the last tick came to its end; 0 before the first.",
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in KNOWN_METHODS else "OTHER"
        self.requests.labels(known, route, str(status)).inc()
        self.latency.labels(known, route).observe(seconds)

    def stored_messages(self, stored: StoreResult) -> None:
        self.stored.inc(stored.stored)
        self.duplicates.inc(stored.duplicates)

    def seal(self, report: SealReport) -> None:
        self.sealed.labels("request").inc(len(report.pages))

    def age(self, report: AgeReport) -> None:
        if not report.dry_run:
            self.aged.labels("request").inc(len(report.moved))
            self.purged.labels("request").inc(report.purged)

    def tick(self, report: TickReport, ended_at_s: float) -> None:
        """`ended_at_s`: Unix time."""
        self.ticks.inc()
        self.last_tick.set(ended_at_s)
        self.sealed.labels("tick").inc(report.sealed_pages)
        self.aged.labels("tick").inc(report.moved_pages)
        self.purged.labels("tick").inc(report.purged)
        self.bank_failures.inc(len(report.failed_banks))

    def expose(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self.registry)
