"""Prefer: wait over real HTTP: the answer comes with the decision, and waiting costs no thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api.app import create_app
from api.context import THREADS
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.part_of_a_worker import decide, give_model

LISTING = {"source": "shop", "external_id": "w-1", "name": "Curtains"}


def post(address: str, key: dict[str, str], wait: int, **changes: object) -> httpx.Response:
    prefer = key | {"Prefer": f"respond-async, wait={wait}"}
    return httpx.post(f"{address}/v1/listings", json=LISTING | changes, headers=prefer, timeout=60)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def jobs(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM jobs WHERE state = 'waiting'")) or 0)


def test_the_answer_comes_with_the_decision(address: str, seller: dict[str, str], engine: Engine) -> None:
    give_model(engine, "shop")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, address, seller, 20)
        until(lambda: jobs(engine) == 1)
        assert decide(engine) == 1
        answer = asked.result(10)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")
    assert answer.json()["priority"] == "interactive"
    assert answer.json()["status"] == "assigned"
    assert answer.json()["decision"] == {
        "status": "assigned",
        "category": "Home >> Curtains",
        "confidence": 0.9,
        "reason": "the words say so",
        "coded_reason": None,
        "level": 2,
        "open_level": None,
        "leaf_left_open": False,
        "provisional": False,
        "model": 1,
    }
    assert post(address, seller, 20).json()["decision"]["status"] == "assigned"


def test_undecided_in_time_is_a_plain_202(address: str, seller: dict[str, str]) -> None:
    answer = post(address, seller, 1)
    assert (answer.status_code, answer.json()["decision"]) == (202, None)


def test_provisional_decisions_do_not_end_the_wait_but_are_shown_at_its_end(
    address: str, seller: dict[str, str], engine: Engine
) -> None:
    give_model(engine, "shop")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, address, seller, 3)
        until(lambda: jobs(engine) == 1)
        decide(engine, provisional=True)
        answer = asked.result(10)
    assert answer.status_code == 202
    assert answer.json()["decision"]["provisional"] is True


def test_waiting_requests_hold_no_thread(address: str, seller: dict[str, str], engine: Engine) -> None:
    give_model(engine, "shop")
    many = 2 * THREADS
    with ThreadPoolExecutor(many) as pool:
        asked = [pool.submit(post, address, seller, 30, external_id=f"w-{n}") for n in range(many)]
        until(lambda: jobs(engine) == many)
        assert httpx.get(f"{address}/v1/listings", headers=seller, timeout=5).status_code == 200
        assert decide(engine) == many
        assert {a.result(20).status_code for a in asked} == {200}


def test_beyond_the_cap_nobody_waits(
    serve: Callable[[FastAPI], str], settings_with: SettingsMaker, seller: dict[str, str]
) -> None:
    answer = post(serve(create_app(settings_with(waiting_requests=0))), seller, 20)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_a_lost_connection_is_opened_again_and_those_who_wait_ask_again(
    address: str, seller: dict[str, str], engine: Engine
) -> None:
    give_model(engine, "shop")
    listening = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'rayon-api-waiting'")

    def listeners() -> list[int]:
        with engine.connect() as connection:
            return list(connection.scalars(listening))

    until(lambda: len(listeners()) == 1)
    [first] = listeners()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, address, seller, 30)
        until(lambda: jobs(engine) == 1)
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
        decide(engine)
        assert asked.result(15).status_code == 200
    until(lambda: listeners() not in ([], [first]))


@pytest.mark.parametrize(("asked", "applied"), [("wait=3600", "wait=1"), ("wait=0", "wait=0")])
def test_the_wait_is_capped(
    asked: str, applied: str, serve: Callable[[FastAPI], str], settings_with: SettingsMaker, seller: dict[str, str]
) -> None:
    address = serve(create_app(settings_with(wait_limit=1)))
    answer = httpx.post(f"{address}/v1/listings", json=LISTING, headers=seller | {"Prefer": asked}, timeout=20)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, applied)
