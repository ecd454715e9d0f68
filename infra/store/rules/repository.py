"""Rules for what a source's categories mean here: proposed by a step, decided by people, whose word stays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, text

from infra.store.listings.repository import learn_categories
from infra.store.sql import storable
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.rule import ProposedRule, RefusedLines, RuleLine, RuleStatus

LONGEST = 200  # characters of a source's category

# One at a time changes the rules of a source. Listings that arrive meanwhile are not held up by it.
HOLD = text("SELECT name FROM sources WHERE id = :source FOR NO KEY UPDATE")
FORGET = text("DELETE FROM category_rules WHERE source_id = :source AND status = 'proposed'")
# A refused rule has the same three columns: it stays. Where a rule is accepted, nothing is proposed.
PROPOSE = text(
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
SUPPORT = text(
    """
    UPDATE category_rules u SET support = n.support
    FROM unnest(CAST(:names AS text[]), CAST(:counts AS integer[])) AS n(name, support)
    WHERE u.source_id = :source AND u.source_category = n.name AND u.support <> n.support
    """
)
ONE = text("SELECT id, source_id, source_category, category_id FROM category_rules WHERE id = :id")
FIND_CATEGORY = text(
    "SELECT c.id FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id "
    "WHERE s.id = :source AND path = :path"
)
PATHS = text("SELECT path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id WHERE s.id = :source")
PUT = text(
    """
    INSERT INTO category_rules (source_id, source_category, category_id, status, decided_by)
    VALUES (:source, :name, :category, CAST(:status AS rule_status), :by)
    ON CONFLICT (source_id, source_category, category_id) DO UPDATE
    SET status = excluded.status, decided_by = excluded.decided_by, updated_at = now() RETURNING id
    """
)
# One category has one meaning: accepting a rule refuses the one before, and answers what was proposed.
REPLACE = text(
    "UPDATE category_rules SET status = 'refused', decided_by = :by, updated_at = now() "
    "WHERE source_id = :source AND source_category = :name AND status = 'accepted' "
    "AND category_id IS DISTINCT FROM :category"
)
ANSWERED = text(
    "DELETE FROM category_rules WHERE source_id = :source AND source_category = :name AND status = 'proposed' "
    "AND category_id IS DISTINCT FROM :category"
)
REOPEN = text("UPDATE category_rules SET status = 'proposed', decided_by = NULL, updated_at = now() WHERE id = :id")
ABOVE = text(
    """
    UPDATE category_rules u SET status = 'accepted', decided_by = :by, updated_at = now()
    WHERE u.source_id = :source AND u.status = 'proposed' AND u.score >= :above
      AND NOT EXISTS (SELECT 1 FROM category_rules b WHERE b.source_id = u.source_id
                      AND b.source_category = u.source_category AND b.id <> u.id
                      AND (b.status = 'accepted' OR (b.status = 'proposed' AND (b.score, b.id) > (u.score, u.id))))
    """
)
REFUSED = text(
    """
    SELECT u.source_category, c.path FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id
    WHERE u.source_id = :source AND u.status = 'refused'
    """
)
SETTLED = text("SELECT source_category FROM category_rules WHERE source_id = :source AND status = 'accepted'")


def propose(
    connection: Connection,
    source_id: int,
    proposals: Sequence[ProposedRule],
    support: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Put these in the place of what was proposed before; what people decided stays. How many are open now.

    A proposal for a category that has an accepted rule is left out, and so is one that was refused. ``support`` is the
    number of listings by category of the source, for the rules that people decided on.
    """
    _hold(connection, source_id)
    connection.execute(FORGET, {"source": source_id})
    rules = [
        {
            "name": storable(rule.source_category),
            "path": rule.category,
            "score": rule.score,
            "similarity": rule.similarity,
            "agreement": rule.agreement,
            "support": rule.support,
            "grounds": dict(rule.grounds),
        }
        for rule in proposals
    ]
    made = connection.execute(PROPOSE, {"source": source_id, "rules": json.dumps(rules)}).rowcount
    counted = {"source": source_id, "names": list(support), "counts": list(support.values())}
    connection.execute(SUPPORT, counted)
    return made


def refused_rules(connection: Connection, source_id: int) -> set[tuple[str, str | None]]:
    """What people refused of a source: its category, and the meaning it has not (None: that it means nothing)."""
    return {(row.source_category, row.path) for row in connection.execute(REFUSED, {"source": source_id})}


def settled_categories(connection: Connection, source_id: int) -> set[str]:
    """The source's categories that have an accepted rule."""
    return set(connection.scalars(SETTLED, {"source": source_id}))


