"""Studies on Postgres: asked for, frozen to their listings, written as their stages find things, concluded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, text

from infra.store.listings.labels import LABEL, LABELLING
from infra.store.notifications import wake_relay
from infra.store.sql import storable
from infra.store.studies import stages
from pipeline.domain.errors import NotFound
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content
from pipeline.domain.prediction import Modality
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.study import Candidate, Feasibility, Protocol, Stage, Study, StudyPlan, StudyStatus, TrialStatus

BEGIN = text(
    """
    INSERT INTO studies (taxonomy_id, plan, requested_by, unique_key)
    VALUES (:taxonomy, CAST(:plan AS jsonb), :by, :key) ON CONFLICT DO NOTHING RETURNING id
    """
)
# The one in the way: of the same period, or still running.
FOUND = text(
    """
    SELECT id FROM studies WHERE unique_key = :key OR (taxonomy_id = :taxonomy AND status = 'running')
    ORDER BY id DESC LIMIT 1
    """
)
READ = text(
    """
    SELECT s.id, s.taxonomy_id, t.name AS taxonomy, s.plan, s.status, s.created_at
    FROM studies s JOIN taxonomies t ON t.id = s.taxonomy_id WHERE s.id = :id
    """
)
CANDIDATES = text(
    f"""
    SELECT l.id, r.id, l.external_id, {LABEL}, i.storage_key, i.reference, p.database
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
    LEFT JOIN provenances p ON p.listing_id = l.id
    LEFT JOIN LATERAL (SELECT storage_key, reference FROM images i WHERE i.revision_id = r.id
                       AND i.status IN ('stored', 'pending') ORDER BY i.position LIMIT 1) i ON true {LABELLING}
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL} IS NOT NULL
    ORDER BY l.id
    """
)
CONTENTS = text("SELECT id, name, description, attributes FROM revisions WHERE id = ANY(:ids)")
FREEZE = text(
    """
    UPDATE studies SET fingerprint = :fingerprint, level = :level, categories = :categories, listings = :listings,
           studied = :studied, agenda = CAST(:agenda AS jsonb) WHERE id = :id
    """
)
EXPECT = text(
    """
    INSERT INTO trials (study_id, extractor, modality, protocol)
    SELECT :id, e.name, CAST(e.modality AS modality), p.protocol
    FROM unnest(CAST(:names AS text[]), CAST(:modalities AS text[])) AS e(name, modality)
    CROSS JOIN unnest(enum_range(NULL::study_protocol)) AS p(protocol)
    ON CONFLICT (study_id, extractor, protocol) DO NOTHING
    """
)
WRITE_TRIAL = text(
    """
    INSERT INTO trials (study_id, extractor, modality, protocol, status, figures, reason, ended_at)
    VALUES (:id, :extractor, CAST(:modality AS modality), CAST(:protocol AS study_protocol),
            CAST(:status AS trial_status), CAST(:figures AS jsonb), :reason, now())
    ON CONFLICT (study_id, extractor, protocol) DO UPDATE
    SET status = excluded.status, figures = excluded.figures, reason = excluded.reason, ended_at = excluded.ended_at
    """
)
AGENDA = text("UPDATE studies SET agenda = agenda || CAST(:more AS jsonb) WHERE id = :id")
CONCLUDE = text(
    """
    UPDATE studies SET status = 'done', verdict = CAST(:verdict AS feasibility), best = CAST(:best AS jsonb),
           ended_at = now() WHERE id = :id AND status = 'running'
    """
)
FAIL = text(
    "UPDATE studies SET status = 'failed', error = :error, ended_at = now() WHERE id = :id AND status = 'running'"
)
PAST = text(
    """
    SELECT p.id AS study_id, p.created_at, p.fingerprint, p.listings, p.studied, p.level, p.verdict, p.best
    FROM studies p JOIN studies s ON s.taxonomy_id = p.taxonomy_id
    WHERE s.id = :id AND p.id < s.id AND p.status = 'done' ORDER BY p.id
    """
)
# Enough to tell categories apart; the study itself looks closer.
WORTH_IT = text(
    f"""
    SELECT s.taxonomy_id FROM listings l JOIN sources s ON s.id = l.source_id
    JOIN revisions r ON r.id = l.current_revision_id {LABELLING}
    WHERE l.withdrawn_at IS NULL AND {LABEL} IS NOT NULL
    GROUP BY s.taxonomy_id HAVING count(*) >= :enough ORDER BY s.taxonomy_id
    """
)


def request_study(
    connection: Connection,
    taxonomy_id: int,
    plan: StudyPlan,
    requested_by: str | None,
    unique_key: str | None = None,
    priority: Priority = Priority.PIPELINE,
) -> tuple[int, bool]:
    """Ask for a study of a taxonomy; returns its id, and False when it was there already.

    One that runs is returned instead of another of the same taxonomy, and one of the same ``unique_key`` always. The
    caller commits.
    """
    wanted = {
        "taxonomy": taxonomy_id,
        "plan": json.dumps(asdict(plan)),
        "by": storable(requested_by),
        "key": unique_key,
    }
    while True:
        study_id = connection.scalar(BEGIN, wanted)
        if study_id is not None:
            stages.add_jobs(connection, study_id, Stage.SAMPLE, [None], priority)
            wake_relay(connection)
            return int(study_id), True
        found = connection.scalar(FOUND, {"taxonomy": taxonomy_id, "key": unique_key})
        # None: the one in the way has ended in this very moment.
        if found is not None:
            return int(found), False


class SqlStudies:
    """Implements ``pipeline.ports.repositories.StudyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, study_id: int) -> Study:
        """A study; NotFound when there is none."""
        row = self._connection.execute(READ, {"id": study_id}).first()
        if row is None:
            raise NotFound(f"there is no study {study_id}")
        plan, status = StudyPlan.read(row.plan), StudyStatus(row.status)
        past = self._connection.execute(PAST, {"id": study_id}).mappings()
        trend = tuple({**found, "created_at": found["created_at"].isoformat()} for found in past)
        return Study(row.id, row.taxonomy_id, row.taxonomy, plan, status, row.created_at, trend)

    def begin_due(self, plan: StudyPlan, period: int, enough: int) -> list[int]:
        """Begin a study of every taxonomy with ``enough`` labelled listings that has none of the period, or running.

        Studies that nobody asked for give way to what people ask for.
        """
        begun = []
        for taxonomy_id in list(self._connection.scalars(WORTH_IT, {"enough": enough})):
            key = f"study:{taxonomy_id}:{period}"
            study_id, new = request_study(self._connection, taxonomy_id, plan, None, key, Priority.BACKFILL)
            begun += [study_id] if new else []
        return begun

    def candidates(self, taxonomy_id: int) -> list[Candidate]:
        """The labelled listings of a taxonomy in the order of their arrival, see ``infra.store.listings.labels``."""
        rows = self._connection.execute(CANDIDATES, {"taxonomy": taxonomy_id}, execution_options={"yield_per": 2000})
        return [_candidate(row) for row in rows]

    def contents(self, revision_ids: Sequence[int]) -> list[Content]:
        """The texts of these revisions, in their order; one whose listing was deleted has none left."""
        rows = self._connection.execute(CONTENTS, {"ids": list(revision_ids)})
        found = {row.id: Content(row.name, row.description, row.attributes) for row in rows}
        gone = Content("")
        return [found.get(revision_id, gone) for revision_id in revision_ids]

    def freeze(self, study_id: int, facts: Mapping[str, Any], extractors: Mapping[str, Modality]) -> None:
        """Write what is studied (fingerprint, level, counts) and the trials to come, each with both protocols."""
        agenda = {Stage.TRIAL: list(extractors)}
        self._connection.execute(FREEZE, {"id": study_id, **facts, "agenda": json.dumps(agenda)})
        self._connection.execute(
            EXPECT, {"id": study_id, "names": list(extractors), "modalities": list(extractors.values())}
        )

    def write_trials(self, study_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write how trials ended, as rows of the report; the same trial again replaces its row."""
        for row in rows:
            done = row["status"] == TrialStatus.DONE
            parameters = {
                "id": study_id,
                "extractor": row["extractor"],
                "modality": Modality(row["modality"]),
                "protocol": Protocol(row["protocol"]),
                "status": TrialStatus(row["status"]),
                "figures": json.dumps(dict(row)) if done else None,
                "reason": None if done else storable(row["reason"]),
            }
            self._connection.execute(WRITE_TRIAL, parameters)

    def add_to_agenda(self, study_id: int, stage: Stage, names: Sequence[str]) -> None:
        """Name the jobs that a later stage will have."""
        self._connection.execute(AGENDA, {"id": study_id, "more": json.dumps({stage: list(names)})})

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[str, float | None]) -> None:
        """Write the verdict and the best ARI of each modality; a study that has ended stays as it is."""
        self._connection.execute(CONCLUDE, {"id": study_id, "verdict": verdict, "best": json.dumps(dict(best))})

    def fail(self, study_id: int, error: str) -> None:
        """End a study that found nothing; a study that has ended stays as it is."""
        self._connection.execute(FAIL, {"id": study_id, "error": storable(error)})


def _candidate(row: Any) -> Candidate:
    known = DATABASES.get(row.database or "")
    attribution = None if known is None else known.licence.attribution
    return Candidate(row[0], row[1], row[2], row[3], row[4], row[5], attribution)
