"""Rules of a source as lists show them, with example listings, and the latest job that proposed rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.sql_fragments import SQL_OUT_STATES
from pipeline.domain.job import JobState
from pipeline.domain.rule import RuleStatus
from pipeline.domain.rule_proposal import Grounds

MAX_EXAMPLES = 3
MAX_CATEGORY_CHOICES = 2_000

SELECT_RULES = """
    SELECT u.id, u.source_category, c.path AS category, u.status::text AS status, u.score, u.similarity, u.agreement,
           u.support, u.grounds, u.decided_by, u.created_at, u.updated_at
    FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id WHERE u.source_id = :source
"""
BY_SCORE = "ORDER BY coalesce(u.score, -1) DESC, u.support DESC, u.id"
AFTER_POSITION = "AND (coalesce(u.score, -1), u.support, -u.id) < (:score, :support, -CAST(:id AS bigint))"
COUNT_BY_STATUS = text(
    "SELECT status::text, count(*) AS number FROM category_rules WHERE source_id = :source GROUP BY 1"
)
# A digest of all that coverage and conflicts depend on in the rules.
SELECT_VERSION = text(
    """
    SELECT count(*), coalesce(bit_xor(hashtextextended(concat_ws(':', id, category_id, status::text), 0)), 0)
    FROM category_rules WHERE source_id = :source
    """
)
COUNT_BY_SCORE = text(
    """
    SELECT t.score, count(DISTINCT u.source_category) AS number FROM unnest(CAST(:scores AS float8[])) AS t(score)
    JOIN category_rules u ON u.source_id = :source AND u.status = 'proposed' AND u.score >= t.score GROUP BY t.score
    """
)
SELECT_ACCEPTED = text(
    """
    SELECT u.source_category, c.path FROM category_rules u JOIN categories c ON c.id = u.category_id
    WHERE u.source_id = :source AND u.status = 'accepted' AND u.source_category = ANY(:names)
    """
)
SELECT_EXAMPLES = text(
    """
    SELECT n.name AS source_category, e.id, e.name FROM unnest(CAST(:names AS text[])) AS n(name) CROSS JOIN LATERAL (
        SELECT l.id, coalesce(nullif(r.name, ''), l.external_id) AS name
        FROM provenances p JOIN listings l ON l.id = p.listing_id JOIN revisions r ON r.id = l.current_revision_id
        WHERE p.categories ? n.name AND l.source_id = :source AND l.withdrawn_at IS NULL LIMIT :limit
    ) e
    """
)
SELECT_MAPPED_SOURCES = text(
    """
    SELECT s.id, s.name FROM sources s WHERE (CAST(:ids AS bigint[]) IS NULL OR s.id = ANY(CAST(:ids AS bigint[])))
    AND (EXISTS (SELECT 1 FROM imports i WHERE i.source_id = s.id AND i.query IS NOT NULL)
         OR EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id)) ORDER BY s.name
    """
)
SELECT_CATEGORIES = text(
    "SELECT path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id WHERE s.id = :source "
    "ORDER BY path LIMIT :limit"
)
SELECT_LATEST_JOB = text(
    f"""
    SELECT id, state, coalesce(progress, 0) AS progress, coalesce(note, '') AS note,
           state IN {SQL_OUT_STATES} OR (state = '{JobState.WAITING}' AND not_before <= now()) AS due FROM jobs
    WHERE kind = 'map' AND payload ? 'source_id' AND (payload ->> 'source_id')::bigint = :source
    ORDER BY id DESC LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class ExampleListing:
    """An example of a rule's listings; ``category`` is the decided one, None where it does not matter."""

    id: int
    name: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule as lists show it, with up to ``MAX_EXAMPLES`` of the listings that have its source category.

    ``score``, ``similarity``, ``agreement`` and ``grounds`` are None for a rule that was not proposed.
    """

    id: int
    source_category: str
    category: str | None
    status: RuleStatus
    score: float | None
    similarity: float | None
    agreement: float | None
    support: int
    grounds: Grounds | None
    decided_by: str | None
    created_at: datetime
    updated_at: datetime
    examples: tuple[ExampleListing, ...] = ()


@dataclass(frozen=True, slots=True)
class RulePlace:
    """Pagination cursor: the last rule of a page. Rules are sorted by score and support, descending, then by age."""

    score: float
    support: int
    id: int

    @classmethod
    def of(cls, rule: RuleView) -> RulePlace:
        """The cursor after a page that ends with this rule."""
        return cls(-1.0 if rule.score is None else rule.score, rule.support, rule.id)


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """Differs whenever a rule of a source was added, removed, decided or given another category."""

    count: int
    digest: int


@dataclass(frozen=True, slots=True)
class ProposalJob:
    """The latest job that proposes rules for a source; ``progress`` runs from 0 to 1, ``note`` is for users.

    A job that is ``due`` is running or waits for a worker; one that is open and not due waits for new listings.
    """

    job_id: int
    state: JobState
    progress: float
    note: str
    due: bool


def list_rules(
    connection: Connection, source_id: int, status: str | None = None, after: RulePlace | None = None, limit: int = 50
) -> list[RuleView]:
    """Rules of a source, highest score first, with examples."""
    conditions = "AND u.status = CAST(:status AS rule_status) " if status else ""
    statement = f"{SELECT_RULES} {conditions} {AFTER_POSITION if after else ''} {BY_SCORE} LIMIT :limit"
    parameters: dict[str, Any] = {"source": source_id, "limit": limit}
    parameters |= {"status": status} if status else {}
    parameters |= {"score": after.score, "support": after.support, "id": after.id} if after else {}
    return _with_examples(connection, source_id, _views(connection.execute(text(statement), parameters)))


def find_rule(connection: Connection, source_id: int, rule_id: int) -> RuleView | None:
    """One rule of a source with examples, or None."""
    rows = connection.execute(text(f"{SELECT_RULES} AND u.id = :id"), {"source": source_id, "id": rule_id})
    rules = _with_examples(connection, source_id, _views(rows))
    return rules[0] if rules else None


def rules_of_category(connection: Connection, source_id: int, source_category: str) -> list[RuleView]:
    """The rules of one category of a source, highest score first, without examples."""
    statement = text(f"{SELECT_RULES} AND u.source_category = :name {BY_SCORE}")
    return _views(connection.execute(statement, {"source": source_id, "name": source_category}))


def all_rules(connection: Connection, source_id: int) -> list[RuleView]:
    """All rules of a source, sorted by source category, without examples."""
    statement = text(f"{SELECT_RULES} ORDER BY u.source_category, u.status, u.id")
    return _views(connection.execute(statement, {"source": source_id}))


def count_rules(connection: Connection, source_id: int) -> dict[RuleStatus, int]:
    """The number of a source's rules by status."""
    counts = {row.status: row.number for row in connection.execute(COUNT_BY_STATUS, {"source": source_id})}
    return {status: counts.get(status, 0) for status in RuleStatus}


