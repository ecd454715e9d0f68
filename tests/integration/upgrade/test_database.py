"""Listings, imports, rules, keys and open jobs of an earlier version after the upgrade of its database."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from infra.embedded.servers import EmbeddedPostgres
from infra.store.database import upgrade
from tests.integration.upgrade.earlier_version import BASELINE, REVISION, UpgradedStack, assert_contains

PAGES = (
    *("/", "/?status=needs_review", "/?status=withdrawn", "/?q=lamp", "/?category=Kitchen", "/try", "/models", "/docs"),
    *("/imports", "/imports/1", "/imports/2", "/imports/3", "/imports/4", "/imports/4?kind=vanished"),
    *("/rules?source=openfoodfacts", "/studies", "/studies/1?lang=en", "/studies/1?lang=fr", "/studies/2"),
    *("/dead-letters", "/listings/1", "/listings/6", "/listings/60"),
)
HTML = {"Accept": "text/html"}


def read_everything(stack: UpgradedStack) -> dict[str, Any]:
    """Answers of the api on everything that is stored."""
    get: Callable[[str], Any] = lambda path: stack.call("GET", path)  # noqa: E731
    collected = [card["id"] for card in stack.listings().values() if card["source"] == "openfoodfacts"]
    return {
        "listings": stack.listings(),
        "review_queue": [card["id"] for card in get("/v1/review-queue?limit=200")["items"]],
        "kitchen": [card["id"] for card in get("/v1/listings?category=Kitchen&limit=200")["items"]],
        "words": [card["id"] for card in get("/v1/listings?q=lamp&limit=200")["items"]],
        "stories": {str(i): get(f"/v1/listings/{i}") for i in (1, 6, 60, *collected[:2])},
        "models": get("/v1/models"),
        "imports": get("/v1/imports")["items"],
        "rows": {
            f"{i} {verdict}": get(f"/v1/imports/{i}?limit=200&verdict={verdict}")["rows"]
            for i in (1, 2, 3, 4)
            for verdict in ("rejected", "changed")
        },
        "notes": {
            str(i): [row for row in get(f"/v1/imports/{i}?limit=200")["rows"] if row["note"]] for i in (1, 2, 3, 4)
        },
        "differences": {
            f"{i} {kind}": get(f"/v1/imports/{i}/diff?kind={kind}")
            for i in (2, 4)
            for kind in ("new", "changed", "vanished", "came_back")
        },
        "rules": get("/v1/sources/openfoodfacts/rules")["items"],
        "coverage": get("/v1/sources/openfoodfacts/coverage"),
        "collections": get("/v1/collections")["items"],
        "dead_letters": get("/v1/dead-letters?replayed=false")["items"],
        "replayed": get("/v1/dead-letters?replayed=true")["items"],
        "keys": get("/v1/keys"),
        "studies": get("/v1/studies")["items"],
        "study": get("/v1/studies/1"),
        "wrong_shelves": get("/v1/studies/1/wrong-shelves")["items"],
    }


SCHEMA_QUERIES = {
    "columns": """
        SELECT table_name, column_name, udt_name, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "enums": """
        SELECT typname, enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid ORDER BY typname, enumsortorder
    """,
}


def schema_of(database_url: str) -> dict[str, list[Any]]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        found = {
            name: [tuple(row) for row in connection.execute(text(statement))]
            for name, statement in SCHEMA_QUERIES.items()
        }
    engine.dispose()
    return found


def scalar(database_url: str, statement: str) -> Any:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        found = connection.scalar(text(statement))
    engine.dispose()
    return found


def test_the_upgraded_schema_equals_a_new_one(
    postgres_server: EmbeddedPostgres, earlier_database: str, database_url: str
) -> None:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=earlier_database)
    version = "SELECT version_num FROM alembic_version"
    assert scalar(url, version) == REVISION
    rows = scalar(url, "SELECT count(*) FROM listings")
    upgrade(url)
    assert scalar(url, version) == scalar(database_url, version)
    assert scalar(url, "SELECT count(*) FROM listings") == rows
    old, new = schema_of(url), schema_of(database_url)
    for part in SCHEMA_QUERIES:
        assert old[part] == new[part], part
    postgres_server.drop_database(name)


