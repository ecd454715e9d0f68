"""Prometheus metrics: requests handled by this process, and the backlog in Postgres."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.store.jobs.queries import Backlog
from pipeline.domain.job import OUT_STATES

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one app; each app has its own registry, so that one process can run several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "rayon_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "rayon_request_seconds",
            "Time to the end of the answer.",
            ["method", "route"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._jobs = Gauge("rayon_jobs", "Open jobs.", ["kind", "priority", "state"], registry=self.registry)
        self._oldest_seconds = Gauge(
            "rayon_oldest_waiting_seconds", "Age of the oldest waiting job.", ["priority"], registry=self.registry
        )
        self._jobs_out = Gauge("rayon_jobs_out", "Jobs sent or leased.", registry=self.registry)
        self._dead_letters = Gauge("rayon_dead_letters", "Dead letters that nobody replayed.", registry=self.registry)
        self._workers = Gauge("rayon_workers", "Living workers.", ["role"], registry=self.registry)
        self._waiting_requests = Gauge(
            "rayon_waiting_requests", "Requests held by Prefer: wait.", registry=self.registry
        )

    def exposition(self, backlog: Backlog, waiting_requests: int) -> bytes:
        """The metrics in Prometheus's text format, with the current backlog."""
        self._jobs.clear()
        for group in backlog.open_jobs:
            self._jobs.labels(group.kind, group.priority, group.state).set(group.count)
        for priority, age in backlog.oldest.items():
            self._oldest_seconds.labels(priority).set(age)
        self._jobs_out.set(backlog.count(*OUT_STATES))
        self._dead_letters.set(backlog.dead_letters)
        self._workers.clear()
        for worker in backlog.workers:
            self._workers.labels(worker.role).inc()
        self._waiting_requests.set(waiting_requests)
        return generate_latest(self.registry)


class MetricsMiddleware:
    """ASGI middleware: counts and times requests by the path template of their route, never by the URL."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, count and time it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = "500"

        async def recording_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, recording_send)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(scope["method"], route, status).inc()
            self._metrics.seconds.labels(scope["method"], route).observe(time.perf_counter() - started)
