"""The HTTP face: ``uvicorn --factory api.app:create_app``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI

from api import description, problems
from api.bodies import LimitedBodies
from api.heads import Heads
from api.house import THREADS, build
from api.metrics import MeasuredRequests
from api.pages import routes as pages
from api.routes import (
    batch,
    collecting,
    collections,
    dead_letters,
    imports,
    keys,
    listings,
    models,
    operations,
    reading,
    review,
    rules,
    studies,
    trainings,
    uploads,
)
from infra.settings import Settings, read_settings

DESCRIPTION = """Puts every product on the right shelf, says how sure it is, and hands the doubtful ones to a person.

Every error is a problem document (RFC 9457). Lists are walked with the cursor `next`. A parameter that an operation
does not have is refused, not passed over. A key neither sees nor touches listings of a source it is not bound to: they
are 404."""
# batch comes before the routes that would take its name for an id.
NOUNS = (
    batch,
    listings,
    reading,
    review,
    models,
    trainings,
    dead_letters,
    collecting,
    imports,
    collections,
    rules,
    studies,
    keys,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app, put together; the environment is read only without ``settings``. Nothing connects before it starts.

    Raises InvalidInput when the settings cannot be used.
    """
    house = build(settings or read_settings(os.environ))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        house.hub.start()
        try:
            yield
        finally:
            await house.hub.stop()
            house.engine.dispose()

    # FastAPI's pages of reference fetch themselves from elsewhere; ours needs no internet.
    app = FastAPI(title="Rayon", version="1", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.house = house
    problems.install(app)
    for noun in NOUNS:
        app.include_router(noun.router, dependencies=[Depends(description.only_known)])
    for open_to_all in (uploads, operations):
        app.include_router(open_to_all.router)
    description.install(app)
    pages.install(app)
    app.add_middleware(LimitedBodies, upload_limit=house.settings.upload_limit)
    app.add_middleware(MeasuredRequests, metrics=house.metrics)
    app.add_middleware(Heads)
    return app
