"""What share of a source its rules cover, and where accepted rules contradict each other, the model or reviewers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.rules.queries import MAX_EXAMPLES, SELECT_RULES, ExampleListing

MAX_COUNTED_LISTINGS = 20_000  # of a larger source, a sample of about this size is counted
MAX_CONFLICTS = 50
MIN_SHARE_AGAINST = 0.1  # a rule is reported if more than this share of the model's decisions is against it
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
# Sampled by a hash of their ids, so that the sample does not come from a single page or day.
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
    ) listing
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
    SELECT one, other, count(*) AS listings, (array_agg(id ORDER BY id))[1:{MAX_EXAMPLES}] AS examples,
           (SELECT count(DISTINCT id) FROM pairs) AS in_conflict
    FROM pairs GROUP BY one, other ORDER BY listings DESC, one, other LIMIT {MAX_CONFLICTS}
    """
)
# A decision counts against a rule only where the label comes from it: the rule of the most specific category.
SELECT_CONTRADICTED = text(
    f"""
    {WITH_COUNTED}, applied AS (
        SELECT DISTINCT ON (l.id) l.id, u.id AS rule, l.reviewed,
               l.status = 'assigned' AND NOT l.reviewed AS by_model,
               NOT starts_with(c.path || ' >> ', l.category || ' >> ')
               AND NOT starts_with(l.category || ' >> ', c.path || ' >> ') AS against
        FROM counted l CROSS JOIN LATERAL jsonb_array_elements_text(l.categories) WITH ORDINALITY AS k(name, position)
        {JOIN_ACCEPTED} ORDER BY l.id, k.position DESC
    ), against AS (
        SELECT rule, count(*) AS applies, count(*) FILTER (WHERE by_model) AS decided,
               count(*) FILTER (WHERE by_model AND against) AS decided_against,
               count(*) FILTER (WHERE reviewed) AS reviewed,
               count(*) FILTER (WHERE reviewed AND against) AS reviewed_against,
               (array_agg(id ORDER BY reviewed DESC, id)
                FILTER (WHERE against AND (by_model OR reviewed)))[1:{MAX_EXAMPLES}] AS examples
        FROM applied GROUP BY rule
    )
    SELECT * FROM against WHERE reviewed_against > 0 OR decided_against > {MIN_SHARE_AGAINST} * decided
    ORDER BY reviewed_against DESC, decided_against DESC, rule LIMIT {MAX_CONFLICTS}
    """
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a source's collected ``listings`` have a rule.

    ``counted`` of them were examined: ``mapped`` have an accepted rule that names a category, ``proposed`` only a
    proposal, ``nothing`` only rules saying that no category of the taxonomy corresponds, ``none`` no rule.
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
        """The share (0 to 1) of the counted listings in each of the four groups."""
        counts = {"mapped": self.mapped, "proposed": self.proposed, "nothing": self.nothing, "none": self.none}
        return {group: count / self.counted if self.counted else 0.0 for group, count in counts.items()}


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule with its category of the source and its category of the taxonomy."""

    id: int
    source_category: str
    category: str | None


@dataclass(frozen=True, slots=True)
class ContradictingRules:
    """Two accepted rules whose categories do not contain each other, and the number of listings that have both."""

    one: NamedRule
    other: NamedRule
    listings: int
    examples: tuple[ExampleListing, ...]


@dataclass(frozen=True, slots=True)
class ContradictedRule:
    """An accepted rule, and how many decisions of the model and of reviewers are against it.

    ``applies`` is the number of listings labelled by the rule; the other counts are among these.
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
    """Where accepted rules contradict each other (in ``in_conflict`` listings), the model or reviewers."""

    in_conflict: int
    contradicting: tuple[ContradictingRules, ...]
    contradicted: tuple[ContradictedRule, ...]


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Coverage and conflicts of a source, read at the same time."""

    coverage: Coverage
    conflicts: RuleConflicts


def read_coverage_report(connection: Connection, source_id: int) -> CoverageReport:
    """Coverage of a source and conflicts of its rules; a sample if the source has many listings."""
    total = int(connection.scalar(COUNT_COLLECTED, {"source": source_id}) or 0)
    parameters = {"source": source_id, "step": max(1, -(-total // MAX_COUNTED_LISTINGS))}
    row = connection.execute(SELECT_COVERAGE, parameters).one()
    coverage = Coverage(total, row.counted, row.mapped, row.proposed, row.nothing)
    return CoverageReport(coverage, _conflicts(connection, parameters))


def _conflicts(connection: Connection, parameters: dict[str, int]) -> RuleConflicts:
    pairs = connection.execute(SELECT_CONTRADICTING, parameters).all()
    contradicted = connection.execute(SELECT_CONTRADICTED, parameters).all()
    rule_ids = [rule for pair in pairs for rule in (pair.one, pair.other)] + [row.rule for row in contradicted]
    rules = _named_rules(connection, parameters["source"], rule_ids)
    listings = _examples(connection, [listing_id for row in (*pairs, *contradicted) for listing_id in row.examples])

    def examples(row: Row[Any]) -> tuple[ExampleListing, ...]:
        return tuple(listings[listing_id] for listing_id in row.examples if listing_id in listings)

    return RuleConflicts(
        in_conflict=pairs[0].in_conflict if pairs else 0,
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


def _named_rules(connection: Connection, source_id: int, rule_ids: Sequence[int]) -> dict[int, NamedRule]:
    statement = text(f"{SELECT_RULES} AND u.id = ANY(:ids)")
    rows = connection.execute(statement, {"source": source_id, "ids": list(rule_ids)})
    return {row.id: NamedRule(row.id, row.source_category, row.category) for row in rows}


def _examples(connection: Connection, listing_ids: Iterable[int]) -> dict[int, ExampleListing]:
    rows = connection.execute(SELECT_LISTINGS, {"ids": sorted(set(listing_ids))})
    return {row.id: ExampleListing(row.id, row.name, row.category) for row in rows}
