"""Endpoints for operators: liveness, readiness, Prometheus metrics, and a summary of jobs and workers."""

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
from pipeline.domain.display_text import join_names
from pipeline.domain.errors import TransientFailure
from pipeline.domain.job import OUT_STATES, JobState

router = APIRouter(tags=["operations"])
BROKER_TIMEOUT_SECONDS = 1.0


class ComponentStatus(BaseModel):
    """The status of one component; ``detail`` explains it in a sentence."""

    status: Literal["ok", "degraded", "down"]
    detail: str


class JobSummary(BaseModel):
    """Open jobs, dead letters and workers; ``out`` counts jobs sent to the broker or leased by a worker."""

    waiting: int
    out: int
    oldest_seconds: dict[str, float]
    jobs: list[OpenJobCount]
    dead_letters: int
    workers: list[WorkerStatus]


@router.get("/healthz")
async def live() -> dict[str, str]:
    """Liveness: the process responds; nothing else is checked."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "the database does not answer"}})
def ready(context: Context) -> JSONResponse:
    """Readiness to accept listings: 503 without the database; degraded without another component, and jobs wait."""
    try:
        with context.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            backlog = read_backlog(connection, context.settings.worker_timeout)
            without_model = taxonomies_without_model(connection)
            unreadable = [model for model in active_models(connection) if model.problem]
    except SQLAlchemyError:
        down = ComponentStatus(status="down", detail="the database does not answer; start it, or check DATABASE_URL")
        return _readiness_response({"database": down}, HTTPStatus.SERVICE_UNAVAILABLE)
    components = {
        "database": ComponentStatus(status="ok", detail="the database answers"),
        "broker": _component_status(lambda: _ping_broker(context)),
        "storage": _component_status(lambda: _ping_storage(context)),
        "model": _model_status(without_model, unreadable),
        "backlog": _backlog_status(context, backlog),
        "workers": _status(
            f"{len(backlog.workers)} at work",
            "no categorising worker has been seen lately: accepted listings wait; start 'rayon worker'",
            is_ok=any(worker.role != "train" for worker in backlog.workers),
        ),
    }
    return _readiness_response(components, HTTPStatus.OK)


@router.get("/metrics", response_class=Response)
def metrics(context: Context) -> Response:
    """Metrics in Prometheus's text format."""
    with context.engine.connect() as connection:
        backlog = read_backlog(connection, context.settings.worker_timeout)
    return Response(
        context.metrics.exposition(backlog, context.decision_waiter.waiting), media_type=CONTENT_TYPE_LATEST
    )


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


def _readiness_response(components: dict[str, ComponentStatus], status: HTTPStatus) -> JSONResponse:
    all_ok = all(component.status == "ok" for component in components.values())
    overall = "down" if status is HTTPStatus.SERVICE_UNAVAILABLE else "ok" if all_ok else "degraded"
    parts = {name: component.model_dump() for name, component in components.items()}
    return JSONResponse({"status": overall, "parts": parts}, status)


def _model_status(without_model: list[str], unreadable: list[ActiveVersion]) -> ComponentStatus:
    problems = [
        f"this version of Rayon cannot read the active model of {model.taxonomy}, and its listings wait "
        f"({model.problem}); run: {model.remedy()}"
        for model in unreadable
    ]
    if without_model:
        problems.append(
            f"no active model for {join_names(without_model)}: listings there wait for the first one; run 'rayon train'"
        )
    return _status("every taxonomy with listings has an active model", "; ".join(problems), is_ok=not problems)


def _status(ok_detail: str, degraded_detail: str, *, is_ok: bool) -> ComponentStatus:
    return ComponentStatus(status="ok" if is_ok else "degraded", detail=ok_detail if is_ok else degraded_detail)


def _component_status(check: Callable[[], str]) -> ComponentStatus:
    try:
        return ComponentStatus(status="ok", detail=check())
    except (TransientFailure, redis.RedisError, ValueError) as error:
        return ComponentStatus(status="degraded", detail=str(error))


def _ping_broker(context: ApiContext) -> str:
    if not context.settings.broker_url:
        raise TransientFailure("no broker is configured (BROKER_URL): accepted listings wait in the database")
    try:
        with redis.Redis.from_url(
            context.settings.broker_url,
            socket_timeout=BROKER_TIMEOUT_SECONDS,
            socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        ) as client:
            client.ping()
    except redis.RedisError as error:
        raise TransientFailure(
            "the broker does not answer: accepted listings wait in the database until it does"
        ) from error
    return "the broker answers"


def _ping_storage(context: ApiContext) -> str:
    context.storage.ping()
    return "the storage answers"


def _backlog_status(context: ApiContext, backlog: Backlog) -> ComponentStatus:
    settings = context.settings
    late_priorities = [
        f"{priority} {backlog.oldest.get(priority, 0):.0f} s"
        for priority, limit in (
            ("interactive", settings.backlog_limit_interactive),
            ("pipeline", settings.backlog_limit_pipeline),
            ("import", settings.backlog_limit_import),
        )
        if backlog.oldest.get(priority, 0) > limit
    ]
    return _status(
        f"{backlog.count(JobState.WAITING)} jobs wait, {backlog.count(*OUT_STATES)} are out",
        f"jobs wait too long ({', '.join(late_priorities)}): new listings of these priorities get 429; add workers",
        is_ok=not late_priorities,
    )
