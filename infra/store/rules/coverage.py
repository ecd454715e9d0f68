"""How much of a source its rules cover, and where accepted rules contradict each other, the model or reviewers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.rules.queries import EXAMPLES, SELECT_RULES, ExampleListing

MAX_COUNTED_LISTINGS = 20_000  # listings; of a larger source, a sample of about this size is counted
MAX_CONFLICTS = 50
MIN_SHARE_AGAINST = 0.1  # share of the model's decisions against a rule above which it is reported
SELECT_LISTINGS = text(
    """
    SELECT l.id, coalesce(nullif(r.name, ''), l.external_id) AS name, l.category
    FROM listings l JOIN revisions r ON r.id = l.current_revision_id WHERE l.id = ANY(:ids)
    """
)
COLLECTED_LISTINGS = (
    "listings l JOIN provenances p ON p.listing_id = l.id WHERE l.source_id = :source AND l.withdrawn_at IS NULL"
)
COUNT_COLLECTED = text(f"SELECT count(*) FROM {COLLECTED_LISTINGS}")
# Sampled by a hash of their ids, so that the sample is not of one page or one day.
WITH_COUNTED = f"""
    WITH counted AS MATERIALIZED (
        SELECT l.id, l.category, l.status, l.reviewed, p.categories FROM {COLLECTED_LISTINGS}
        AND (:step = 1 OR mod(CAST(hashint8(l.id) AS bigint) + 2147483648, :step) = 0)
    )
"""
JOIN_ACCEPTED = """
    JOIN category_rules u ON u.source_id = :source AND u.source_category = k.name AND u.status = 'accepted'
    JOIN categories c ON c.id = u.category_id
"""
SELECT_COVERAGE = text(
    f"""
    {WITH_COUNTED}
    SELECT count(*) AS counted, count(*) FILTER (WHERE mapped) AS mapped,
           count(*) FILTER (WHERE NOT mapped AND proposed) AS proposed,
           count(*) FILTER (WHERE NOT mapped AND NOT proposed AND nothing) AS nothing
    FROM (
        SELECT l.id, coalesce(bool_or(u.status = 'accepted' AND u.category_id IS NOT NULL), false) AS mapped,
               coalesce(bool_or(u.status = 'proposed'), false) AS proposed,
               coalesce(bool_or(u.status = 'accepted' AND u.category_id IS NULL), false) AS nothing
        FROM counted l LEFT JOIN LATERAL jsonb_array_elements_text(l.categories) AS k(name) ON true
        LEFT JOIN category_rules u ON u.source_id = :source AND u.source_category = k.name
        GROUP BY l.id
    ) each
    """
)
SELECT_CONTRADICTING = text(
    f"""
    {WITH_COUNTED}, mapped AS (
        SELECT DISTINCT l.id, u.id AS rule, c.path FROM counted l
        CROSS JOIN LATERAL jsonb_array_elements_text(l.categories) AS k(name) {JOIN_ACCEPTED}
    ), pairs AS (
        SELECT a.id, a.rule AS one, b.rule AS other FROM mapped a JOIN mapped b ON b.id = a.id AND b.rule > a.rule
        WHERE NOT starts_with(a.path || ' >> ', b.path || ' >> ')
          AND NOT starts_with(b.path || ' >> ', a.path || ' >> ')
    )
    SELECT one, other, count(*) AS listings, (array_agg(id ORDER BY id))[1:{EXAMPLES}] AS examples,
           (SELECT count(DISTINCT id) FROM pairs) AS altogether
    FROM pairs GROUP BY one, other ORDER BY listings DESC, one, other LIMIT {MAX_CONFLICTS}
    """
)
# A decision counts against a rule only where the rule gives the label: it is that of the most particular category.
SELECT_CONTRADICTED = text(
    f"""
    {WITH_COUNTED}, applied AS (
        SELECT DISTINCT ON (l.id) l.id, u.id AS rule, l.reviewed,
               l.status = 'assigned' AND NOT l.reviewed AS by_model,
               NOT starts_with(c.path || ' >> ', l.category || ' >> ')
               AND NOT starts_with(l.category || ' >> ', c.path || ' >> ') AS against
        FROM counted l CROSS JOIN LATERAL jsonb_array_elements_text(l.categories) WITH ORDINALITY AS k(name, place)
        {JOIN_ACCEPTED} ORDER BY l.id, k.place DESC
    ), against AS (
        SELECT rule, count(*) AS applies, count(*) FILTER (WHERE by_model) AS decided,
               count(*) FILTER (WHERE by_model AND against) AS decided_against,
               count(*) FILTER (WHERE reviewed) AS reviewed,
               count(*) FILTER (WHERE reviewed AND against) AS reviewed_against,
               (array_agg(id ORDER BY reviewed DESC, id)
                FILTER (WHERE against AND (by_model OR reviewed)))[1:{EXAMPLES}] AS examples
        FROM applied GROUP BY rule
    )
    SELECT * FROM against WHERE reviewed_against > 0 OR decided_against > {MIN_SHARE_AGAINST} * decided
    ORDER BY reviewed_against DESC, decided_against DESC, rule LIMIT {MAX_CONFLICTS}
    """
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a source's collected ``listings`` have a rule.

    ``counted`` of them were looked at: ``mapped`` have an accepted rule that names a category, ``proposed`` only a
    proposal, ``nothing`` only rules that say they mean nothing here, ``none`` no rule.
    """

    listings: int
    counted: int
    mapped: int
    proposed: int
    nothing: int

    @property
    def none(self) -> int:
        """Counted listings that have no rule."""
        return self.counted - self.mapped - self.proposed - self.nothing

    @property
    def shares(self) -> dict[str, float]:
        """The share (0 to 1) of each part among the counted listings."""
        parts = {"mapped": self.mapped, "proposed": self.proposed, "nothing": self.nothing, "none": self.none}
        return {part: count / self.counted if self.counted else 0.0 for part, count in parts.items()}


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule by its two sides."""

    id: int
    source_category: str
    category: str | None


@dataclass(frozen=True, slots=True)
class ContradictingRules:
    """Two accepted rules, neither of whose categories lies in the other, and the number of listings that have both."""

    one: NamedRule
    other: NamedRule
    listings: int
    examples: tuple[ExampleListing, ...]


@dataclass(frozen=True, slots=True)
class ContradictedRule:
    """An accepted rule and the decisions of the model and reviews that are against it.

    ``applies`` listings have their label from the rule; the other counts are among these.
    """

    rule: NamedRule
    applies: int
    decided: int
    decided_against: int
    reviewed: int
    reviewed_against: int
    examples: tuple[ExampleListing, ...]


@dataclass(frozen=True, slots=True)
class RuleConflicts:
    """Where accepted rules contradict each other (``in_conflict`` listings altogether), the model or reviewers."""

    in_conflict: int
    contradicting: tuple[ContradictingRules, ...]
    contradicted: tuple[ContradictedRule, ...]


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Coverage and conflicts of a source, read at one time."""

    coverage: Coverage
    conflicts: RuleConflicts


