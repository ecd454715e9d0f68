"""The pages together: one router, and one call that puts them into the app."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api.pages import (
    collections,
    errors,
    imports,
    listings,
    login,
    models,
    operations,
    reference,
    rules,
    story,
    studies,
    trying,
)
from api.pages.rendering import FOLDER

router = APIRouter(include_in_schema=False)
for part in (login, listings, story, trying, imports, collections, rules, studies, models, operations, reference):
    router.include_router(part.router)


def install(app: FastAPI) -> None:
    """Pages, their styles, and errors as pages; call it after the app's own error handlers are set."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    errors.install(app)
