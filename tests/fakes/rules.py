"""Rules in memory, and the jobs that propose them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.domain.job import JobKind, JobState, Priority
from pipeline.domain.rule import Rule, RuleStatus
from pipeline.domain.rule_proposal import RuleProposal
from pipeline.domain.verdict import Verdict
from tests.fakes.tables import StoredJob, StoredRule, Tables


class MemoryRules:
    """Implements ``pipeline.ports.administration_repositories.RuleRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, rule_id: int) -> Rule | None:
        """The rule, or None."""
        rule = self._tables.rules.get(rule_id)
        if rule is None:
            return None
        return Rule(rule.id, rule.source_id, rule.source_category, rule.category, rule.status)

    def put(
        self, source_id: int, source_category: str, category: str | None, status: RuleStatus, decided_by: str
    ) -> int:
        """Write a decided rule, new or in place of the one with the same two sides."""
        for rule in self._of(source_id, source_category):
            if rule.category == category:
                rule.status, rule.decided_by = status, decided_by
                return rule.id
        return self._add(StoredRule(0, source_id, source_category, category, status, decided_by))

    def reopen(self, rule_id: int) -> bool:
        """Make a rule a proposal again; False when it is gone."""
        rule = self._tables.rules.get(rule_id)
        if rule is not None:
            rule.status, rule.decided_by = RuleStatus.PROPOSED, None
        return rule is not None

    def refuse_accepted(self, source_id: int, source_category: str, except_for: str | None, decided_by: str) -> None:
        """Refuse the accepted rule of a source's category, unless it means the category ``except_for``."""
        for rule in self._of(source_id, source_category):
            if rule.status is RuleStatus.ACCEPTED and rule.category != except_for:
                rule.status, rule.decided_by = RuleStatus.REFUSED, decided_by

    def delete_proposals(self, source_id: int, source_category: str, except_for: str | None) -> None:
        """Delete the proposals for a source's category, except one that means the category ``except_for``."""
        for rule in list(self._of(source_id, source_category)):
            if rule.status is RuleStatus.PROPOSED and rule.category != except_for:
                del self._tables.rules[rule.id]

    def accept_above(self, source_id: int, score: float, decided_by: str) -> int:
        """Accept the best proposal of each category that has no accepted rule."""
        accepted = 0
        for rule in list(self._of(source_id)):
            rules = list(self._of(source_id, rule.source_category))
            proposals = [each for each in rules if each.status is RuleStatus.PROPOSED and each.score is not None]
            settled = any(each.status is RuleStatus.ACCEPTED for each in rules)
            best = max(proposals, key=lambda each: (each.score or 0.0, each.id), default=None)
            if rule is best and not settled and (rule.score or 0.0) >= score:
                rule.status, rule.decided_by = RuleStatus.ACCEPTED, decided_by
                accepted += 1
        return accepted

    def replace_proposals(self, source_id: int, proposals: Sequence[RuleProposal]) -> int:
        """Delete all proposals of a source and add these; returns how many were added."""
        for rule in list(self._of(source_id)):
            if rule.status is RuleStatus.PROPOSED:
                del self._tables.rules[rule.id]
        categories = self._tables.categories.get(self._tables.sources[source_id].taxonomy_id, set())
        added = 0
        for proposal in proposals:
            name, category = proposal.source_category, proposal.category
            rules = list(self._of(source_id, name))
            settled = any(rule.status is RuleStatus.ACCEPTED or rule.category == category for rule in rules)
            if not settled and (category is None or category in categories):
                status, score, support = RuleStatus.PROPOSED, proposal.score, proposal.support
                self._add(StoredRule(0, source_id, name, category, status, None, score, support))
                added += 1
        return added

    def update_support(self, source_id: int, support: Mapping[str, int]) -> None:
        """Write the number of listings of each of these categories to its rules."""
        for rule in self._of(source_id):
            rule.support = support.get(rule.source_category, rule.support)

    def find_proposal_job(self, source_id: int, *, with_running: bool) -> int | None:
        """An open job that proposes rules for a source."""
        states = {JobState.WAITING, JobState.SENT} | ({JobState.LEASED} if with_running else set())
        for job in self._tables.jobs.values():
            if job.kind is JobKind.MAP and job.payload["source_id"] == source_id and job.state in states:
                return job.id
        return None

    def add_proposal_job(self, source_id: int, requested_by: str | None, unique_key: str | None = None) -> int | None:
        """Add a job that proposes rules for a source; None when the unique key is taken."""
        taken = {job.unique_key for job in self._tables.jobs.values()} - {None}
        if unique_key in taken:
            return None
        priority = Priority.PIPELINE if requested_by is not None else Priority.BACKFILL
        payload = {"source_id": source_id, "by": requested_by}
        job = StoredJob(self._tables.next_id(), JobKind.MAP, priority, payload=payload, unique_key=unique_key)
        self._tables.jobs[job.id] = job
        self._tables.relay_notified += 1
        return job.id

    def source_with_new_categories(self, import_id: int) -> int | None:
        """The source of an import from a product database that brought categories without any rule, else None."""
        imported = self._tables.imports[import_id]
        source_id = imported.request.source_id
        known = {rule.source_category for rule in self._of(source_id)}
        if imported.request.query is None or not self._has_categories(source_id):
            return None
        for (owner, _), row in self._tables.import_rows.items():
            provenance = self._tables.provenances.get(row.listing_id or 0)
            is_taken = owner == import_id and row.verdict in (Verdict.NEW, Verdict.CHANGED)
            if is_taken and provenance is not None and set(provenance.categories) - known - {""}:
                return source_id
        return None

    def sources_to_decide(self, taxonomy_id: int) -> list[int]:
        """The sources of a taxonomy with proposals, or with collected listings and no rule at all."""
        return [
            source.id
            for source in self._tables.sources.values()
            if source.taxonomy_id == taxonomy_id and self._has_categories(source.id) and self._is_undecided(source.id)
        ]

    def _is_undecided(self, source_id: int) -> bool:
        rules = list(self._of(source_id))
        if rules:
            return any(rule.status is RuleStatus.PROPOSED for rule in rules)
        listings, provenances = self._tables.listings, self._tables.provenances
        return any(
            listings[listing_id].source_id == source_id and not listings[listing_id].withdrawn and each.categories
            for listing_id, each in provenances.items()
        )

    def _has_categories(self, source_id: int) -> bool:
        return bool(self._tables.categories.get(self._tables.sources[source_id].taxonomy_id))

    def _of(self, source_id: int, source_category: str | None = None) -> Iterator[StoredRule]:
        for rule in self._tables.rules.values():
            if rule.source_id == source_id and source_category in (None, rule.source_category):
                yield rule

    def _add(self, rule: StoredRule) -> int:
        rule.id = self._tables.next_id()
        self._tables.rules[rule.id] = rule
        return rule.id