def test_the_api_answers_as_before(upgraded: UpgradedStack, expected: Any) -> None:
    found = json.loads(json.dumps(read_everything(upgraded)))
    for part, answer in expected["reads"].items():
        assert_contains(found[part], answer, part, 1e-9)


def test_every_page_renders(upgraded: UpgradedStack, expected: Any) -> None:
    login = upgraded.api.get("/login").text
    token = re.search(r'name="token" value="([^"]+)"', login)
    assert token
    form = {"token": token[1], "key": upgraded.keys["admin"]}
    assert upgraded.api.post("/login", data=form, follow_redirects=False).status_code == 303
    for path in PAGES:
        page = upgraded.api.get(path, headers=HTML)
        assert page.status_code == 200, (path, page.status_code, page.text[:500])
    first = next(iter(expected["reads"]["listings"].values()))
    assert first["name"] in upgraded.api.get(f"/listings/{first['id']}", headers=HTML).text
    for path in ("/readyz", "/metrics", "/v1/jobs/summary"):
        assert upgraded.ask("GET", path).status_code == 200, path


def test_photos_are_served(upgraded: UpgradedStack) -> None:
    cards = [card for card in upgraded.listings().values() if card["image"] is not None]
    assert len(cards) > 20
    for card in cards:
        photo = upgraded.ask("GET", f"/v1/listings/{card['id']}/image/{card['image']}")
        assert photo.status_code == 200, card
        assert photo.content.startswith(b"\xff\xd8"), card


def test_api_keys_keep_their_scopes_and_sources(upgraded: UpgradedStack) -> None:
    every = len(upgraded.call("GET", "/v1/listings?limit=200")["items"])
    own = upgraded.call("GET", "/v1/listings?limit=200", key="seller")["items"]
    assert {card["source"] for card in own} == {"stall"}
    assert len(own) < every
    assert upgraded.ask("POST", "/v1/models/1/promote", key="seller").status_code == 403
    assert upgraded.ask("GET", "/v1/listings", key="revoked").status_code == 401


def test_posts_are_compared_with_what_was_stored(upgraded: UpgradedStack, expected: Any) -> None:
    upgraded.work_off_jobs()  # jobs that wait since 2025 make intake answer 429
    for posted in expected["posts"]:
        body, key = posted["body"], posted["key"]
        receipt = upgraded.call("POST", "/v1/listings", body, key)
        assert receipt["verdict"] == "unchanged"
        assert (receipt["id"], receipt["revision"]) == (posted["id"], posted["revision"])
        changed = upgraded.call("POST", "/v1/listings", body | {"name": body["name"] + ", new"}, key)
        assert (changed["verdict"], changed["id"]) == ("changed", posted["id"])
        assert changed["revision"] == posted["revision"] + 1
    new = upgraded.call("POST", "/v1/listings", expected["posts"][0]["body"] | {"external_id": "never-seen"}, "seller")
    assert (new["verdict"], new["revision"]) == ("new", 1)
    withdrawn = next(card for card in upgraded.listings().values() if card["status"] == "withdrawn")
    back = {name: withdrawn[name] for name in ("source", "external_id", "name")}
    assert upgraded.call("POST", "/v1/listings", back)["verdict"] == "changed"
    upgraded.work_off_jobs()
    now = upgraded.listings()
    for card in (now[f"{withdrawn['source']}/{withdrawn['external_id']}"], now[f"{new['source']}/never-seen"]):
        assert card["status"] in ("assigned", "needs_review"), card


def test_an_idempotency_key_of_before_repeats_its_answer(upgraded: UpgradedStack, expected: Any) -> None:
    upgraded.work_off_jobs()
    once = expected["posted_once"]
    again = upgraded.call("POST", "/v1/listings", once["body"], "seller", Idempotency_Key=once["key"])
    assert (again["id"], again["verdict"], again["revision"]) == (once["id"], "new", 1)
    other = once["body"] | {"name": "Another thing"}
    assert upgraded.ask("POST", "/v1/listings", other, "seller", Idempotency_Key=once["key"]).status_code == 422


