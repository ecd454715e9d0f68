"""The HTTP application: ``uvicorn --factory api.app:create_app``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI

from api import openapi, page_router, problems
from api.body_limits import LimitedBodies
from api.collections import routes as collections_routes
from api.context import THREADS, build
from api.dead_letters import routes as dead_letters_routes
from api.head_requests import HeadRequests
from api.imports import routes as imports_routes
from api.keys import routes as keys_routes
from api.listings import routes as listings_routes
from api.metrics import MeasuredRequests
from api.models import routes as models_routes
from api.operations import routes as operations_routes
from api.review import routes as review_routes
from api.rules import routes as rules_routes
from api.studies import routes as studies_routes
from api.trainings import routes as trainings_routes
from api.uploads import routes as uploads_routes
from infra.settings import Settings, read_settings

DESCRIPTION = """Assigns products to categories, says how sure it is, and sends doubtful ones to a reviewer.

Every error is a problem document (RFC 9457). Lists are walked with the cursor `next`. A parameter that an operation
does not have is refused, not passed over. A key neither sees nor touches listings of a source it is not bound to: they
are 404."""
NOUNS = (
    listings_routes,
    review_routes,
    models_routes,
    trainings_routes,
    dead_letters_routes,
    imports_routes,
    collections_routes,
    rules_routes,
    studies_routes,
    keys_routes,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Compose the app; the environment is read only without ``settings``. Nothing connects before it starts.

    Raises InvalidInput when the settings cannot be used.
    """
    context = build(settings or read_settings(os.environ))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        context.hub.start()
        try:
            yield
        finally:
            await context.hub.stop()
            context.engine.dispose()

    # FastAPI's reference pages load scripts from other hosts; ours needs no internet.
    app = FastAPI(title="Rayon", version="1", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.context = context
    problems.install(app)
    for noun in NOUNS:
        app.include_router(noun.router, dependencies=[Depends(openapi.reject_unknown_parameters)])
    for open_to_all in (uploads_routes, operations_routes):
        app.include_router(open_to_all.router)
    openapi.install(app)
    page_router.install(app)
    app.add_middleware(LimitedBodies, upload_limit=context.settings.upload_limit)
    app.add_middleware(MeasuredRequests, metrics=context.metrics)
    app.add_middleware(HeadRequests)
    return app
