"""Studies on Postgres: requests, drawn listings, results of the stages, and verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, text

from infra.store.listings.labelled_listings import JOIN_LABEL, LABEL_COLUMN
from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import reason_json_text, reason_text, storable
from infra.store.studies import stages
from pipeline.domain.errors import NotFound
from pipeline.domain.job import Priority, Requested
from pipeline.domain.listing import Content
from pipeline.domain.prediction import Modality
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import (
    Candidate,
    Feasibility,
    PastStudy,
    SampleFacts,
    Stage,
    Study,
    StudyPlan,
    StudyRequest,
    StudyStatus,
    TrialStatus,
)
from pipeline.domain.study_report import Trial

INSERT_STUDY = text(
    """
    INSERT INTO studies (taxonomy_id, plan, requested_by, unique_key)
    VALUES (:taxonomy, CAST(:plan AS jsonb), :by, :key) ON CONFLICT DO NOTHING RETURNING id
    """
)
SELECT_CONFLICTING_STUDY = text(
    """
    SELECT id FROM studies WHERE unique_key = :key OR (taxonomy_id = :taxonomy AND status = 'running')
    ORDER BY id DESC LIMIT 1
    """
)
SELECT_STUDY = text(
    """
    SELECT s.id, s.taxonomy_id, t.name AS taxonomy, s.plan, s.status, s.created_at
    FROM studies s JOIN taxonomies t ON t.id = s.taxonomy_id WHERE s.id = :id
    """
)
SELECT_CANDIDATES = text(
    f"""
    SELECT l.id, r.id, l.external_id, {LABEL_COLUMN}, i.storage_key, i.reference, p.database
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
    LEFT JOIN provenances p ON p.listing_id = l.id
    LEFT JOIN LATERAL (SELECT storage_key, reference FROM images i WHERE i.revision_id = r.id
                       AND i.status IN ('stored', 'pending') ORDER BY i.position LIMIT 1) i ON true {JOIN_LABEL}
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL
    ORDER BY l.id
    """
)
SELECT_CONTENTS = text("SELECT id, name, description, attributes FROM revisions WHERE id = ANY(:ids)")
UPDATE_SAMPLE = text(
    """
    UPDATE studies SET fingerprint = :fingerprint, level = :level, categories = :categories, listings = :listings,
           studied = :studied, agenda = CAST(:agenda AS jsonb) WHERE id = :id
    """
)
INSERT_EXPECTED_TRIALS = text(
    """
    INSERT INTO trials (study_id, extractor, modality, protocol)
    SELECT :id, e.name, CAST(e.modality AS modality), p.protocol
    FROM unnest(CAST(:names AS text[]), CAST(:modalities AS text[])) AS e(name, modality)
    CROSS JOIN unnest(enum_range(NULL::study_protocol)) AS p(protocol)
    ON CONFLICT (study_id, extractor, protocol) DO NOTHING
    """
)
UPSERT_TRIAL = text(
    """
    INSERT INTO trials (study_id, extractor, modality, protocol, status, figures, reason, coded_reason, ended_at)
    VALUES (:id, :extractor, CAST(:modality AS modality), CAST(:protocol AS study_protocol),
            CAST(:status AS trial_status), CAST(:figures AS jsonb), :reason,
            CAST(:coded AS jsonb), now())
    ON CONFLICT (study_id, extractor, protocol) DO UPDATE
    SET status = excluded.status, figures = excluded.figures, reason = excluded.reason,
        coded_reason = excluded.coded_reason, ended_at = excluded.ended_at
    """
)
UPDATE_AGENDA = text("UPDATE studies SET agenda = agenda || CAST(:more AS jsonb) WHERE id = :id")
MARK_DONE = text(
    """
    UPDATE studies SET status = 'done', verdict = CAST(:verdict AS feasibility), best = CAST(:best AS jsonb),
           ended_at = now() WHERE id = :id AND status = 'running'
    """
)
MARK_FAILED = text(
    """
    UPDATE studies SET status = 'failed', error = :error, coded_error = CAST(:coded AS jsonb), ended_at = now()
    WHERE id = :id AND status = 'running'
    """
)
SELECT_PAST_STUDIES = text(
    """
    SELECT p.id AS study_id, p.created_at, p.fingerprint, p.listings, p.studied, p.level, p.verdict, p.best
    FROM studies p JOIN studies s ON s.taxonomy_id = p.taxonomy_id
    WHERE s.id = :id AND p.id < s.id AND p.status = 'done' ORDER BY p.id
    """
)
SELECT_LABELLED_TAXONOMIES = text(
    f"""
    SELECT s.taxonomy_id FROM listings l JOIN sources s ON s.id = l.source_id
    JOIN revisions r ON r.id = l.current_revision_id {JOIN_LABEL}
    WHERE l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL
    GROUP BY s.taxonomy_id HAVING count(*) >= :enough ORDER BY s.taxonomy_id
    """
)


class SqlStudies:
    """Implements ``pipeline.ports.repositories.StudyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, study_id: int) -> Study:
        """A study; NotFound when there is none."""
        row = self._connection.execute(SELECT_STUDY, {"id": study_id}).first()
        if row is None:
            raise NotFound(Reason.of(ReasonCode.STUDY_NOT_FOUND, id=study_id))
        plan, status = StudyPlan.read(row.plan), StudyStatus(row.status)
        past = self._connection.execute(SELECT_PAST_STUDIES, {"id": study_id}).mappings()
        trend = tuple(PastStudy.from_json({**row, "created_at": row["created_at"].isoformat()}) for row in past)
        return Study(row.id, row.taxonomy_id, row.taxonomy, plan, status, row.created_at, trend)

    def begin(self, request: StudyRequest) -> Requested:
        """Begin a study, or find the conflicting one: with the same unique key, or running for the same taxonomy."""
        parameters = {
            "taxonomy": request.taxonomy_id,
            "plan": json.dumps(asdict(request.plan)),
            "by": storable(request.requested_by),
            "key": request.unique_key,
        }
        while True:
            study_id = self._connection.scalar(INSERT_STUDY, parameters)
            if study_id is not None:
                return Requested(study_id, is_new=True)
            conflicting_id = self._connection.scalar(SELECT_CONFLICTING_STUDY, parameters)
            # None if that study ended between the two statements: insert once more.
            if conflicting_id is not None:
                return Requested(conflicting_id, is_new=False)

    def add_jobs(self, study_id: int, stage: Stage, names: Sequence[str | None], priority: Priority) -> None:
        """Add a waiting job of a stage for each name, unless it exists already, and wake the relay."""
        stages.add_jobs(self._connection, study_id, stage, names, priority)
        wake_relay(self._connection)

    def taxonomies_to_study(self, min_listings: int) -> list[int]:
        """The taxonomies with at least ``min_listings`` labelled listings."""
        return list(self._connection.scalars(SELECT_LABELLED_TAXONOMIES, {"enough": min_listings}))

    def candidates(self, taxonomy_id: int) -> list[Candidate]:
        """The labelled listings of a taxonomy in order of arrival, see ``labelled_listings``."""
        rows = self._connection.execute(
            SELECT_CANDIDATES, {"taxonomy": taxonomy_id}, execution_options={"yield_per": 2000}
        )
        return [_candidate(row) for row in rows]

    def contents(self, revision_ids: Sequence[int]) -> list[Content]:
        """The texts of these revisions, in the same order; empty for a revision whose listing was deleted."""
        rows = self._connection.execute(SELECT_CONTENTS, {"ids": list(revision_ids)})
        content_by_id = {row.id: Content(row.name, row.description, row.attributes) for row in rows}
        deleted = Content("")
        return [content_by_id.get(revision_id, deleted) for revision_id in revision_ids]

    def freeze(self, study_id: int, sample: SampleFacts, extractors: Mapping[str, Modality]) -> None:
        """Write what is studied (fingerprint, level, counts), and one waiting trial per extractor and protocol."""
        agenda = {Stage.TRIAL: list(extractors)}
        self._connection.execute(UPDATE_SAMPLE, {"id": study_id, **asdict(sample), "agenda": json.dumps(agenda)})
        self._connection.execute(
            INSERT_EXPECTED_TRIALS, {"id": study_id, "names": list(extractors), "modalities": list(extractors.values())}
        )

    def write_trials(self, study_id: int, trials: Sequence[Trial]) -> None:
        """Write the results of trials; a trial that was written before is replaced."""
        for trial in trials:
            done = trial.status is TrialStatus.DONE
            parameters = {
                "id": study_id,
                "extractor": trial.extractor,
                "modality": trial.modality,
                "protocol": trial.protocol,
                "status": trial.status,
                "figures": json.dumps(trial.as_json()) if done else None,
                "reason": reason_text(trial.reason),
                "coded": reason_json_text(trial.reason),
            }
            self._connection.execute(UPSERT_TRIAL, parameters)

    def add_to_agenda(self, study_id: int, stage: Stage, names: Sequence[str]) -> None:
        """Write the names of the jobs that a later stage will have."""
        self._connection.execute(UPDATE_AGENDA, {"id": study_id, "more": json.dumps({stage: list(names)})})

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[Modality, float | None]) -> None:
        """Write the verdict and the best ARI of each modality; a study that has ended stays as it is."""
        self._connection.execute(MARK_DONE, {"id": study_id, "verdict": verdict, "best": json.dumps(dict(best))})

    def fail(self, study_id: int, reason: Reason) -> None:
        """End a study as failed; a study that has ended stays as it is."""
        self._connection.execute(
            MARK_FAILED, {"id": study_id, "error": reason_text(reason), "coded": reason_json_text(reason)}
        )


def _candidate(row: Any) -> Candidate:
    database = DATABASES.get(row.database or "")
    attribution = None if database is None else database.licence.attribution
    return Candidate(row[0], row[1], row[2], row[3], row[4], row[5], attribution)
