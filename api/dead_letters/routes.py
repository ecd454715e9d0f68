"""Jobs that were given up: read, and replayed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auth import Admin
from api.context import Context
from api.language import AnswerLanguage, with_reasons_in
from api.listings.routes import Cursor, Limit
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID, cursor_after, id_of
from infra.store.dead_letters.queries import find_dead_letter, list_dead_letters
from pipeline.domain.errors import NotFound
from pipeline.steps import dead_letters

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])


class Chosen(BaseModel):
    """Which letters to replay: exactly one of the three."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": [17]}, {"all": True}]})

    ids: list[Annotated[int, Field(ge=1, le=LARGEST_ID)]] | None = Field(None, max_length=10_000)
    reason_contains: Clean | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_choice(self) -> Chosen:
        if [self.ids is not None, bool(self.reason_contains), self.all].count(True) != 1:
            raise ValueError("give exactly one of: ids, reason_contains, all")
        return self


@router.get("")
def show_dead_letters(
    context: Context,
    grant: Admin,
    language: AnswerLanguage,
    replayed: bool | None = False,
    reason_contains: Clean | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Letters, newest first; by default those that nobody replayed."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_dead_letters(
            connection, replayed=replayed, reason_contains=reason_contains, before_id=before, limit=limit + 1
        )
    return {"items": with_reasons_in(language, found[:limit]), "next": cursor_after(found, limit)}


@router.get("/{letter_id}")
def show_dead_letter(
    letter_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], context: Context, grant: Admin, language: AnswerLanguage
) -> dict[str, Any]:
    """One letter with its traceback and the history of attempts."""
    with context.engine.connect() as connection:
        found = find_dead_letter(connection, letter_id)
    if found is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    return with_reasons_in(language, found)


@router.post("/replay")
def replay_dead_letters(chosen: Chosen, context: Context, grant: Admin) -> dict[str, int]:
    """Let the jobs of these letters wait again with a clean slate; says how many do."""
    return {"replayed": dead_letters.replay(context.units, chosen.ids, chosen.reason_contains)}
