"""The HTTP application: ``uvicorn --factory api.app:create_app``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI

from api import openapi, page_router, problems
from api.body_limits import BodyLimitMiddleware
from api.collections import routes as collections_routes
from api.context import THREADS, build_context
from api.dead_letters import routes as dead_letters_routes
from api.head_requests import HeadMiddleware
from api.imports import routes as imports_routes
from api.keys import routes as keys_routes
from api.listings import routes as listings_routes
from api.metrics import MetricsMiddleware
from api.models import routes as models_routes
from api.operations import routes as operations_routes
from api.review import routes as review_routes
from api.rules import routes as rules_routes
from api.sources import routes as sources_routes
from api.studies import routes as studies_routes
from api.taxonomies import routes as taxonomies_routes
from api.trainings import routes as trainings_routes
from api.uploads import routes as uploads_routes
from infra.settings import Settings, read_settings

DESCRIPTION = """Assigns products to categories with a confidence, and sends doubtful ones to a reviewer.

Every error is a problem document (RFC 9457). Lists are paginated with the cursor `next`. Unknown query parameters are
rejected, not ignored. A key can neither read nor change listings of a source it is not bound to: they answer 404."""
RESOURCE_ROUTES = (
    listings_routes,
    review_routes,
    models_routes,
    trainings_routes,
    dead_letters_routes,
    imports_routes,
    collections_routes,
    rules_routes,
    sources_routes,
    taxonomies_routes,
    studies_routes,
    keys_routes,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app, from the environment unless ``settings`` are given. It connects to nothing before it starts.

    Raises InvalidInput for settings that cannot be used.
    """
    context = build_context(settings or read_settings(os.environ))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        context.decision_waiter.start()
        try:
            yield
        finally:
            await context.decision_waiter.stop()
            context.engine.dispose()

    # FastAPI's own reference pages load scripts from other hosts; ours loads nothing from them.
    app = FastAPI(title="Rayon", version="1", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.context = context
    problems.install(app)
    for module in RESOURCE_ROUTES:
        app.include_router(module.router, dependencies=[Depends(openapi.reject_unknown_parameters)])
    # Some of these routes need no key, which reject_unknown_parameters requires.
    for module in (uploads_routes, operations_routes):
        app.include_router(module.router)
    openapi.install(app)
    page_router.install(app)
    app.add_middleware(BodyLimitMiddleware, upload_limit=context.settings.upload_limit)
    app.add_middleware(MetricsMiddleware, metrics=context.metrics)
    app.add_middleware(HeadMiddleware)
    return app
