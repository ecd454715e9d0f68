"""An app on a fresh database, asked through Starlette's client or over a real port; keys; a worker's part, played."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine

from api.app import create_app
from infra.settings import Settings
from tests.integration.records import add_key

SettingsMaker = Callable[..., Settings]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def settings_with(database_url: str, tmp_path: Path) -> SettingsMaker:
    """Settings of this test's database, with what the test changes."""

    def make(**changes: object) -> Settings:
        base = {"database_url": database_url, "storage_url": f"file://{tmp_path}/objects", "secret_key": "x" * 32}
        return Settings.model_validate(base | {"home": tmp_path, "public_url": "http://testserver"} | changes)

    return make


@pytest.fixture
def admin(engine: Engine) -> dict[str, str]:
    """Headers of a key that may do everything."""
    return bearer(add_key(engine, "admin", ["admin"]))


@pytest.fixture
def seller(engine: Engine) -> dict[str, str]:
    """Headers of a key that submits to and reads the source 'shop' only."""
    return bearer(add_key(engine, "seller", ["submit", "read"], ["shop"]))


@pytest.fixture
def rival(engine: Engine) -> dict[str, str]:
    """Headers of a key bound to another source."""
    return bearer(add_key(engine, "rival", ["submit", "read"], ["rival"]))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def client(settings_with: SettingsMaker) -> Iterator[TestClient]:
    """The app with its usual settings, in this process."""
    with TestClient(create_app(settings_with()), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serve an app on a free port of its own, over real HTTP; returns the address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
        server = uvicorn.Server(config)
        bound = config.bind_socket()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{bound.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def address(serve: Callable[[FastAPI], str], settings_with: SettingsMaker) -> str:
    """The address of a served app."""
    return serve(create_app(settings_with()))