def read_coverage_report(connection: Connection, source_id: int) -> CoverageReport:
    """Coverage of a source and conflicts of its rules; of many listings a sample is read."""
    total = int(connection.scalar(COUNT_COLLECTED, {"source": source_id}) or 0)
    sampled = {"source": source_id, "step": max(1, -(-total // MAX_COUNTED_LISTINGS))}
    row = connection.execute(SELECT_COVERAGE, sampled).one()
    coverage = Coverage(total, row.counted, row.mapped, row.proposed, row.nothing)
    return CoverageReport(coverage, _conflicts(connection, sampled))


def _conflicts(connection: Connection, sampled: dict[str, int]) -> RuleConflicts:
    pairs = connection.execute(SELECT_CONTRADICTING, sampled).all()
    contradicted = connection.execute(SELECT_CONTRADICTED, sampled).all()
    rule_ids = [rule for pair in pairs for rule in (pair.one, pair.other)] + [row.rule for row in contradicted]
    rules = _named_rules(connection, sampled["source"], rule_ids)
    listings = _examples(connection, [i for row in (*pairs, *contradicted) for i in row.examples])

    def examples(row: Row[Any]) -> tuple[ExampleListing, ...]:
        return tuple(listings[i] for i in row.examples if i in listings)

    return RuleConflicts(
        in_conflict=pairs[0].altogether if pairs else 0,
        contradicting=tuple(
            ContradictingRules(rules[pair.one], rules[pair.other], pair.listings, examples(pair)) for pair in pairs
        ),
        contradicted=tuple(
            ContradictedRule(
                rules[row.rule],
                row.applies,
                row.decided,
                row.decided_against,
                row.reviewed,
                row.reviewed_against,
                examples(row),
            )
            for row in contradicted
        ),
    )


def _named_rules(connection: Connection, source_id: int, ids: Sequence[int]) -> dict[int, NamedRule]:
    statement = text(f"{SELECT_RULES} AND u.id = ANY(:ids)")
    rows = connection.execute(statement, {"source": source_id, "ids": list(ids)})
    return {row.id: NamedRule(row.id, row.source_category, row.category) for row in rows}


def _examples(connection: Connection, ids: Iterable[int]) -> dict[int, ExampleListing]:
    rows = connection.execute(SELECT_LISTINGS, {"ids": sorted(set(ids))})
    return {row.id: ExampleListing(row.id, row.name, row.category) for row in rows}
