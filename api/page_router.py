"""The router of all HTML pages, and their installation into the app with static files and error pages."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api.collections import pages as collections_pages
from api.dead_letters import pages as dead_letters_pages
from api.imports import pages as imports_pages
from api.listings import detail_page, try_page
from api.listings import pages as listings_pages
from api.models import pages as models_pages
from api.rules import pages as rules_pages
from api.studies import pages as studies_pages
from api.taxonomies import pages as taxonomies_pages
from api.web import api_reference, error_pages, login
from api.web.rendering import STATIC_FOLDER

router = APIRouter(include_in_schema=False)
for module in (
    login,
    listings_pages,
    detail_page,
    try_page,
    imports_pages,
    collections_pages,
    taxonomies_pages,
    rules_pages,
    studies_pages,
    models_pages,
    dead_letters_pages,
    api_reference,
):
    router.include_router(module.router)


def install(app: FastAPI) -> None:
    """Add the pages, static files and error pages; call it after the app's other error handlers are added."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    error_pages.install(app)
