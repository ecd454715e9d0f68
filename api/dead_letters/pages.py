"""For admins: jobs that were given up."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.context import Context
from api.listings.pages import ListingId
from api.web.rendering import render
from api.web.session import PostedForm, Visitor, require_admin
from infra.store.dead_letters.queries import list_dead_letters
from pipeline.steps.dead_letters import replay

router = APIRouter()
LETTERS = 100


@router.get("/dead-letters")
def show_dead_letters(request: Request, context: Context, visitor: Visitor) -> Response:
    """Jobs given up that nobody replayed yet, with the reason."""
    with context.engine.connect() as connection:
        letters = list_dead_letters(connection, source_ids=visitor.grant.source_ids, replayed=False, limit=LETTERS)
    return render(request, "dead_letters.html", visitor, {"letters": letters})


@router.post("/dead-letters/{letter_id}/replay")
def replay_letter(letter_id: ListingId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Set one job waiting again."""
    require_admin(visitor, "replaying")
    replay(context.units, [letter_id])
    return RedirectResponse("/dead-letters", HTTPStatus.SEE_OTHER)
