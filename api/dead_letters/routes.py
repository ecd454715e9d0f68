"""Dead letters: jobs that were given up, read and replayed."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Admin
from api.context import Context
from api.dead_letters.schemas import (
    DeadLetterPage,
    DeadLetterResponse,
    DeadLetterWithHistory,
    ReplayRequest,
    ReplayResponse,
)
from api.language import AnswerLanguage
from api.pagination import Cursor, Limit, cursor_after, id_of
from api.parameters import Clean, RecordId
from infra.store.dead_letters import DeadLetterFilter, find_dead_letter, list_dead_letters
from pipeline.domain.errors import NotFound
from pipeline.steps import dead_letters

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])


@router.get("")
def show_dead_letters(
    context: Context,
    _grant: Admin,
    language: AnswerLanguage,
    *,
    replayed: bool | None = False,
    reason_contains: Clean | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeadLetterPage:
    """Dead letters, newest first; by default those not yet replayed."""
    wanted = DeadLetterFilter(replayed=replayed, reason_contains=reason_contains)
    with context.engine.connect() as connection:
        found = list_dead_letters(connection, wanted, before_id=id_of(cursor), limit=limit + 1)
    items = [DeadLetterResponse.of(letter, language) for letter in found[:limit]]
    return DeadLetterPage(items=items, next=cursor_after(found, limit))


@router.get("/{letter_id}")
def show_dead_letter(
    letter_id: RecordId, context: Context, _grant: Admin, language: AnswerLanguage
) -> DeadLetterWithHistory:
    """One dead letter with its traceback and the history of attempts."""
    with context.engine.connect() as connection:
        found = find_dead_letter(connection, letter_id)
    if found is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    return DeadLetterWithHistory.of(found, language)


@router.post("/replay")
def replay_dead_letters(selection: ReplayRequest, context: Context, _grant: Admin) -> ReplayResponse:
    """Set the jobs of these letters waiting again, with no failures counted; returns how many."""
    return ReplayResponse(replayed=dead_letters.replay(context.units, selection.ids, selection.reason_contains))
