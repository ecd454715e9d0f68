"""The page of dead letters: jobs that failed for good."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.context import Context
from api.parameters import RecordId
from api.web.rendering import render
from api.web.session import PostedForm, Visitor, require_admin
from infra.store.dead_letters import DeadLetterFilter, list_dead_letters
from pipeline.steps.dead_letters import replay

router = APIRouter()
MAX_LETTERS = 100


@router.get("/dead-letters")
def show_dead_letters(request: Request, context: Context, visitor: Visitor) -> Response:
    """Dead letters not yet replayed, with their reasons."""
    letter_filter = DeadLetterFilter(visitor.grant.source_ids, replayed=False)
    with context.engine.connect() as connection:
        letters = list_dead_letters(connection, letter_filter, limit=MAX_LETTERS)
    return render(request, "dead_letters/list.html", visitor, {"letters": letters})


@router.post("/dead-letters/{letter_id}/replay")
def replay_letter(letter_id: RecordId, context: Context, visitor: Visitor, _form: PostedForm) -> Response:
    """Replay the job of a dead letter."""
    require_admin(visitor)
    replay(context.units, [letter_id])
    return RedirectResponse("/dead-letters", HTTPStatus.SEE_OTHER)
