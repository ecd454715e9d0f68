"""Jobs, the rows of the outbox: their states, batches, and the policies for retries and flow control.

``waiting → sent → leased → done | superseded | dead``. The state is in Postgres; the broker carries only ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.reason import Reason


class JobState(StrEnum):
    """The state of a job; ``done``, ``superseded`` and ``dead`` are final."""

    WAITING = "waiting"
    SENT = "sent"
    LEASED = "leased"
    DONE = "done"
    SUPERSEDED = "superseded"
    DEAD = "dead"


OPEN_STATES = (JobState.WAITING, JobState.SENT, JobState.LEASED)
OUT_STATES = (JobState.SENT, JobState.LEASED)  # at the broker, or claimed by a worker
FINAL_STATES = (JobState.DONE, JobState.SUPERSEDED, JobState.DEAD)


class Priority(StrEnum):
    """The priority of a job, by its origin, highest first; waiting jobs move up with age."""

    INTERACTIVE = "interactive"
    PIPELINE = "pipeline"
    IMPORT = "import"
    BACKFILL = "backfill"


class JobKind(StrEnum):
    """The kinds of jobs. All but ``categorise`` are long jobs."""

    CATEGORISE = "categorise"
    TRAIN = "train"
    PURGE = "purge"
    STUDY = "study"
    COLLECT = "collect"
    MAP = "map"


class Queue(StrEnum):
    """The broker's queues: ``interactive`` has reserved slots, ``training`` is niced, ``collecting`` mostly waits."""

    INTERACTIVE = "interactive"
    CATEGORISE = "categorise"
    TRAINING = "training"
    COLLECTING = "collecting"


def queue_of(kind: JobKind, priority: Priority) -> Queue:
    """The queue for jobs of this kind and priority."""
    if kind is JobKind.COLLECT:
        return Queue.COLLECTING
    if kind is not JobKind.CATEGORISE:
        return Queue.TRAINING
    return Queue.INTERACTIVE if priority is Priority.INTERACTIVE else Queue.CATEGORISE


class AttemptOutcome(StrEnum):
    """The outcome of an attempt: ``requeued`` is not a failure; ``fenced`` ended after its lease and wrote nothing."""

    DONE = "done"
    RETRY = "retry"
    REQUEUED = "requeued"
    FAILED = "failed"
    DIED = "died"
    FENCED = "fenced"


class RetryCause(StrEnum):
    """The cause of a retry; only ``failure`` counts towards the limit of attempts."""

    FAILURE = "failure"
    UNREADABLE_MODEL = "unreadable_model"  # the listing is fine; this program cannot read the active model
    HOST_BUSY = "host_busy"  # the host of the photo accepts no request yet


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry of a job: its cause, the error, and the delay in ``seconds``."""

    cause: RetryCause
    seconds: float
    error: Reason

    @property
    def is_failure(self) -> bool:
        """Whether the attempt counts as a failure of the job."""
        return self.cause is RetryCause.FAILURE


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of attempts at a job, and the delays between them in seconds.

    ``deaths_alone_limit`` is how often its worker may die while working on this job only.
    """

    attempt_limit: int = 8
    deaths_alone_limit: int = 3
    first_delay: float = 1.0
    longest_delay: float = 300.0

    def delay(self, attempt: int, jitter: float) -> float:
        """Seconds to wait after attempt number ``attempt`` (from 1); ``jitter`` in [0, 1) shortens it by up to half."""
        longest = min(self.first_delay * 2.0 ** min(max(attempt - 1, 0), 60), self.longest_delay)
        return longest * (1.0 - 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """How many jobs the relay sends, and in which order; times in seconds.

    ``ageing`` is the waiting time that raises a job by one priority. A message carries about ``batch_seconds`` of work,
    at most ``batch_limit`` jobs. A sent job that is not claimed within ``sent_deadline`` is sent again. A worker that
    has not announced itself for ``worker_timeout`` counts as dead.
    """

    batch_seconds: float = 0.5
    batch_limit: int = 32
    ageing: float = 120.0
    sent_deadline: float = 30.0
    worker_timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """Counts of a sweep: jobs that were not claimed, jobs whose worker died, and how many of those failed for good."""

    unclaimed: int = 0
    died: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class AnnouncedWorker:
    """A worker process that announces that it is alive; ``memory`` in bytes, including its child processes."""

    name: str
    role: str
    queue: Queue
    slots: int
    memory: int = 0


@dataclass(frozen=True, slots=True)
class OpenDeadLetter:
    """A dead letter that has not been replayed.

    ``is_current`` means that the job is still worth doing: its revision is the current one of a listing that is not
    withdrawn, or it has no revision (``revision_id`` None).
    """

    id: int
    job_id: int
    revision_id: int | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class Requested:
    """The id of a requested training, study, import or collection; ``is_new`` is False if it existed already."""

    id: int
    is_new: bool


UNKNOWN_SPEED_BATCH = 8  # listings per message while the speed of the workers is unknown


@dataclass(frozen=True, slots=True)
class Batch:
    """The ids of jobs that are sent in one message."""

    queue: Queue
    kind: JobKind
    priority: Priority
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobToSend:
    """A job that is due. It is sent ``alone`` after a worker died while working on it and others."""

    job_id: int
    kind: JobKind
    priority: Priority
    alone: bool


def batch_size(queue: Queue, seconds_per_listing: float | None, policy: FlowPolicy) -> int:
    """The maximum number of jobs per message; more than one only on the queue ``categorise``."""
    if queue is not Queue.CATEGORISE:
        return 1
    if not seconds_per_listing:
        return min(UNKNOWN_SPEED_BATCH, policy.batch_limit)
    return max(1, min(int(policy.batch_seconds / seconds_per_listing), policy.batch_limit))


def group_into_batches(queue: Queue, jobs: Iterable[JobToSend], size: int) -> list[Batch]:
    """Group jobs, sorted by urgency, into batches of one kind and priority with at most ``size`` jobs.

    The batches are sorted by their most urgent job. A long job has a batch of its own.
    """
    batches: list[tuple[JobKind, Priority, list[int]]] = []
    last_batch: dict[tuple[JobKind, Priority], list[int]] = {}
    for job in jobs:
        is_grouped = job.kind is JobKind.CATEGORISE and not job.alone
        job_ids = last_batch.get((job.kind, job.priority)) if is_grouped else None
        if job_ids is None or len(job_ids) == size:
            job_ids = []
            batches.append((job.kind, job.priority, job_ids))
            if is_grouped:
                last_batch[job.kind, job.priority] = job_ids
        job_ids.append(job.job_id)
    return [Batch(queue, kind, priority, tuple(job_ids)) for kind, priority, job_ids in batches]