def test_importing_the_same_file_again_changes_nothing(upgraded: UpgradedStack, tmp_path: Path, expected: Any) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name, key in expected["images"].items():
        (images / name).write_bytes(upgraded.context.storage.get(key))
    (images / "text.jpg").write_text("no picture")
    before = upgraded.decisions()
    words = ("import", str(BASELINE / "catalogue.csv"), "--images", str(images), "--source", "shop")
    summary = upgraded.command(*words)
    # The earlier program refused the row with a name too long; this one cuts the name.
    wanted = expected["imported_again"]
    accepted_now = {name: wanted[name] + more for name, more in (("new", 1), ("rejected", -1), ("without_photo", 1))}
    assert_contains(summary, wanted | accepted_now)
    # Only listings that were withdrawn or posted differently since the last import change.
    changed = [name for name, now in upgraded.decisions().items() if name in before and before[name] != now]
    assert len(changed) == summary["changed"]


def test_a_review_outranks_the_model(upgraded: UpgradedStack) -> None:
    (card, *_) = upgraded.call("GET", "/v1/review-queue")["items"]
    given = {"category": "Home >> Lamps", "note": "by the new program"}
    shown = upgraded.call("POST", f"/v1/listings/{card['id']}/review", given)
    assert (shown["reviewed"], shown["category"], shown["status"]) == (True, "Home >> Lamps", "assigned")
    story = upgraded.call("GET", f"/v1/listings/{card['id']}")
    assert story["reviews"][0]["note"] == "by the new program"


def test_open_jobs_are_finished(upgraded: UpgradedStack, expected: Any) -> None:
    """Waiting jobs, a sent one whose message is lost, one leased by a worker that is gone, and the jobs of a study."""
    states = dict(upgraded.query("SELECT state::text, count(*) FROM jobs GROUP BY 1"))
    assert states["waiting"] == 3
    assert (states["sent"], states["leased"]) == (1, 1)
    upgraded.work_off_jobs()
    assert upgraded.query("SELECT count(*) FROM jobs WHERE state IN ('waiting', 'sent', 'leased')") == [(0,)]
    assert_contains(upgraded.decisions(), expected["after_work"]["decided"], "after_work")
    assert upgraded.query("SELECT count(*) FROM decisions WHERE provisional") == [(0,)]
    study = upgraded.call("GET", "/v1/studies/2")
    assert study["status"] == "done", study
    assert_contains(study, expected["after_work"]["study"], "study")  # its figures differ between processors


def test_dead_letters_are_replayed(upgraded: UpgradedStack) -> None:
    letters = {letter["kind"]: letter for letter in upgraded.call("GET", "/v1/dead-letters")["items"]}
    assert set(letters) == {"categorise", "train"}
    listing = f"{letters['categorise']['source']}/{letters['categorise']['external_id']}"
    assert upgraded.call("POST", "/v1/dead-letters/replay", {"all": True}) == {"replayed": 2}
    upgraded.work_off_jobs()
    assert upgraded.listings()[listing]["status"] in ("assigned", "needs_review")
    (left,) = upgraded.call("GET", "/v1/dead-letters")["items"]
    assert left["kind"] == "train"
    assert "all labelled listings are of one category" in left["reason"]


def test_rules_and_collections_continue(upgraded: UpgradedStack) -> None:
    rules = upgraded.call("GET", "/v1/sources/openfoodfacts/rules?status=proposed")["items"]
    assert rules
    decided = upgraded.call("POST", f"/v1/sources/openfoodfacts/rules/{rules[0]['id']}", {"status": "accepted"})
    assert decided["status"] == "accepted"
    upgraded.call("POST", "/v1/sources/openfoodfacts/rules/propose")
    upgraded.work_off_jobs()
    coverage = upgraded.call("GET", "/v1/sources/openfoodfacts/coverage")
    assert coverage["proposing"]["state"] == "done"
    assert coverage["rules"]["accepted"] >= 2
    assert upgraded.command("collections", "resume", "2")["paused"] is False
    begun = upgraded.command("collections", "run", "1")
    assert begun["begun"]
    assert upgraded.call("GET", f"/v1/imports/{begun['import']}")["status"] == "running"
