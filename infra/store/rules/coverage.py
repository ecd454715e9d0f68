"""How much of a source its rules cover, and where accepted rules contradict each other, the classifier or people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from infra.store.rules.queries import EXAMPLES, RULE

MOST_COUNTED = 20_000  # listings; of a larger source, about so many are looked at
MOST_CONFLICTS = 50
NOTABLE = 0.1  # share of the model's decisions against a rule from which it is told
NAMED = text(
    """
    SELECT l.id, coalesce(nullif(r.name, ''), l.external_id) AS name, l.category
    FROM listings l JOIN revisions r ON r.id = l.current_revision_id WHERE l.id = ANY(:ids)
    """
)
COLLECTED = (
    "listings l JOIN provenances p ON p.listing_id = l.id WHERE l.source_id = :source AND l.withdrawn_at IS NULL"
)
TOTAL = text(f"SELECT count(*) FROM {COLLECTED}")
# Scattered by a hash of their ids, so that those of one page or day are not looked at alone.
COUNTED = f"""
    WITH counted AS MATERIALIZED (
        SELECT l.id, l.category, l.status, l.reviewed, p.categories FROM {COLLECTED}
        AND (:step = 1 OR mod(CAST(hashint8(l.id) AS bigint) + 2147483648, :step) = 0)
    )
"""
ACCEPTED = """
    JOIN category_rules u ON u.source_id = :source AND u.source_category = k.name AND u.status = 'accepted'
    JOIN categories c ON c.id = u.category_id
"""
COVERAGE = text(
    f"""
    {COUNTED}
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
CONTRADICTING = text(
    f"""
    {COUNTED}, said AS (
        SELECT DISTINCT l.id, u.id AS rule, c.path FROM counted l
        CROSS JOIN LATERAL jsonb_array_elements_text(l.categories) AS k(name) {ACCEPTED}
    ), pairs AS (
        SELECT a.id, a.rule AS one, b.rule AS other FROM said a JOIN said b ON b.id = a.id AND b.rule > a.rule
        WHERE NOT starts_with(a.path || ' >> ', b.path || ' >> ')
          AND NOT starts_with(b.path || ' >> ', a.path || ' >> ')
    )
    SELECT one, other, count(*) AS listings, (array_agg(id ORDER BY id))[1:{EXAMPLES}] AS examples,
           (SELECT count(DISTINCT id) FROM pairs) AS altogether
    FROM pairs GROUP BY one, other ORDER BY listings DESC, one, other LIMIT {MOST_CONFLICTS}
    """
)
# Only where a rule gives the label, being that of the most particular category, can a decision speak against it.
CONTRADICTED = text(
    f"""
    {COUNTED}, applied AS (
        SELECT DISTINCT ON (l.id) l.id, u.id AS rule, l.reviewed,
               l.status = 'assigned' AND NOT l.reviewed AS by_model,
               NOT starts_with(c.path || ' >> ', l.category || ' >> ')
               AND NOT starts_with(l.category || ' >> ', c.path || ' >> ') AS against
        FROM counted l CROSS JOIN LATERAL jsonb_array_elements_text(l.categories) WITH ORDINALITY AS k(name, place)
        {ACCEPTED} ORDER BY l.id, k.place DESC
    ), told AS (
        SELECT rule, count(*) AS applies, count(*) FILTER (WHERE by_model) AS decided,
               count(*) FILTER (WHERE by_model AND against) AS decided_against,
               count(*) FILTER (WHERE reviewed) AS reviewed,
               count(*) FILTER (WHERE reviewed AND against) AS reviewed_against,
               (array_agg(id ORDER BY reviewed DESC, id)
                FILTER (WHERE against AND (by_model OR reviewed)))[1:{EXAMPLES}] AS examples
        FROM applied GROUP BY rule
    )
    SELECT * FROM told WHERE reviewed_against > 0 OR decided_against > {NOTABLE} * decided
    ORDER BY reviewed_against DESC, decided_against DESC, rule LIMIT {MOST_CONFLICTS}
    """
)


def read_coverage(connection: Connection, source_id: int) -> dict[str, Any]:
    """How many of a source's collected ``listings`` have a rule; of many, about ``MOST_COUNTED`` are looked at.

    ``mapped`` have an accepted rule that names a category, ``proposed`` only a proposal, ``nothing`` only rules that
    say they mean nothing here, ``none`` have none; ``counted`` is their sum.
    """
    total = int(connection.scalar(TOTAL, {"source": source_id}) or 0)
    row = connection.execute(COVERAGE, _looked_at(source_id, total)).mappings().one()
    none = row["counted"] - row["mapped"] - row["proposed"] - row["nothing"]
    return {"listings": total, **row, "none": none}


def read_conflicts(connection: Connection, source_id: int, listings: int) -> dict[str, Any]:
    """Where a source's accepted rules contradict each other, the classifier or people; each with listings.

    ``contradicting`` are pairs of rules, neither of whose categories lies in the other, and how many listings have
    both; ``in_conflict`` is how many there are altogether. ``contradicted`` are rules with the decisions and reviews of
    the listings they label, and how many of these are against them. ``listings`` are as many as the coverage has.
    """
    wanted = _looked_at(source_id, listings)
    pairs = [dict(row) for row in connection.execute(CONTRADICTING, wanted).mappings()]
    told = [dict(row) for row in connection.execute(CONTRADICTED, wanted).mappings()]
    rules = _rules(connection, source_id, [pair[side] for pair in pairs for side in ("one", "other")])
    rules |= _rules(connection, source_id, [row["rule"] for row in told])
    names = _named(connection, [i for row in (*pairs, *told) for i in row["examples"]])
    altogether = pairs[0].pop("altogether") if pairs else 0
    for pair in pairs:
        pair.pop("altogether", None)
        pair |= {"one": rules[pair["one"]], "other": rules[pair["other"]]}
    for row in told:
        row["rule"] = rules[row["rule"]]
    for row in (*pairs, *told):
        row["examples"] = [names[i] for i in row["examples"] if i in names]
    return {"in_conflict": altogether, "contradicting": pairs, "contradicted": told}


def _looked_at(source_id: int, total: int) -> dict[str, int]:
    return {"source": source_id, "step": max(1, -(-total // MOST_COUNTED))}


def _rules(connection: Connection, source_id: int, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    statement = text(f"{RULE} AND u.id = ANY(:ids)")
    rows = connection.execute(statement, {"source": source_id, "ids": list(ids)}).mappings()
    return {row["id"]: {name: row[name] for name in ("id", "source_category", "category")} for row in rows}


def _named(connection: Connection, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    return {row["id"]: dict(row) for row in connection.execute(NAMED, {"ids": sorted(set(ids))}).mappings()}