def rules_version(connection: Connection, source_id: int) -> RulesVersion:
    """The version of a source's rules."""
    return RulesVersion(*connection.execute(SELECT_VERSION, {"source": source_id}).one())


def count_likely(connection: Connection, source_id: int, scores: Sequence[float]) -> dict[float, int]:
    """For each of these scores, how many of a source's categories have a proposal with at least this score."""
    rows = connection.execute(COUNT_BY_SCORE, {"source": source_id, "scores": list(scores)})
    counts = {row.score: row.number for row in rows}
    return {score: counts.get(score, 0) for score in scores}


def mapped_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[str]:
    """Names of the sources among these (None: all) that were collected from a product database, or have rules."""
    ids = None if source_ids is None else sorted(source_ids)
    return [row.name for row in connection.execute(SELECT_MAPPED_SOURCES, {"ids": ids})]


def accepted_categories(connection: Connection, source_id: int, source_categories: Sequence[str]) -> dict[str, str]:
    """By source category, the category of its accepted rule; without those that have no such rule."""
    parameters = {"source": source_id, "names": list(source_categories)}
    return {row.source_category: row.path for row in connection.execute(SELECT_ACCEPTED, parameters)}


def category_choices(connection: Connection, source_id: int) -> list[str]:
    """The first ``MAX_CATEGORY_CHOICES`` categories of a source's taxonomy."""
    return list(connection.scalars(SELECT_CATEGORIES, {"source": source_id, "limit": MAX_CATEGORY_CHOICES}))


def latest_proposal_job(connection: Connection, source_id: int) -> ProposalJob | None:
    """The latest job that proposes rules for a source, open or ended; None if there was none."""
    row = connection.execute(SELECT_LATEST_JOB, {"source": source_id}).first()
    return None if row is None else ProposalJob(row.id, JobState(row.state), row.progress, row.note, row.due)


def _views(rows: Iterable[Row[Any]]) -> list[RuleView]:
    return [
        RuleView(
            row.id,
            row.source_category,
            row.category,
            RuleStatus(row.status),
            row.score,
            row.similarity,
            row.agreement,
            row.support,
            None if row.grounds is None else Grounds.of_json(row.grounds),
            row.decided_by,
            row.created_at,
            row.updated_at,
        )
        for row in rows
    ]


def _with_examples(connection: Connection, source_id: int, rules: Sequence[RuleView]) -> list[RuleView]:
    names = sorted({rule.source_category for rule in rules})
    examples: dict[str, list[ExampleListing]] = {}
    for row in connection.execute(SELECT_EXAMPLES, {"names": names, "source": source_id, "limit": MAX_EXAMPLES}):
        examples.setdefault(row.source_category, []).append(ExampleListing(row.id, row.name))
    return [replace(rule, examples=tuple(examples.get(rule.source_category, ()))) for rule in rules]
