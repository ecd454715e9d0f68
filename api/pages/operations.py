"""For admins: jobs that were given up."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.house import InHouse
from api.pages.listings import ListingId
from api.pages.rendering import render
from api.pages.session import PostedForm, Visitor, require_admin
from infra.store.queries.dead_letters import list_dead_letters
from pipeline.steps.replay import replay

router = APIRouter()
LETTERS = 100


@router.get("/dead-letters")
def show_dead_letters(request: Request, house: InHouse, visitor: Visitor) -> Response:
    """Jobs given up that nobody replayed yet, with the reason."""
    with house.engine.connect() as connection:
        letters = list_dead_letters(connection, source_ids=visitor.grant.source_ids, replayed=False, limit=LETTERS)
    return render(request, "dead_letters.html", visitor, {"letters": letters})


@router.post("/dead-letters/{letter_id}/replay")
def replay_letter(letter_id: ListingId, house: InHouse, visitor: Visitor, form: PostedForm) -> Response:
    """Set one job waiting again."""
    require_admin(visitor, "replaying")
    replay(house.units, [letter_id])
    return RedirectResponse("/dead-letters", HTTPStatus.SEE_OTHER)