def set_rule(
    connection: Connection,
    source_id: int,
    source_category: str,
    category: str | None,
    by: str,
    *,
    status: RuleStatus = RuleStatus.ACCEPTED,
    new: bool = False,
) -> int:
    """Say what a source's category means (None: nothing here), in place of any other word on it; the rule's id.

    With status refused it says what it does not mean. Raises InvalidInput for a category the taxonomy has not, unless
    it may be ``new``.
    """
    name = _named(source_category)
    _hold(connection, source_id)
    category_id = None if category is None else _category(connection, source_id, category, new)
    return _put(connection, source_id, name, category_id, by, status)


def decide(
    connection: Connection,
    rule_id: int,
    by: str,
    status: RuleStatus,
    category: str | None = None,
    *,
    change: bool = False,
    new: bool = False,
) -> int:
    """Accept or refuse a rule, or open it again (proposed); with ``change`` it is first given another ``category``.

    Returns the rule that says so now: another one, if the category changed; the one it had is refused then.
    """
    rule = connection.execute(ONE, {"id": rule_id}).first()
    if rule is None:
        raise NotFound(f"there is no rule {rule_id}")
    _hold(connection, rule.source_id)
    if change:
        if status is not RuleStatus.ACCEPTED:
            raise InvalidInput("another category is chosen by accepting it: leave the status out, or give 'accepted'")
        chosen = None if category is None else _category(connection, rule.source_id, category, new)
        if chosen != rule.category_id:
            _put(connection, rule.source_id, rule.source_category, rule.category_id, by, RuleStatus.REFUSED)
        return _put(connection, rule.source_id, rule.source_category, chosen, by, status)
    if status is RuleStatus.PROPOSED:
        if not connection.execute(REOPEN, {"id": rule_id}).rowcount:
            raise NotFound(f"there is no rule {rule_id} any more")
        return rule_id
    return _put(connection, rule.source_id, rule.source_category, rule.category_id, by, status)


def accept_above(connection: Connection, source_id: int, score: float, by: str) -> int:
    """Accept every open proposal of at least this score (0 to 1), the best where there are several; how many."""
    if not 0 <= score <= 1:
        raise InvalidInput("a score lies between 0 and 1")
    _hold(connection, source_id)
    return connection.execute(ABOVE, {"source": source_id, "above": score, "by": storable(by)}).rowcount


def apply_lines(connection: Connection, source_id: int, lines: Sequence[RuleLine], by: str, *, new: bool) -> int:
    """Take the decisions of a file over, all or none; how many.

    RefusedLines names every line that cannot be used; nothing is written then.
    """
    _hold(connection, source_id)
    paths = dict.fromkeys(connection.scalars(PATHS, {"source": source_id}))
    problems: dict[int, str] = {}
    for line in lines:
        try:
            _named(line.source_category)
            if line.category is not None and _path(line.category) not in paths and not new:
                raise _unknown(list(paths), line.category)
        except InvalidInput as error:
            problems[line.number] = str(error)
    if problems:
        raise RefusedLines(problems)
    # Those that refuse come first: they may speak of what was accepted until now.
    for line in sorted(lines, key=lambda line: line.accepted):
        status = RuleStatus.ACCEPTED if line.accepted else RuleStatus.REFUSED
        set_rule(connection, source_id, line.source_category, line.category, by, status=status, new=new)
    return len(lines)


def _put(
    connection: Connection, source_id: int, name: str, category_id: int | None, by: str, status: RuleStatus
) -> int:
    values: dict[str, Any] = {"source": source_id, "name": name, "category": category_id, "by": storable(by)}
    if status is RuleStatus.ACCEPTED:
        connection.execute(REPLACE, values)
        connection.execute(ANSWERED, values)
    return int(connection.execute(PUT, values | {"status": status}).scalar_one())


def _hold(connection: Connection, source_id: int) -> None:
    if connection.scalar(HOLD, {"source": source_id}) is None:
        raise NotFound(f"there is no source {source_id}")


def _named(source_category: str) -> str:
    name = " ".join((storable(source_category) or "").split())
    if not name or len(name) > LONGEST:
        raise InvalidInput(f"the category of the source needs 1 to {LONGEST} characters, such as en:champagnes")
    return name


def _category(connection: Connection, source_id: int, written: str, new: bool) -> int:
    path = _path(written)
    wanted = {"source": source_id, "path": path}
    found = connection.scalar(FIND_CATEGORY, wanted)
    if found is None and new:
        learn_categories(connection, source_id, {path})
        found = connection.scalar(FIND_CATEGORY, wanted)
    if found is None:
        raise _unknown(list(connection.scalars(PATHS, {"source": source_id})), path)
    return int(found)


def _path(written: str) -> str:
    return str(Category.parse(storable(written) or ""))


def _unknown(known: Sequence[str], path: str) -> InvalidInput:
    close = get_close_matches(path, known, n=3, cutoff=0.5)
    near = f"; near it are: {', '.join(close)}" if close else ""
    return InvalidInput(f"the taxonomy has no category '{path[:100]}'{near}; say that it is new to add it")
