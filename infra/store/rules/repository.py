"""Rules on Postgres, and the jobs that propose them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES, sql_list, storable
from pipeline.domain.job import JobKind, JobState, Priority, queue_of
from pipeline.domain.rule import Rule, RuleStatus
from pipeline.domain.rule_proposal import RuleProposal

SELECT_RULE = text(
    """
    SELECT u.id, u.source_id, u.source_category, c.path AS category, u.status
    FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id WHERE u.id = :id
    """
)
# The id of the category with a path, NULL without a path. A path that the taxonomy does not have yields no row.
CATEGORY_ID = """
    SELECT s.id AS source_id, c.id AS category_id FROM sources s
    LEFT JOIN categories c ON c.taxonomy_id = s.taxonomy_id AND c.path = :category
    WHERE s.id = :source AND (c.id IS NOT NULL OR CAST(:category AS text) IS NULL)
"""
UPSERT_RULE = text(
    f"""
    INSERT INTO category_rules (source_id, source_category, category_id, status, decided_by)
    SELECT target.source_id, :name, target.category_id, CAST(:status AS rule_status), :by FROM ({CATEGORY_ID}) target
    ON CONFLICT (source_id, source_category, category_id) DO UPDATE
    SET status = excluded.status, decided_by = excluded.decided_by, updated_at = now() RETURNING id
    """
)
REFUSE_ACCEPTED = text(
    f"""
    UPDATE category_rules u SET status = 'refused', decided_by = :by, updated_at = now() FROM ({CATEGORY_ID}) target
    WHERE u.source_id = :source AND u.source_category = :name AND u.status = 'accepted'
      AND u.category_id IS DISTINCT FROM target.category_id
    """
)
DELETE_OTHER_PROPOSALS = text(
    f"""
    DELETE FROM category_rules u USING ({CATEGORY_ID}) target
    WHERE u.source_id = :source AND u.source_category = :name AND u.status = 'proposed'
      AND u.category_id IS DISTINCT FROM target.category_id
    """
)
REOPEN_RULE = text(
    "UPDATE category_rules SET status = 'proposed', decided_by = NULL, updated_at = now() WHERE id = :id"
)
ACCEPT_ABOVE = text(
    """
    UPDATE category_rules u SET status = 'accepted', decided_by = :by, updated_at = now()
    WHERE u.source_id = :source AND u.status = 'proposed' AND u.score >= :score
      AND NOT EXISTS (SELECT 1 FROM category_rules b WHERE b.source_id = u.source_id
                      AND b.source_category = u.source_category AND b.id <> u.id
                      AND (b.status = 'accepted' OR (b.status = 'proposed' AND (b.score, b.id) > (u.score, u.id))))
    """
)
DELETE_PROPOSALS = text("DELETE FROM category_rules WHERE source_id = :source AND status = 'proposed'")
# A refused rule has the same three columns, so it stays.
INSERT_PROPOSALS = text(
    """
    INSERT INTO category_rules
        (source_id, source_category, category_id, score, similarity, agreement, support, grounds)
    SELECT s.id, n.name, c.id, n.score, n.similarity, n.agreement, n.support, n.grounds
    FROM jsonb_to_recordset(CAST(:rules AS jsonb))
         AS n(name text, path text, score float8, similarity float8, agreement float8, support integer, grounds jsonb)
    JOIN sources s ON s.id = :source
    LEFT JOIN categories c ON c.taxonomy_id = s.taxonomy_id AND c.path = n.path
    WHERE (c.id IS NOT NULL OR n.path IS NULL)
      AND NOT EXISTS (SELECT 1 FROM category_rules a
                      WHERE a.source_id = s.id AND a.source_category = n.name AND a.status = 'accepted')
    ON CONFLICT DO NOTHING
    """
)
UPDATE_SUPPORT = text(
    """
    UPDATE category_rules u SET support = n.support
    FROM unnest(CAST(:names AS text[]), CAST(:counts AS integer[])) AS n(name, support)
    WHERE u.source_id = :source AND u.source_category = n.name AND u.support <> n.support
    """
)
SELECT_PROPOSAL_JOB = text(
    f"""
    SELECT id FROM jobs WHERE kind = 'map' AND payload ? 'source_id' AND (payload ->> 'source_id')::bigint = :source
    AND (state IN {sql_list((JobState.WAITING, JobState.SENT))}
         OR (:with_running AND state = '{JobState.LEASED}')) ORDER BY id LIMIT 1
    """
)
# Proposals are better once new listings have been decided: the job waits about as long as that takes, at most an hour.
INSERT_PROPOSAL_JOB = text(
    f"""
    INSERT INTO jobs (kind, priority, queue, payload, unique_key, not_before)
    SELECT 'map', CAST(:priority AS priority), CAST(:queue AS queue), CAST(:payload AS jsonb), :key,
           now() + CASE WHEN :later THEN make_interval(secs => (
               SELECT least(3600, 0.05 * count(*)) FROM jobs j JOIN listings l ON l.id = j.listing_id
               WHERE l.source_id = :source AND j.state IN {SQL_OPEN_STATES}
           )) ELSE interval '0' END
    ON CONFLICT (unique_key) DO NOTHING RETURNING id
    """
)
# Nothing can be proposed for a taxonomy without categories.
SELECT_SOURCE_WITH_NEW_CATEGORIES = text(
    """
    SELECT i.source_id FROM imports i JOIN sources s ON s.id = i.source_id
    WHERE i.id = :import AND i.query IS NOT NULL
      AND EXISTS (SELECT 1 FROM categories c WHERE c.taxonomy_id = s.taxonomy_id)
      AND EXISTS (
        SELECT 1 FROM import_rows r JOIN provenances p ON p.listing_id = r.listing_id
        CROSS JOIN LATERAL jsonb_array_elements_text(p.categories) AS k(name)
        WHERE r.import_id = i.id AND r.verdict IN ('new', 'changed') AND k.name <> '' AND NOT EXISTS (
            SELECT 1 FROM category_rules u WHERE u.source_id = i.source_id AND u.source_category = k.name))
    """
)
SELECT_SOURCES_TO_DECIDE = text(
    """
    SELECT s.id FROM sources s WHERE s.taxonomy_id = :taxonomy
      AND EXISTS (SELECT 1 FROM categories c WHERE c.taxonomy_id = s.taxonomy_id)
      AND (EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id AND u.status = 'proposed')
        OR NOT EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id)
           AND EXISTS (SELECT 1 FROM listings l JOIN provenances p ON p.listing_id = l.id
                       WHERE l.source_id = s.id AND l.withdrawn_at IS NULL AND p.categories <> '[]'))
    ORDER BY s.id
    """
)


class SqlRules:
    """Implements ``pipeline.ports.administration_repositories.RuleRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, rule_id: int) -> Rule | None:
        """The rule, or None."""
        row = self._connection.execute(SELECT_RULE, {"id": rule_id}).first()
        if row is None:
            return None
        return Rule(row.id, row.source_id, row.source_category, row.category, RuleStatus(row.status))

    def put(
        self, source_id: int, source_category: str, category: str | None, status: RuleStatus, decided_by: str
    ) -> int:
        """Write a decided rule, replacing the one for the same two categories; returns its id."""
        values = _rule_key(source_id, source_category, category) | {"status": status, "by": storable(decided_by)}
        return int(self._connection.execute(UPSERT_RULE, values).scalar_one())

    def reopen(self, rule_id: int) -> bool:
        """Make a rule a proposal again; False if it no longer exists."""
        return self._connection.execute(REOPEN_RULE, {"id": rule_id}).rowcount == 1

    def refuse_accepted(self, source_id: int, source_category: str, except_for: str | None, decided_by: str) -> None:
        """Refuse the accepted rule for a source's category, unless it names the category ``except_for``."""
        values = _rule_key(source_id, source_category, except_for) | {"by": storable(decided_by)}
        self._connection.execute(REFUSE_ACCEPTED, values)

    def delete_proposals(self, source_id: int, source_category: str, except_for: str | None) -> None:
        """Delete the proposals for a source's category, except one that names the category ``except_for``."""
        self._connection.execute(DELETE_OTHER_PROPOSALS, _rule_key(source_id, source_category, except_for))

    def accept_above(self, source_id: int, score: float, decided_by: str) -> int:
        """Accept, for each category without an accepted rule, the best proposal if it has at least this score."""
        parameters = {"source": source_id, "score": score, "by": storable(decided_by)}
        return self._connection.execute(ACCEPT_ABOVE, parameters).rowcount

    def replace_proposals(self, source_id: int, proposals: Sequence[RuleProposal]) -> int:
        """Delete all proposals of a source and add these; returns how many were added."""
        self._connection.execute(DELETE_PROPOSALS, {"source": source_id})
        rules = [
            {
                "name": storable(rule.source_category),
                "path": rule.category,
                "score": rule.score,
                "similarity": rule.similarity,
                "agreement": rule.agreement,
                "support": rule.support,
                "grounds": rule.grounds.as_json(),
            }
            for rule in proposals
        ]
        return self._connection.execute(INSERT_PROPOSALS, {"source": source_id, "rules": json.dumps(rules)}).rowcount

    def update_support(self, source_id: int, support: Mapping[str, int]) -> None:
        """Write the number of listings of each of these source categories to its rules."""
        parameters = {"source": source_id, "names": list(support), "counts": list(support.values())}
        self._connection.execute(UPDATE_SUPPORT, parameters)

    def find_proposal_job(self, source_id: int, *, with_running: bool) -> int | None:
        """An open job that proposes rules for a source, or None; a running one may have read the listings already."""
        job_id: int | None = self._connection.scalar(
            SELECT_PROPOSAL_JOB, {"source": source_id, "with_running": with_running}
        )
        return job_id

    def add_proposal_job(self, source_id: int, requested_by: str | None, unique_key: str | None = None) -> int | None:
        """Add a job that proposes rules for a source; without a requester it waits for new listings to be decided."""
        priority = Priority.PIPELINE if requested_by is not None else Priority.BACKFILL
        job_id: int | None = self._connection.scalar(
            INSERT_PROPOSAL_JOB,
            {
                "priority": priority,
                "queue": queue_of(JobKind.MAP, priority),
                "payload": json.dumps({"source_id": source_id, "by": storable(requested_by)}),
                "key": unique_key,
                "later": requested_by is None,
                "source": source_id,
            },
        )
        wake_relay(self._connection)
        return job_id

    def source_with_new_categories(self, import_id: int) -> int | None:
        """The source of an import from a product database, if it brought categories without any rule, else None."""
        source_id: int | None = self._connection.scalar(SELECT_SOURCE_WITH_NEW_CATEGORIES, {"import": import_id})
        return source_id

    def sources_to_decide(self, taxonomy_id: int) -> list[int]:
        """The sources of a taxonomy with proposals, or with collected listings and no rule at all."""
        return list(self._connection.scalars(SELECT_SOURCES_TO_DECIDE, {"taxonomy": taxonomy_id}))


def _rule_key(source_id: int, source_category: str, category: str | None) -> dict[str, object]:
    return {"source": source_id, "name": storable(source_category), "category": category}
