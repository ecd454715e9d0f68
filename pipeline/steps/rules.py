"""Rules: the meanings of a source's categories in the taxonomy, proposed by a worker and decided by users.

A source category has one meaning: accepting a rule refuses the previously accepted one, and deletes proposals of other
meanings. A refused rule is not proposed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.rule import (
    InvalidRuleLines,
    Meaning,
    RuleLine,
    RuleStatus,
    source_category_name,
    unknown_category_error,
)
from pipeline.domain.rule_proposal import RuleProposal
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork


def set_rule(
    units: UnitsOfWork,
    source_id: int,
    source_category: str,
    meaning: Meaning,
    status: RuleStatus,
    decided_by: str,
) -> int:
    """Accept or refuse a meaning of a source category; returns the rule's id.

    Raises InvalidInput for the status ``proposed``, and for a category that the taxonomy does not have unless the
    meaning has ``create_missing``.
    """
    if status is RuleStatus.PROPOSED:
        raise InvalidInput("a rule is set as accepted or refused; only a worker proposes rules")
    name = source_category_name(source_category)
    with units() as unit:
        unit.sources.lock(source_id)
        category = _category_of(unit, source_id, meaning)
        rule_id = _put(unit, source_id, name, category, status, decided_by)
        unit.commit()
        return rule_id


def decide_rule(
    units: UnitsOfWork, rule_id: int, status: RuleStatus, decided_by: str, meaning: Meaning | None = None
) -> int:
    """Accept or refuse a rule, or make it a proposal again; returns the id of the rule with the decision.

    With another ``meaning``, a rule with that meaning is accepted and this one is refused.
    """
    if meaning is not None and status is not RuleStatus.ACCEPTED:
        raise InvalidInput("another category is chosen by accepting it: leave the status out, or give 'accepted'")
    with units() as unit:
        rule = unit.rules.find(rule_id)
        if rule is None:
            raise NotFound(f"there is no rule {rule_id}")
        unit.sources.lock(rule.source_id)
        if status is RuleStatus.PROPOSED:
            if not unit.rules.reopen(rule_id):
                raise NotFound(f"there is no rule {rule_id} any more")
            decided_id = rule_id
        else:
            category = rule.category if meaning is None else _category_of(unit, rule.source_id, meaning)
            if category != rule.category:
                unit.rules.put(rule.source_id, rule.source_category, rule.category, RuleStatus.REFUSED, decided_by)
            decided_id = _put(unit, rule.source_id, rule.source_category, category, status, decided_by)
        unit.commit()
        return decided_id


def accept_proposals(units: UnitsOfWork, source_id: int, score: float, decided_by: str) -> int:
    """Accept all proposals with at least this score (0 to 1); returns how many.

    Of several proposals for a source category, only the best is accepted. Accepted rules stay as they are.
    """
    if not 0 <= score <= 1:
        raise InvalidInput("a score lies between 0 and 1")
    with units() as unit:
        unit.sources.lock(source_id)
        accepted = unit.rules.accept_above(source_id, score, decided_by)
        unit.commit()
        return accepted


def import_rules(
    units: UnitsOfWork, source_id: int, lines: Sequence[RuleLine], decided_by: str, *, create_missing: bool
) -> None:
    """Apply all decisions of a file, or none: raises InvalidRuleLines with the problem of every unusable line.

    With ``create_missing``, categories that the taxonomy does not have are added to it.
    """
    with units() as unit:
        unit.sources.lock(source_id)
        decisions = _checked_decisions(lines, unit.sources.category_paths(source_id), create_missing=create_missing)
        unit.sources.add_categories(source_id, {category for _, category, _ in decisions if category is not None})
        # Refusals are written first, as the rules they refuse may be accepted at present.
        for name, category, status in sorted(decisions, key=lambda decision: decision[2] is RuleStatus.ACCEPTED):
            _put(unit, source_id, name, category, status, decided_by)
        unit.commit()


def request_proposals(units: UnitsOfWork, source_id: int, requested_by: str) -> int:
    """Request rule proposals for a source's categories; returns the id of the new job, or of the open one."""
    with units() as unit:
        unit.sources.lock(source_id)
        job_id = unit.rules.find_proposal_job(source_id, with_running=True)
        if job_id is None:
            job_id = unit.rules.add_proposal_job(source_id, requested_by)
            assert job_id is not None  # only a unique key can be taken
        unit.commit()
        return job_id


def request_proposals_after_import(unit: UnitOfWork, import_id: int) -> int | None:
    """Request proposals if an import from a product database added source categories without a rule.

    Returns the id of the job; None if there are no such categories, or if a waiting job will consider them.
    """
    source_id = unit.rules.source_with_new_categories(import_id)
    if source_id is None:
        return None
    unit.sources.lock(source_id)
    if unit.rules.find_proposal_job(source_id, with_running=False) is not None:
        return None
    return unit.rules.add_proposal_job(source_id, None, f"map:{import_id}")


def request_proposals_after_promotion(unit: UnitOfWork, taxonomy_id: int) -> None:
    """Request proposals for every source of a taxonomy with undecided categories, unless a job is waiting.

    The decisions of a new model are among the grounds of proposals. The caller holds the lock of the taxonomy, so that
    two promotions do not request them twice.
    """
    for source_id in unit.rules.sources_to_decide(taxonomy_id):
        if unit.rules.find_proposal_job(source_id, with_running=False) is None:
            unit.rules.add_proposal_job(source_id, None)


def save_proposals(
    units: UnitsOfWork, source_id: int, proposals: Sequence[RuleProposal], support: Mapping[str, int]
) -> int:
    """Replace the proposals of a source, but not its decided rules; returns the number of proposals.

    ``support`` is the number of listings by source category, which is also written to the decided rules.
    """
    with units() as unit:
        unit.sources.lock(source_id)
        added = unit.rules.replace_proposals(source_id, proposals)
        unit.rules.update_support(source_id, support)
        unit.commit()
        return added


def _put(
    unit: UnitOfWork, source_id: int, source_category: str, category: str | None, status: RuleStatus, decided_by: str
) -> int:
    if status is RuleStatus.ACCEPTED:
        unit.rules.refuse_accepted(source_id, source_category, category, decided_by)
        unit.rules.delete_proposals(source_id, source_category, category)
    return unit.rules.put(source_id, source_category, category, status, decided_by)


def _category_of(unit: UnitOfWork, source_id: int, meaning: Meaning) -> str | None:
    """The path of a meaning, added to the taxonomy if it is missing; InvalidInput if it may not be added."""
    path = meaning.path()
    if path is not None and not unit.sources.has_category(source_id, path):
        if not meaning.create_missing:
            raise unknown_category_error(path, unit.sources.category_paths(source_id))
        unit.sources.add_categories(source_id, [path])
    return path


def _checked_decisions(
    lines: Sequence[RuleLine], known_paths: Sequence[str], *, create_missing: bool
) -> list[tuple[str, str | None, RuleStatus]]:
    """The decisions of a file as (source category, category, status); raises InvalidRuleLines."""
    path_set = frozenset(known_paths)
    decisions: list[tuple[str, str | None, RuleStatus]] = []
    problems: dict[int, str] = {}
    for line in lines:
        try:
            name, path = source_category_name(line.source_category), Meaning(line.category).path()
            if path is not None and path not in path_set and not create_missing:
                raise unknown_category_error(path, known_paths)
        except InvalidInput as error:
            problems[line.number] = str(error)
        else:
            decisions.append((name, path, RuleStatus.ACCEPTED if line.accepted else RuleStatus.REFUSED))
    if problems:
        raise InvalidRuleLines(problems)
    return decisions
