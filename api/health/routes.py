"""Health checks, metrics and the backlog, for operators."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

import redis
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.auth import Reader
from api.context import ApiContext, Context
from infra.store.jobs.queries import Backlog, OpenJobCount, WorkerStatus, read_backlog
from infra.store.models import ActiveVersion, active_models, taxonomies_without_model
from pipeline.domain.errors import TransientFailure
from pipeline.domain.job import OUT_STATES, JobState
from pipeline.domain.text import listed

router = APIRouter(tags=["operations"])
BROKER_SECONDS = 1.0


class Part(BaseModel):
    """The state of one part, with a sentence about it."""

    status: Literal["ok", "degraded", "down"]
    detail: str


class JobSummary(BaseModel):
    """Open jobs, dead letters and workers; ``oldest_seconds`` by priority; ``out`` counts jobs at broker or worker."""

    waiting: int
    out: int
    oldest_seconds: dict[str, float]
    jobs: list[OpenJobCount]
    dead_letters: int
    workers: list[WorkerStatus]


@router.get("/healthz")
async def live() -> dict[str, str]:
    """The process answers; nothing else is checked."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "the database does not answer"}})
def ready(context: Context) -> JSONResponse:
    """Ready to accept listings: 503 without the database; any other missing part shows as degraded, and jobs wait."""
    try:
        with context.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            backlog = read_backlog(connection, context.settings.worker_timeout)
            without_model = taxonomies_without_model(connection)
            unreadable = [model for model in active_models(connection) if model.problem]
    except SQLAlchemyError:
        down = Part(status="down", detail="the database does not answer; start it, or check DATABASE_URL")
        return _parts({"database": down}, HTTPStatus.SERVICE_UNAVAILABLE)
    found = {
        "database": Part(status="ok", detail="the database answers"),
        "broker": _try(lambda: _broker(context)),
        "storage": _try(lambda: _storage(context)),
        "model": _models(without_model, unreadable),
        "backlog": _waiting(context, backlog),
        "workers": _part(
            f"{len(backlog.workers)} at work",
            "no worker that categorises has been seen lately: what is accepted waits; start 'rayon worker'",
            good=any(worker.role != "train" for worker in backlog.workers),
        ),
    }
    return _parts(found, HTTPStatus.OK)


@router.get("/metrics", response_class=Response)
def metrics(context: Context) -> Response:
    """The text format of Prometheus."""
    with context.engine.connect() as connection:
        backlog = read_backlog(connection, context.settings.worker_timeout)
    return Response(context.metrics.exposition(backlog, context.hub.waiting), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/jobs/summary")
def summarise_jobs(context: Context, _grant: Reader) -> JobSummary:
    """Open jobs by kind, priority and state, the age (seconds) of the oldest waiting one, dead letters, workers."""
    with context.engine.connect() as connection:
        backlog = read_backlog(connection, context.settings.worker_timeout)
    return JobSummary(
        waiting=backlog.count(JobState.WAITING),
        out=backlog.count(*OUT_STATES),
        oldest_seconds=backlog.oldest,
        jobs=backlog.open_jobs,
        dead_letters=backlog.dead_letters,
        workers=backlog.workers,
    )


def _parts(found: dict[str, Part], status: HTTPStatus) -> JSONResponse:
    worst = "ok" if all(part.status == "ok" for part in found.values()) else "degraded"
    whole = "down" if status is HTTPStatus.SERVICE_UNAVAILABLE else worst
    return JSONResponse({"status": whole, "parts": {k: p.model_dump() for k, p in found.items()}}, status)


def _models(without: list[str], unreadable: list[ActiveVersion]) -> Part:
    wrong = [
        f"this version of Rayon cannot read the active model of {model.taxonomy}, and its listings wait "
        f"({model.problem}); run: {model.remedy()}"
        for model in unreadable
    ]
    if without:
        wrong.append(f"no active model for {listed(without)}: listings there wait for the first one; run 'rayon train'")
    return _part("every taxonomy with listings has an active model", "; ".join(wrong), good=not wrong)


def _part(well: str, badly: str, *, good: bool) -> Part:
    return Part(status="ok" if good else "degraded", detail=well if good else badly)


def _try(look: Callable[[], str]) -> Part:
    try:
        return Part(status="ok", detail=look())
    except (TransientFailure, redis.RedisError, ValueError) as error:
        return Part(status="degraded", detail=str(error))


def _broker(context: ApiContext) -> str:
    if not context.settings.broker_url:
        raise TransientFailure("no broker is set (BROKER_URL): what is accepted waits in the database")
    try:
        with redis.Redis.from_url(
            context.settings.broker_url, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
        ) as client:
            client.ping()
    except redis.RedisError as error:
        raise TransientFailure(
            "the broker does not answer: what is accepted waits in the database until it does"
        ) from error
    return "the broker answers"


def _storage(context: ApiContext) -> str:
    context.storage.ping()
    return "the storage answers"


def _waiting(context: ApiContext, backlog: Backlog) -> Part:
    limits = context.settings
    late = [
        f"{priority} {backlog.oldest.get(priority, 0):.0f} s"
        for priority, limit in (
            ("interactive", limits.backlog_limit_interactive),
            ("pipeline", limits.backlog_limit_pipeline),
            ("import", limits.backlog_limit_import),
        )
        if backlog.oldest.get(priority, 0) > limit
    ]
    return _part(
        f"{backlog.count(JobState.WAITING)} jobs wait, {backlog.count(*OUT_STATES)} are out",
        f"jobs wait too long ({', '.join(late)}): intake of these priorities answers 429; add workers",
        good=not late,
    )
