"""Prometheus metrics: requests answered by this process, and the backlog in Postgres."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.store.jobs.queries import Backlog
from pipeline.domain.job import OUT_STATES

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one app, in a registry of its own, so that several apps fit in a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "rayon_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "rayon_request_seconds",
            "Time to the end of the answer.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._jobs = Gauge("rayon_jobs", "Open jobs.", ["kind", "priority", "state"], registry=self.registry)
        self._oldest = Gauge(
            "rayon_oldest_waiting_seconds", "Age of the oldest waiting job.", ["priority"], registry=self.registry
        )
        self._out = Gauge("rayon_jobs_out", "Jobs sent or leased.", registry=self.registry)
        self._letters = Gauge("rayon_dead_letters", "Dead letters that nobody replayed.", registry=self.registry)
        self._workers = Gauge("rayon_workers", "Living workers.", ["role"], registry=self.registry)
        self._waiting = Gauge("rayon_waiting_requests", "Requests held by Prefer: wait.", registry=self.registry)

    def exposition(self, backlog: Backlog, waiting_requests: int) -> bytes:
        """The text format, with the backlog as it is now."""
        self._jobs.clear()
        for group in backlog.open_jobs:
            self._jobs.labels(group.kind, group.priority, group.state).set(group.count)
        for priority, age in backlog.oldest.items():
            self._oldest.labels(priority).set(age)
        self._out.set(backlog.count(*OUT_STATES))
        self._letters.set(backlog.dead_letters)
        self._workers.clear()
        for worker in backlog.workers:
            self._workers.labels(worker.role).inc()
        self._waiting.set(waiting_requests)
        return generate_latest(self.registry)


class MeasuredRequests:
    """ASGI middleware: counts and times each request by its route's template, never by its address."""

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

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(scope["method"], route, status).inc()
            self._metrics.seconds.labels(scope["method"], route).observe(time.perf_counter() - started)
