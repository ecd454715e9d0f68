"""Intake: a submission becomes a listing, a revision and a job in one transaction; the same content again, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.domain.idempotency import IdempotencyKey
from pipeline.domain.job import Priority
from pipeline.domain.listing import CurrentRevision, Receipt, Submission, Verdict
from pipeline.ports.repositories import UnitOfWork, UnitsOfWork


def accept(
    units: UnitsOfWork,
    source_id: int,
    submissions: Sequence[Submission],
    priority: Priority,
    once: IdempotencyKey | None = None,
) -> list[Receipt]:
    """Accept submissions of one source; all or none of them are committed when this returns.

    A submission is compared with the current revision only, under the listing's row lock: equal content is
    ``unchanged``; other content is a new revision whose job supersedes the open ones of older revisions. Several
    submissions of one listing are taken in the order given. ``once`` makes the call idempotent: repeated with the
    same key it returns the first receipts, and raises Conflict when the body differs.
    """
    with units() as unit:
        if once is not None:
            remembered = unit.idempotency.claim(once)
            if remembered is not None:
                return [Receipt(**{**r, "verdict": Verdict(r["verdict"])}) for r in remembered["receipts"]]
        receipts = accept_in(unit, source_id, submissions, priority)
        if once is not None:
            unit.idempotency.keep(once, {"receipts": [asdict(r) for r in receipts]})
        unit.commit()
        return receipts


def accept_in(unit: UnitOfWork, source_id: int, submissions: Sequence[Submission], priority: Priority) -> list[Receipt]:
    """As ``accept``, within a unit that its owner commits."""
    receipts: dict[int, Receipt] = {}
    for wave in _waves(submissions):
        taken = _accept_distinct(unit, source_id, [submissions[i] for i in wave], priority)
        receipts.update(zip(wave, taken, strict=True))
    return [receipts[i] for i in range(len(submissions))]


def withdraw(units: UnitsOfWork, listing_id: int) -> bool:
    """Withdraw a listing and cancel its jobs; False when it was withdrawn already. NotFound when there is none."""
    with units() as unit:
        withdrawn = unit.listings.withdraw(listing_id)
        unit.outbox.supersede([listing_id], "the listing was withdrawn")
        unit.commit()
        return withdrawn


def _waves(submissions: Sequence[Submission]) -> list[list[int]]:
    """Positions grouped so that no group names a listing twice, keeping the order of those that do."""
    waves: list[list[int]] = []
    seen: dict[str, int] = {}
    for position, submission in enumerate(submissions):
        turn = seen.get(submission.external_id, 0)
        seen[submission.external_id] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(position)
    return waves


def _accept_distinct(
    unit: UnitOfWork, source_id: int, submissions: Sequence[Submission], priority: Priority
) -> list[Receipt]:
    current = unit.listings.lock(source_id, [s.external_id for s in submissions])
    verdicts = [_verdict(current[s.external_id], s) for s in submissions]
    changes = [
        (current[s.external_id], s) for s, v in zip(submissions, verdicts, strict=True) if v is not Verdict.UNCHANGED
    ]
    revision_ids: dict[str, int] = {}
    if changes:
        listing_ids = [now.listing_id for now, _ in changes]
        unit.outbox.supersede([now.listing_id for now, _ in changes if now.revision_id is not None], "a newer revision")
        added = unit.listings.add_revisions(source_id, changes)
        unit.outbox.add(listing_ids, added, priority)
        revision_ids = {s.external_id: i for (_, s), i in zip(changes, added, strict=True)}
    return [
        _receipt(current[s.external_id], s, v, revision_ids.get(s.external_id))
        for s, v in zip(submissions, verdicts, strict=True)
    ]


def _verdict(now: CurrentRevision, submission: Submission) -> Verdict:
    if now.revision_id is None:
        return Verdict.NEW
    if now.fingerprint == submission.content.fingerprint() and not now.withdrawn:
        return Verdict.UNCHANGED
    return Verdict.CHANGED


def _receipt(now: CurrentRevision, submission: Submission, verdict: Verdict, revision_id: int | None) -> Receipt:
    if revision_id is not None:
        return Receipt(submission.external_id, now.listing_id, revision_id, now.number + 1, verdict)
    assert now.revision_id is not None
    return Receipt(submission.external_id, now.listing_id, now.revision_id, now.number, verdict)
