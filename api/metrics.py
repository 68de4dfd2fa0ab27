"""What the intake counts, for Prometheus: numbers by customer, nothing of what came."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The numbers of one server."""

    def __init__(self) -> None:
        """Start at nothing, in a registry of its own."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "mindweave_intake_requests",
            "Requests answered",
            ("path", "status"),
            registry=self._registry,
        )
        self._events = Counter(
            "mindweave_intake_events",
            "Events by outcome",
            ("customer", "outcome"),
            registry=self._registry,
        )
        self._exports = Counter(
            "mindweave_intake_otlp_requests",
            "OTLP export requests kept",
            ("customer", "signal"),
            registry=self._registry,
        )
        self._commits = Histogram(
            "mindweave_intake_commit_seconds",
            "How long it took to make a group of requests durable",
            ("customer",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._failures = Counter(
            "mindweave_intake_commit_failures",
            "Groups of requests that the store could not keep",
            ("customer",),
            registry=self._registry,
        )
        self.held_bytes = Gauge(
            "mindweave_intake_held_bytes",
            "Bytes of requests that are not answered yet",
            registry=self._registry,
        )

    def request(self, path: str, status: int) -> None:
        """Count an answered request."""
        self._requests.labels(path, status).inc()

    def events(self, customer: str, accepted: int, refused: int) -> None:
        """Count events that were judged and kept, each as what it was found to be."""
        if accepted:
            self._events.labels(customer, "accepted").inc(accepted)
        if refused:
            self._events.labels(customer, "refused").inc(refused)

    def export(self, customer: str, signal: str) -> None:
        """Count a kept OTLP request."""
        self._exports.labels(customer, signal).inc()

    def commit(self, customer: str, seconds: float, is_kept: bool) -> None:
        """Count what one append took, and whether it failed."""
        self._commits.labels(customer).observe(seconds)
        if not is_kept:
            self._failures.labels(customer).inc()

    def page(self) -> bytes:
        """Return all numbers as Prometheus reads them."""
        return generate_latest(self._registry)
