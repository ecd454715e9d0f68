"""One frozen settings object, read from the environment by an explicit call.

Addresses have plain names (``DATABASE_URL`` …); everything else is ``RAYON_`` and the field's name in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import FlowPolicy, RetryPolicy

SWITCHED_OFF = frozenset({"", "none", "off", "no", "false", "0"})
PLAIN_NAMES = ("database_url", "broker_url", "storage_url", "public_url", "secret_key")


class Settings(BaseModel):
    """Everything that can be set. Times are in seconds, sizes in bytes, unless a name says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str
    broker_url: str = ""
    storage_url: str = ""
    public_url: str = "http://127.0.0.1:8700"
    secret_key: str = ""
    home: Path = Path("var")

    # the way through
    lease: float = Field(20, gt=0, description="how long a claim holds without a heartbeat")
    sent_deadline: float = Field(30, gt=0, description="how long a published job may stay unclaimed")
    soft_time_limit: int = Field(120, gt=0)
    hard_time_limit: int = Field(150, gt=0)
    training_time_limit: int = Field(6 * 3600, gt=0)
    attempt_limit: int = Field(8, gt=0)
    deaths_alone_limit: int = Field(3, gt=0)
    first_retry_delay: float = Field(1.0, gt=0)
    longest_retry_delay: float = Field(300.0, gt=0)
    batch_seconds: float = Field(0.5, gt=0, description="how much work one message may carry")
    batch_limit: int = Field(32, gt=0)
    ageing_seconds: float = Field(120.0, gt=0, description="waiting this long lifts a job by one priority")
    relay_interval: float = Field(1.0, gt=0, description="the relay looks at least this often, notified or not")
    worker_timeout: float = Field(15.0, gt=0, description="a worker unseen for this long holds nothing")
    worker_slots: int = Field(
        0, ge=0, description="child processes of a worker of the bulk queue; 0: one a core, at most 8"
    )
    worker_memory_limit: int = Field(1_500_000_000, gt=0, description="a child above this is replaced")

    # intake
    wait_limit: float = Field(30.0, ge=0, description="longest Prefer: wait")
    waiting_requests: int = Field(200, ge=0, description="more waiting requests than this get a plain 202")
    backlog_limit_interactive: float = Field(30.0, gt=0)
    backlog_limit_pipeline: float = Field(1800.0, gt=0)
    backlog_limit_import: float = Field(6 * 3600.0, gt=0)
    upload_limit: int = Field(20_000_000, gt=0)
    upload_expires: int = Field(900, gt=0)
    session_hours: int = Field(12, gt=0)

    # fetching images that sellers named by address
    fetch_allow_private: bool = False
    fetch_allowed_hosts: str = Field("", description="comma-separated; empty allows every public host")
    fetch_bytes: int = Field(20_000_000, gt=0)
    fetch_pixels: int = Field(120_000_000, gt=0)
    fetch_seconds: float = Field(20.0, gt=0)

    # product databases
    contact: str = Field(
        "", pattern=r"^[ -~]*$", description="an e-mail or web address of yours, which product databases ask to be told"
    )
    sources_address: str = Field(
        "", description="where product databases are, if not at home: one address, or name=address with commas between"
    )
    source_languages: str = Field("en,fr", description="comma-separated, the languages of texts, the best first")
    source_page_size: int = Field(100, ge=1, le=100, description="products asked for at once")
    source_file_page: int = Field(10_000, ge=1, le=50_000, description="products of an export taken in at once")
    source_searches: int = Field(10, ge=1, description="searches a minute; a database at home gets no more than 10")
    source_reads: int = Field(15, ge=1, description="products read one by one a minute; at home no more than 15")
    photo_requests: int = Field(
        120, ge=1, description="photos fetched a minute from each host of a product database, by all workers together"
    )
    source_minute: float = Field(60.0, gt=0, description="how long that minute is; at home no less than 60")
    source_failures: int = Field(5, ge=1, description="failures in a row after which a host is left alone")
    source_rest: float = Field(60.0, gt=0, description="for how long at first; twice that each time it fails again")
    source_seconds: float = Field(30.0, gt=0, description="longest that one answer of a database may take")
    source_cache_bytes: int = Field(64_000_000, ge=0, description="answers kept under RAYON_HOME/cache/sources")

    collect_schedule: str = Field("", description="what is collected again and again, see sources.md")
    collect_patience_hours: float = Field(
        24.0, gt=0, description="hours without a page after which an import from a product database is given up"
    )

    # models
    precision_target: float = Field(0.95, gt=0, lt=1)
    serving_precision: Literal["auto", "int8", "bf16", "fp32"] = Field(
        "auto", description="what networks compute in; auto: the fastest that held-out photos show to cost no accuracy"
    )
    photo_extractors: str = Field(
        "", description="comma-separated, what a training describes photos by; empty: the best of the latest study"
    )
    fetch_weights: str = Field(
        "vgg16", description="extractors, comma-separated, whose weights beat fetches from their publisher; or none"
    )

    # feasibility studies
    study_every: float = Field(7 * 24 * 3600.0, ge=0, description="time between the studies that beat begins; 0: none")

    study_ari_feasible: float = Field(0.5, description="adjusted Rand index from which a catalogue counts as feasible")
    study_ari_promising: float = Field(0.25, description="the same for promising")
    study_accuracy_feasible: float = Field(0.85, gt=0, le=1, description="held-out accuracy that counts as feasible")
    study_accuracy_promising: float = Field(0.7, gt=0, le=1, description="the same for promising")

    # retention, in days; rows older than this are purged in chunks
    keep_events: int = Field(90, gt=0)
    keep_idempotency_keys: int = Field(7, gt=0)
    keep_attempts: int = Field(30, gt=0)
    keep_import_rows: int = Field(180, gt=0)
    keep_studies: int = Field(730, gt=0)
    keep_hosts: int = Field(30, gt=0, description="turns and health of the hosts of product databases, since last used")

    def retry_policy(self) -> RetryPolicy:
        """The rules of trying again, in the domain's words."""
        return RetryPolicy(
            attempt_limit=self.attempt_limit,
            deaths_alone_limit=self.deaths_alone_limit,
            first_delay=self.first_retry_delay,
            longest_delay=self.longest_retry_delay,
        )

    def weights_to_fetch(self) -> tuple[str, ...]:
        """The extractors whose weights are fetched unasked; empty when that is switched off."""
        names = (name.strip().lower() for name in self.fetch_weights.split(","))
        return tuple(dict.fromkeys(name for name in names if name not in SWITCHED_OFF))

    def photo_extractors_wanted(self) -> tuple[str, ...]:
        """The photo extractors that a training uses unasked; empty: those of the latest study."""
        names = (name.strip().lower() for name in self.photo_extractors.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    def source_languages_wanted(self) -> tuple[str, ...]:
        """The languages to take texts of products in, the best first."""
        names = (name.strip().lower() for name in self.source_languages.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    def study_bars(self) -> dict[str, float]:
        """The thresholds of a study's verdict."""
        return {
            "ari_feasible": self.study_ari_feasible,
            "ari_promising": self.study_ari_promising,
            "accuracy_feasible": self.study_accuracy_feasible,
            "accuracy_promising": self.study_accuracy_promising,
        }

    def flow_policy(self) -> FlowPolicy:
        """How much the relay sends, in the domain's words."""
        return FlowPolicy(
            batch_seconds=self.batch_seconds,
            batch_limit=self.batch_limit,
            ageing=self.ageing_seconds,
            sent_deadline=self.sent_deadline,
            worker_timeout=self.worker_timeout,
        )


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return field.upper() if field in PLAIN_NAMES else f"RAYON_{field.upper()}"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from a mapping of environment variables.

    Raises InvalidInput that names the variable and what is wrong with it.
    """
    given = {field: environ[variable(field)] for field in Settings.model_fields if environ.get(variable(field))}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors())
        raise InvalidInput(f"the settings cannot be used: {problems}") from error
