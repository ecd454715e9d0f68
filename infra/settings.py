"""The settings: one frozen object, read from the environment by an explicit call.

URLs and the secret key have plain variable names (``DATABASE_URL`` …); all other variables are ``RAYON_`` followed by
the field's name in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import FlowPolicy, RetryPolicy
from pipeline.domain.retention import ExpiringRows, RetentionPolicy
from pipeline.domain.study_report import FeasibilityThresholds

OFF_VALUES = frozenset({"", "none", "off", "no", "false", "0"})
UNPREFIXED_FIELDS = ("database_url", "broker_url", "storage_url", "public_url", "secret_key")


class Settings(BaseModel):
    """All settings. Times are in seconds, sizes in bytes, unless a name says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(description="address of Postgres, with pgvector")
    broker_url: str = Field("", description="address of Redis")
    storage_url: str = Field("", description="address of the object storage; empty: a folder in RAYON_HOME")
    public_url: str = Field("http://127.0.0.1:8700", description="the address users see")
    secret_key: str = Field("", description="signs sessions and uploads; the same for every process")
    home: Path = Field(Path("var"), description="the folder of the embedded stack, caches and downloads")

    # jobs, from the outbox to the workers
    lease: float = Field(20, gt=0, description="how long a claim lasts without a heartbeat")
    sent_deadline: float = Field(30, gt=0, description="how long a published job may stay unclaimed")
    soft_time_limit: int = Field(120, gt=0, description="a task longer than this gets an exception")
    hard_time_limit: int = Field(150, gt=0, description="a task longer than this is killed")
    training_time_limit: int = Field(
        6 * 3600,
        gt=0,
        description="the same for a long job, such as a training or a job of a study",
    )
    import_max_rejected: float = Field(
        0.5, ge=0, le=1, description="share of rejected rows above which 'rayon import' ends with exit code 1"
    )
    attempt_limit: int = Field(8, gt=0, description="failures after which a job becomes a dead letter")
    deaths_alone_limit: int = Field(
        3, gt=0, description="worker deaths on a job taken alone after which it becomes a dead letter"
    )
    first_retry_delay: float = Field(1.0, gt=0, description="delay after the first failure; doubles with each")
    longest_retry_delay: float = Field(300.0, gt=0, description="maximum of these delays")
    batch_seconds: float = Field(0.5, gt=0, description="how many seconds of work one message may carry")
    batch_limit: int = Field(32, gt=0, description="how many jobs one message may carry")
    ageing_seconds: float = Field(120.0, gt=0, description="waiting this long raises a job by one priority")
    relay_interval: float = Field(1.0, gt=0, description="the relay polls at least this often, notified or not")
    worker_timeout: float = Field(15.0, gt=0, description="a worker without a heartbeat for this long counts as gone")
    worker_slots: int = Field(
        0, ge=0, description="child processes of a worker of the bulk queue; 0: one per core, at most 8"
    )
    worker_memory_limit: int = Field(
        1_500_000_000, gt=0, description="a child process that uses more memory than this is replaced"
    )

    # intake
    wait_limit: float = Field(30.0, ge=0, description="longest Prefer: wait")
    waiting_requests: int = Field(200, ge=0, description="above this many waiting requests, others get a 202 at once")
    backlog_limit_interactive: float = Field(
        30.0, gt=0, description="interactive listings are refused (429) while the oldest has waited longer than this"
    )
    backlog_limit_pipeline: float = Field(1800.0, gt=0, description="the same for listings of the pipeline")
    backlog_limit_import: float = Field(6 * 3600.0, gt=0, description="the same for imports")
    upload_limit: int = Field(20_000_000, gt=0, description="largest upload")
    upload_expires: int = Field(900, gt=0, description="how long an upload address is valid")
    session_hours: int = Field(12, gt=0, description="hours until a user has to log in again")

    # photos at the URLs that sellers give
    fetch_allow_private: bool = Field(default=False, description="also fetch from private networks")
    fetch_allowed_hosts: str = Field("", description="comma-separated; empty allows every public host")
    fetch_bytes: int = Field(20_000_000, gt=0, description="largest photo")
    fetch_pixels: int = Field(120_000_000, gt=0, description="maximum number of pixels of a photo")
    fetch_seconds: float = Field(20.0, gt=0, description="longest time for one photo")

    # product databases
    contact: str = Field(
        "", pattern=r"^[ -~]*$", description="your e-mail or web address, sent to product databases, which ask for one"
    )
    sources_address: str = Field(
        "", description="where product databases are, if not at their own address: one address, or name=address entries"
    )
    source_languages: str = Field(
        "en,fr", description="comma-separated languages of product texts, the preferred one first"
    )
    source_page_size: int = Field(100, ge=1, le=100, description="products per request")
    source_file_page: int = Field(
        10_000,
        ge=1,
        le=50_000,
        description="products of an export imported at once: more is faster but takes more memory",
    )
    source_searches: int = Field(10, ge=1, description="searches per minute; at most 10 at a database's own address")
    source_reads: int = Field(15, ge=1, description="requests for single products per minute; likewise at most 15")
    photo_requests: int = Field(
        120, ge=1, description="photos fetched per minute from each host of a product database, by all workers together"
    )
    source_minute: float = Field(60.0, gt=0, description="length of that minute; at least 60 at their own address")
    source_failures: int = Field(5, ge=1, description="consecutive failures after which a host is paused")
    source_rest: float = Field(60.0, gt=0, description="length of the first pause; doubles with each further failure")
    source_seconds: float = Field(30.0, gt=0, description="longest time for one response of a database")
    source_cache_bytes: int = Field(64_000_000, ge=0, description="size of the cache in RAYON_HOME/cache/sources")

    collect_schedule: str = Field("", description="queries that are collected on a schedule, see sources.md")
    collect_patience_hours: float = Field(
        24.0, gt=0, description="hours without a page after which an import from a product database fails"
    )

    # models
    precision_target: float = Field(0.95, gt=0, lt=1, description="precision that thresholds are chosen for")
    serving_precision: Literal["auto", "int8", "bf16", "fp32"] = Field(
        "auto", description="precision of networks; auto: the fastest that loses no accuracy on held-out photos"
    )
    photo_extractors: str = Field(
        "", description="comma-separated photo extractors of a training; empty: those that help on held-out photos"
    )
    fetch_weights: str = Field(
        "vgg16", description="comma-separated extractors whose weights beat fetches from their publishers; or none"
    )

    # feasibility studies
    study_every: float = Field(7 * 24 * 3600.0, ge=0, description="time between the studies that beat starts; 0: none")

    study_ari_feasible: float = Field(0.5, description="adjusted Rand index from which a catalogue counts as feasible")
    study_ari_promising: float = Field(0.25, description="the same for promising")
    study_accuracy_feasible: float = Field(0.85, gt=0, le=1, description="held-out accuracy that counts as feasible")
    study_accuracy_promising: float = Field(0.7, gt=0, le=1, description="the same for promising")

    # retention; older rows are deleted in chunks
    keep_events: int = Field(90, gt=0, description="days that events are kept")
    keep_idempotency_keys: int = Field(7, gt=0, description="days that idempotency keys are kept")
    keep_attempts: int = Field(30, gt=0, description="days that attempts of jobs are kept")
    keep_import_rows: int = Field(180, gt=0, description="days that verdicts on rows are kept")
    keep_studies: int = Field(730, gt=0, description="days that studies are kept")
    keep_hosts: int = Field(30, gt=0, description="days that rate limits and health of unused hosts are kept")

    def retry_policy(self) -> RetryPolicy:
        """The retry policy of jobs."""
        return RetryPolicy(
            attempt_limit=self.attempt_limit,
            deaths_alone_limit=self.deaths_alone_limit,
            first_delay=self.first_retry_delay,
            longest_delay=self.longest_retry_delay,
        )

    def retention_policy(self) -> RetentionPolicy:
        """How long old rows and studies are kept."""
        return RetentionPolicy(
            days={
                ExpiringRows.EVENTS: self.keep_events,
                ExpiringRows.IDEMPOTENCY_KEYS: self.keep_idempotency_keys,
                ExpiringRows.ATTEMPTS: self.keep_attempts,
                ExpiringRows.IMPORT_ROWS: self.keep_import_rows,
                ExpiringRows.IMPORT_DIFFERENCES: self.keep_import_rows,
                ExpiringRows.HOST_SLOTS: self.keep_hosts,
                ExpiringRows.HOST_HEALTH: self.keep_hosts,
            },
            study_days=self.keep_studies,
        )

    def weights_to_fetch(self) -> tuple[str, ...]:
        """The extractors whose weights are fetched in the background; empty when this is switched off."""
        names = (name.strip().lower() for name in self.fetch_weights.split(","))
        return tuple(dict.fromkeys(name for name in names if name not in OFF_VALUES))

    def photo_extractors_wanted(self) -> tuple[str, ...]:
        """The photo extractors of a training that names none; empty for those of the latest study."""
        names = (name.strip().lower() for name in self.photo_extractors.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    def source_language_codes(self) -> tuple[str, ...]:
        """The languages of product texts, the preferred one first."""
        names = (name.strip().lower() for name in self.source_languages.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    def feasibility_thresholds(self) -> FeasibilityThresholds:
        """The thresholds of a study's verdict."""
        return FeasibilityThresholds(
            ari_feasible=self.study_ari_feasible,
            ari_promising=self.study_ari_promising,
            accuracy_feasible=self.study_accuracy_feasible,
            accuracy_promising=self.study_accuracy_promising,
        )

    def flow_policy(self) -> FlowPolicy:
        """The limits on what the relay sends."""
        return FlowPolicy(
            batch_seconds=self.batch_seconds,
            batch_limit=self.batch_limit,
            ageing=self.ageing_seconds,
            sent_deadline=self.sent_deadline,
            worker_timeout=self.worker_timeout,
        )


def variable(field: str) -> str:
    """The name of the environment variable that sets a field."""
    return field.upper() if field in UNPREFIXED_FIELDS else f"RAYON_{field.upper()}"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from a mapping of environment variables.

    Raises InvalidInput, which names each invalid variable and its problem.
    """
    values = {field: environ[variable(field)] for field in Settings.model_fields if environ.get(variable(field))}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{variable(str(problem['loc'][0]))}: {problem['msg']}" for problem in error.errors())
        raise InvalidInput(f"the settings cannot be used: {problems}") from error
