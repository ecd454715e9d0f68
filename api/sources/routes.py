"""Sources: list them, and set how they write categories."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Admin, Reader
from api.context import Context
from api.rules.routes import SourceName, source_of
from api.sources.schemas import NotationFields, SourceResponse
from infra.store.sources import all_sources
from pipeline.steps.source_registration import set_notation

router = APIRouter(prefix="/v1/sources", tags=["sources"])


@router.get("")
def show_sources(context: Context, grant: Reader) -> list[SourceResponse]:
    """The sources that the key may access, by name."""
    with context.engine.connect() as connection:
        return [SourceResponse.of(source) for source in all_sources(connection, grant.source_ids)]


@router.put("/{name:path}/category-notation")
def put_notation(name: SourceName, requested: NotationFields, context: Context, grant: Admin) -> SourceResponse:
    """Set how the source writes categories: later imports of files and posted listings are read so.

    Fields that are left out are set to null.
    """
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
    return SourceResponse.of(set_notation(context.units, source.name, requested.notation()))
