"""Dead letters (jobs that failed for good): list, read and replay them."""

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
    letter_filter = DeadLetterFilter(replayed=replayed, reason_contains=reason_contains)
    with context.engine.connect() as connection:
        letters = list_dead_letters(connection, letter_filter, before_id=id_of(cursor), limit=limit + 1)
    items = [DeadLetterResponse.of(letter, language) for letter in letters[:limit]]
    return DeadLetterPage(items=items, next=cursor_after(letters, limit))


@router.get("/{letter_id}")
def show_dead_letter(
    letter_id: RecordId, context: Context, _grant: Admin, language: AnswerLanguage
) -> DeadLetterWithHistory:
    """One dead letter with its traceback and the history of attempts."""
    with context.engine.connect() as connection:
        letter = find_dead_letter(connection, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    return DeadLetterWithHistory.of(letter, language)


@router.post("/replay")
def replay_dead_letters(selection: ReplayRequest, context: Context, _grant: Admin) -> ReplayResponse:
    """Queue the jobs of these letters again, with their failure counts reset; returns the number of jobs."""
    return ReplayResponse(replayed=dead_letters.replay(context.units, selection.ids, selection.reason_contains))
