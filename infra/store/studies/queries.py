"""Studies as lists, pages and progress bars show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from infra.store.sql import SQL_FINAL_STATES
from pipeline.domain.study import WEIGHTS, Stage, StudyStatus, TrialStatus

STUDIES = """
    SELECT s.id, t.name AS taxonomy, s.taxonomy_id, s.status, s.stage, s.requested_by, s.plan, s.fingerprint, s.level,
           s.categories, s.listings, s.studied, s.verdict, s.best, s.error, s.created_at, s.ended_at
    FROM studies s JOIN taxonomies t ON t.id = s.taxonomy_id
"""
# A study tells of every source of its taxonomy, so a key bound to sources sees it only when all of them are its own.
SEEN = """
    (:every OR (EXISTS (SELECT 1 FROM sources o WHERE o.taxonomy_id = s.taxonomy_id)
                AND NOT EXISTS (SELECT 1 FROM sources o WHERE o.taxonomy_id = s.taxonomy_id
                                AND o.id <> ALL(CAST(:sources AS bigint[])))))
"""
TRIALS = text(
    """
    SELECT extractor, modality, protocol, status, figures, reason FROM trials WHERE study_id = :id
    ORDER BY modality, extractor, protocol
    """
)
JOBS = text(
    f"""
    SELECT (payload ->> 'study_id')::bigint AS study_id, payload ->> 'stage' AS stage, payload ->> 'name' AS name,
           state, CASE WHEN state IN {SQL_FINAL_STATES} THEN 1 ELSE coalesce(progress, 0) END AS share,
           coalesce(note, '') AS note, extract(epoch FROM coalesce(ended_at, now()) - leased_at)::float8 AS seconds
    FROM jobs WHERE payload ? 'study_id' AND (payload ->> 'study_id')::bigint = ANY(:ids) ORDER BY id
    """
)


def list_studies(
    connection: Connection,
    source_ids: frozenset[int] | None,
    limit: int = 50,
    before_id: int | None = None,
    taxonomy: str | None = None,
) -> list[dict[str, Any]]:
    """Studies of the taxonomies whose sources are all among these (None: every one), newest first."""
    statement = text(
        f"{STUDIES} WHERE {SEEN} AND (CAST(:before AS bigint) IS NULL OR s.id < :before) "
        "AND (CAST(:taxonomy AS text) IS NULL OR t.name = :taxonomy) ORDER BY s.id DESC LIMIT :limit"
    )
    parameters = _seen(source_ids) | {"before": before_id, "taxonomy": taxonomy, "limit": limit}
    found = [dict(row) for row in connection.execute(statement, parameters).mappings()]
    jobs = _jobs(connection, [study["id"] for study in found if study["status"] == StudyStatus.RUNNING])
    return [study | {"progress": _share(study, jobs.get(study["id"], []))} for study in found]


def find_study(connection: Connection, study_id: int, source_ids: frozenset[int] | None) -> dict[str, Any] | None:
    """One study with its trials (the figures of those that are done, flat), or None."""
    statement = text(f"{STUDIES} WHERE {SEEN} AND s.id = :id")
    row = connection.execute(statement, _seen(source_ids) | {"id": study_id}).mappings().first()
    if row is None:
        return None
    trials = [
        {**(trial.pop("figures") or {}), **trial}
        for trial in (dict(found) for found in connection.execute(TRIALS, {"id": study_id}).mappings())
    ]
    jobs = _jobs(connection, [study_id]).get(study_id, [])
    return dict(row) | {"progress": _share(row, jobs), "trials": trials}


def latest_study(connection: Connection, taxonomy_id: int) -> int | None:
    """The last study of a taxonomy that came to a conclusion; None when there is none."""
    statement = text("SELECT max(id) FROM studies WHERE taxonomy_id = :taxonomy AND status = 'done'")
    found = connection.scalar(statement, {"taxonomy": taxonomy_id})
    return None if found is None else int(found)


def study_progress(connection: Connection, study_id: int) -> dict[str, Any]:
    """How far a study is: share and stage, what is being done (``doing``), and the same for each of its jobs.

    Trials that wait for their stage are listed too; ``compared`` and ``supervised`` fill when their stages begin.
    """
    row = connection.execute(text(f"{STUDIES} WHERE s.id = :id"), {"id": study_id}).mappings().first()
    if row is None:
        return {"share": 0.0, "stage": Stage.SAMPLE.value, "doing": "", "trials": [], "compared": [], "supervised": []}
    jobs = _jobs(connection, [study_id]).get(study_id, [])
    by_name = {(job["stage"], job["name"]): job for job in jobs}
    combining = by_name.get((Stage.COMBINE.value, None))
    trials: dict[str, dict[str, Any]] = {}
    for trial in connection.execute(TRIALS, {"id": study_id}).mappings():
        job = by_name.get((Stage.TRIAL.value, trial["extractor"])) or combining
        seconds = (trial["figures"] or {}).get("seconds")
        entry = {"extractor": trial["extractor"], "modality": trial["modality"], "reason": trial["reason"]}
        trials[trial["extractor"]] = entry | _doing(trial["status"], job) | {"seconds": seconds}
    later: dict[str, list[dict[str, Any]]] = {Stage.COMPARE.value: [], Stage.SUPERVISED.value: []}
    for job in jobs:
        if job["stage"] in later:
            entry = {"extractor": job["name"], "reason": None, "seconds": job["seconds"]}
            later[job["stage"]].append(entry | _doing(_ending(job), job))
    at_work = [job["note"] for job in jobs if job["state"] == "leased" and job["note"]]
    share = _share(row, jobs)
    return {"share": share, "stage": row["stage"], "doing": "; ".join(at_work), "trials": list(trials.values())} | {
        "compared": later[Stage.COMPARE.value],
        "supervised": later[Stage.SUPERVISED.value],
    }


def _jobs(connection: Connection, study_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if study_ids:
        for row in connection.execute(JOBS, {"ids": study_ids}).mappings():
            found.setdefault(row["study_id"], []).append(dict(row))
    return found


def _share(study: Any, jobs: Iterable[dict[str, Any]]) -> float:
    """The stages before the present one count in full; the present one by its jobs."""
    if study["status"] != StudyStatus.RUNNING:
        return 1.0
    share = 0.0
    for stage, weight in WEIGHTS.items():
        if stage == study["stage"]:
            shares = [job["share"] for job in jobs if job["stage"] == stage]
            return round(share + weight * (sum(shares) / len(shares) if shares else 0.0), 4)
        share += weight
    return share


def _ending(job: dict[str, Any]) -> str:
    return {"done": TrialStatus.DONE.value, "dead": TrialStatus.FAILED.value}.get(
        job["state"], TrialStatus.WAITING.value
    )


def _doing(status: str, job: dict[str, Any] | None) -> dict[str, Any]:
    running = status == TrialStatus.WAITING and job is not None and job["state"] == "leased"
    share = 1.0 if status != TrialStatus.WAITING else (job["share"] if job is not None else 0.0)
    return {
        "status": "running" if running else status,
        "share": round(share, 4),
        "doing": job["note"] if running and job is not None else "",
    }


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}
