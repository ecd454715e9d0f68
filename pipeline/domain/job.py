"""Job: the outbox row that is the work itself, and the rules of its life.

``waiting → sent → leased → done | superseded | dead``. Postgres holds the state; a broker only carries ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. ``done``, ``superseded`` and ``dead`` are final."""

    WAITING = "waiting"
    SENT = "sent"
    LEASED = "leased"
    DONE = "done"
    SUPERSEDED = "superseded"
    DEAD = "dead"


OPEN_STATES = (JobState.WAITING, JobState.SENT, JobState.LEASED)
OUT_STATES = (JobState.SENT, JobState.LEASED)  # at the broker, or in the hands of a worker
FINAL_STATES = (JobState.DONE, JobState.SUPERSEDED, JobState.DEAD)


class Priority(StrEnum):
    """Who waits for the answer; earlier members go first, age lifts the later ones."""

    INTERACTIVE = "interactive"
    PIPELINE = "pipeline"
    IMPORT = "import"
    BACKFILL = "backfill"


class JobKind(StrEnum):
    """What a job asks for."""

    CATEGORISE = "categorise"
    TRAIN = "train"
    PURGE = "purge"
    STUDY = "study"
    COLLECT = "collect"
    MAP = "map"


class Queue(StrEnum):
    """The broker's queues; ``interactive`` has slots of its own, ``training`` is niced, ``collecting`` mostly waits."""

    INTERACTIVE = "interactive"
    CATEGORISE = "categorise"
    TRAINING = "training"
    COLLECTING = "collecting"


def queue_of(kind: JobKind, priority: Priority) -> Queue:
    """The queue that carries a job of this kind and priority."""
    if kind is JobKind.COLLECT:
        return Queue.COLLECTING
    if kind is not JobKind.CATEGORISE:
        return Queue.TRAINING
    return Queue.INTERACTIVE if priority is Priority.INTERACTIVE else Queue.CATEGORISE


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late a job is tried again; all times in seconds."""

    attempt_limit: int = 8
    deaths_alone_limit: int = 3
    first_delay: float = 1.0
    longest_delay: float = 300.0

    def delay(self, attempt: int, jitter: float) -> float:
        """Seconds to wait after attempt number ``attempt`` (from 1); ``jitter`` in [0, 1) takes up to half away."""
        full = min(self.first_delay * 2.0 ** min(max(attempt - 1, 0), 60), self.longest_delay)
        return full * (1.0 - 0.5 * jitter)


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    RETRY = "retry"
    REQUEUED = "requeued"
    FAILED = "failed"
    DIED = "died"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """How much the relay sends, and how it orders what waits; times in seconds.

    ``ageing`` is the waiting time that lifts a job by one priority. A message carries about ``batch_seconds`` of work.
    """

    batch_seconds: float = 0.5
    batch_limit: int = 32
    ageing: float = 120.0
    sent_deadline: float = 30.0
    worker_timeout: float = 15.0
