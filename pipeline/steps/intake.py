"""Intake: a new or changed submission becomes a listing, a revision and a job in one transaction."""

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
    """Accept submissions to a source; when this returns, all of them are committed.

    Each is compared with the current revision under the listing's row lock, see ``judge``: an unchanged one writes
    nothing, any other becomes a revision whose job supersedes the open jobs of the listing. Several submissions of
    one listing are accepted in the given order. Repeated with the same ``key`` this returns the first receipts;
    raises IdempotencyKeyReused when the key was used for another request.
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
    for positions in _rounds(submissions):
        accepted = _accept_distinct(unit, source_id, [submissions[i] for i in positions], priority)
        receipts.update(zip(positions, accepted, strict=True))
    return [receipts[i] for i in range(len(submissions))]


def withdraw(units: UnitsOfWork, listing_id: int) -> bool:
    """Withdraw a listing and cancel its jobs; False when it is withdrawn already. Raises NotFound."""
    with units() as unit:
        withdrawn = unit.listings.withdraw(listing_id)
        unit.outbox.supersede([listing_id], "the listing was withdrawn")
        unit.commit()
    return withdrawn


def _rounds(submissions: Sequence[Submission]) -> list[list[int]]:
    """Positions in rounds: a round has each listing at most once, and later submissions of it are in later rounds."""
    rounds: list[list[int]] = []
    times: dict[str, int] = {}
    for position, submission in enumerate(submissions):
        turn = times.get(submission.external_id, 0)
        times[submission.external_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(position)
    return rounds


def _accept_distinct(
    unit: IntakeUnit, source_id: int, submissions: Sequence[Submission], priority: Priority
) -> list[Receipt]:
    current = unit.listings.lock(source_id, [submission.external_id for submission in submissions])
    verdicts = {s.external_id: judge(current[s.external_id], s.content) for s in submissions}
    changes = [(current[s.external_id], s) for s in submissions if verdicts[s.external_id] is not Verdict.UNCHANGED]
    revision_ids: dict[str, int] = {}
    if changes:
        revised = [revision.listing_id for revision, _ in changes if revision.revision_id is not None]
        unit.outbox.supersede(revised, "a newer revision")
        added = unit.listings.add_revisions(source_id, changes)
        unit.outbox.add([revision.listing_id for revision, _ in changes], added, priority)
        revision_ids = {s.external_id: revision_id for (_, s), revision_id in zip(changes, added, strict=True)}
    receipts = []
    for submission in submissions:
        before, verdict = current[submission.external_id], verdicts[submission.external_id]
        revision_id = revision_ids.get(submission.external_id, before.revision_id)
        assert revision_id is not None  # only a listing with a revision can be unchanged
        number = before.number + (verdict is not Verdict.UNCHANGED)
        receipts.append(Receipt(submission.external_id, before.listing_id, revision_id, number, verdict))
    return receipts


def _encode_receipts(receipts: list[Receipt]) -> StoredAnswer:
    return {"receipts": [asdict(receipt) for receipt in receipts]}


def _decode_receipts(answer: StoredAnswer) -> list[Receipt]:
    return [Receipt(**{**kept, "verdict": Verdict(kept["verdict"])}) for kept in answer["receipts"]]
