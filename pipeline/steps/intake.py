"""Intake: add a listing, a revision and a job for each new or changed submission, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.verdict import Receipt, Verdict, judge
from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from pipeline.ports.unit_of_work import IntakeUnit, UnitsOfWork
from pipeline.steps.idempotency import answer_once


def accept(
    units: UnitsOfWork,
    source_id: int,
    submissions: Sequence[Submission],
    priority: Priority,
    key: IdempotencyKey | None = None,
) -> list[Receipt]:
    """Accept submissions to a source in one transaction, which is committed when this returns.

    Each is compared with the current revision under the listing's row lock, see ``judge``: nothing is written for an
    unchanged one, any other becomes a revision whose job supersedes the open jobs of the listing. Several submissions
    of one listing are accepted in their order. A call with the same ``key`` returns the first receipts; raises
    IdempotencyKeyReused if the key was used for another request.
    """
    with units() as unit:
        receipts = answer_once(
            unit, key, lambda: accept_in(unit, source_id, submissions, priority), _encode_receipts, _decode_receipts
        )
        unit.commit()
    return receipts


def accept_in(unit: IntakeUnit, source_id: int, submissions: Sequence[Submission], priority: Priority) -> list[Receipt]:
    """Like ``accept``, in a unit that the caller commits."""
    receipts: dict[int, Receipt] = {}
    for indices in _rounds(submissions):
        round_receipts = _accept_distinct(unit, source_id, [submissions[index] for index in indices], priority)
        receipts.update(zip(indices, round_receipts, strict=True))
    return [receipts[index] for index in range(len(submissions))]


def withdraw(units: UnitsOfWork, listing_id: int) -> bool:
    """Withdraw a listing and cancel its jobs; returns False if it is already withdrawn. Raises NotFound."""
    with units() as unit:
        withdrawn = unit.listings.withdraw(listing_id)
        unit.outbox.supersede([listing_id], "the listing was withdrawn")
        unit.commit()
    return withdrawn


def _rounds(submissions: Sequence[Submission]) -> list[list[int]]:
    """Group indices into rounds: the n-th submission of each listing is in round n, so no round repeats a listing."""
    rounds: list[list[int]] = []
    counts: dict[str, int] = {}
    for index, submission in enumerate(submissions):
        round_number = counts.get(submission.external_id, 0)
        counts[submission.external_id] = round_number + 1
        if round_number == len(rounds):
            rounds.append([])
        rounds[round_number].append(index)
    return rounds


def _accept_distinct(
    unit: IntakeUnit, source_id: int, submissions: Sequence[Submission], priority: Priority
) -> list[Receipt]:
    current = unit.listings.lock(source_id, [submission.external_id for submission in submissions])
    verdicts = {
        submission.external_id: judge(current[submission.external_id], submission.content) for submission in submissions
    }
    changes = [
        (current[submission.external_id], submission)
        for submission in submissions
        if verdicts[submission.external_id] is not Verdict.UNCHANGED
    ]
    new_revision_ids: dict[str, int] = {}
    if changes:
        revised_listing_ids = [revision.listing_id for revision, _ in changes if revision.revision_id is not None]
        unit.outbox.supersede(revised_listing_ids, "a newer revision")
        added_ids = unit.listings.add_revisions(source_id, changes)
        unit.outbox.add([revision.listing_id for revision, _ in changes], added_ids, priority)
        new_revision_ids = {
            submission.external_id: revision_id for (_, submission), revision_id in zip(changes, added_ids, strict=True)
        }
    receipts = []
    for submission in submissions:
        previous, verdict = current[submission.external_id], verdicts[submission.external_id]
        revision_id = new_revision_ids.get(submission.external_id, previous.revision_id)
        assert revision_id is not None  # only a listing with a revision can be unchanged
        number = previous.number + (verdict is not Verdict.UNCHANGED)
        receipts.append(Receipt(submission.external_id, previous.listing_id, revision_id, number, verdict))
    return receipts


def _encode_receipts(receipts: list[Receipt]) -> StoredAnswer:
    return {"receipts": [asdict(receipt) for receipt in receipts]}


def _decode_receipts(answer: StoredAnswer) -> list[Receipt]:
    return [Receipt(**{**fields, "verdict": Verdict(fields["verdict"])}) for fields in answer["receipts"]]
