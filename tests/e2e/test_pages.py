"""The pages in real Chromium, as users work with them: on a desktop and on a phone, with scripts and without."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright
from sqlalchemy import text

from infra.sample.generator import fresh_listings
from infra.store.dead_letters import give_up
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.intake import accept
from pipeline.steps.keys import revoke_key
from tests.e2e.shop import Shop, open_shop
from tests.integration.imports import run_query
from tests.integration.records import add_source

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, tmp_path) as opened:
        yield opened


@contextmanager
def signed_in(
    browser: Browser, shop: Shop, key: str | None = None, width: int = 1280, *, scripts: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=shop.address, viewport={"width": width, "height": 800}, java_script_enabled=scripts
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("API key").fill(key or shop.admin)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


def test_login_refuses_a_wrong_key_and_a_revoked_one(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop, "rk_wrong") as page:
        expect(page.get_by_role("alert")).to_contain_text("does not know this key")
        page.get_by_label("API key").fill(shop.reader)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Listings")).to_be_visible()
        revoke_key(shop.context.units, shop.reader_id, even_last_admin=False)
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_filters_keep_their_values_and_older_pages_follow(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop) as page:
        expect(page.locator(".listings li")).to_have_count(24)
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".listings li")).to_have_count(16)
        page.goto("/")
        page.get_by_label("Status", exact=True).select_option("needs_review")
        page.get_by_label("Source").select_option("marketplace")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_label("Status", exact=True)).to_have_value("needs_review")
        shown = page.locator(".listings .status")
        assert shown.count() > 0
        assert set(shown.all_inner_texts()) == {"needs review"}
        page.get_by_label("Words").fill("nothingiscalledthis")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_text("No listing matches")).to_be_visible()
        page.goto("/?status=abstained&cursor=damaged")
        expect(page.get_by_role("heading", name="That cannot be used")).to_be_visible()


def test_a_story_shows_photo_predictions_and_stages_and_takes_a_review(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop) as page:
        page.goto("/?status=needs_review")
        page.locator(".listings .name").first.click()
        expect(page.get_by_role("heading", name="What the model predicted")).to_be_visible()
        expect(page.locator(".legend")).to_contain_text("text 11 ms")
        page.get_by_role("combobox", name="Category").fill("Shelf >> Of a person")
        page.get_by_role("button", name="Save this category").click()
        expect(page.locator(".answer")).to_contain_text("reviewed by a person")
        expect(page.locator(".chosen")).to_contain_text("Of a person")
        expect(page.locator(".history")).to_contain_text("Ada, back office")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_tried_listing_is_decided_while_the_user_waits(browser: Browser, shop: Shop, *, scripts: bool) -> None:
    sample = fresh_listings()[0]
    photo: FilePayload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": sample.jpeg() or b""}
    with signed_in(browser, shop, scripts=scripts) as page:
        page.goto("/try")
        page.get_by_label("Name").fill(sample.name)
        page.get_by_label("Description").fill(sample.description)
        page.get_by_label("Photo").set_input_files(photo)
        page.get_by_role("button", name="Find its category").click()
        expect(page.get_by_text("The answer is on its way")).to_be_visible()
        with shop.working():
            expect(page.locator(".chosen")).to_be_visible(timeout=15_000)
        expect(page.locator("img.large")).to_have_js_property("complete", value=True)
        assert page.locator("img.large").evaluate("image => image.naturalWidth") > 100
        expect(page.get_by_text("The answer is on its way")).to_have_count(0)


def test_a_listing_that_cannot_be_tried_says_why_and_keeps_the_form(browser: Browser, shop: Shop) -> None:
    bad = {
        "the photo is an empty file": b"",
        "web page": b"<!doctype html><html>no photo</html>",
        "too large": b"\xff\xd8" + bytes(300_000),
    }
    with signed_in(browser, shop) as page:
        page.goto("/try")
        page.get_by_role("button", name="Find its category").click()
        expect(page.get_by_role("alert")).to_contain_text("there is nothing to judge by")
        for sentence, content in bad.items():
            page.get_by_label("Name").fill("a kept name")
            page.get_by_label("Photo").set_input_files(
                {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": content}
            )
            page.get_by_role("button", name="Find its category").click()
            expect(page.get_by_role("alert")).to_contain_text(re.compile(sentence, re.IGNORECASE))
            expect(page.get_by_label("Name")).to_have_value("a kept name")


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_window_and_nothing_is_refused(browser: Browser, shop: Shop, width: int) -> None:
    with signed_in(browser, shop, width=width) as page:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        story = page.locator(".listings .name").last.get_attribute("href") or ""
        source = add_source(shop.context.engine, "openfoodfacts")
        run_query(shop.context.engine, source, {"3049181000002": "Un champagne au nom plutôt long", "3": "Brut"})
        run = run_query(shop.context.engine, source, {"3": "Brut", "5": ""})
        for path in ("/", "/try", "/models", "/dead-letters", story, "/imports", f"/imports/{run}?show=vanished"):
            page.goto(path, wait_until="load")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert errors == []
        page.goto("/nowhere")
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_an_empty_shop_says_what_to_do(browser: Browser, database_url: str, tmp_path: Path) -> None:
    with open_shop(database_url, tmp_path, listings=0) as shop, signed_in(browser, shop) as page:
        expect(page.get_by_text("No listings yet")).to_be_visible()
        page.goto("/models")
        expect(page.get_by_text("No model yet")).to_be_visible()
        page.goto("/dead-letters")
        expect(page.get_by_text("nothing was given up")).to_be_visible()


def test_a_name_does_not_turn_other_words_and_many_names_do_not_fill_the_page(browser: Browser, shop: Shop) -> None:
    names = ["\u202eturned", *(f"source {n}" for n in range(7))]
    sources = [add_source(shop.context.engine, name).id for name in names]
    for source in sources:
        accept(shop.context.units, source, [Submission("1", Content("\u202eturned", "seen"))], Priority.PIPELINE)
    with signed_in(browser, shop) as page:
        expect(page.locator(".note")).to_contain_text("and 3 more: listings there wait for the first one. Train one.")
        page.locator(".listings .name").first.click()
        for place in (page.locator("h1"), page.locator("h1 + p")):
            assert place.evaluate("e => [...e.childNodes].every(n => n.nodeType == 3 || n.matches('bdi'))")


def test_an_admin_promotes_and_replays(browser: Browser, shop: Shop) -> None:
    with shop.context.engine.begin() as connection:
        job = connection.scalar(text("SELECT min(id) FROM jobs WHERE state = 'waiting'"))
        connection.execute(text("UPDATE jobs SET state = 'sent', deadline = now() WHERE id = :id"), {"id": job})
        give_up(connection, [job], Reason.of(ReasonCode.ATTEMPTS_FAILED, n=8, error="the storage does not answer"))
    with signed_in(browser, shop) as page:
        page.goto("/dead-letters")
        expect(page.get_by_text("the storage does not answer")).to_be_visible()
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_text("nothing was given up")).to_be_visible()
        shop.add_model()
        page.goto("/models")
        expect(page.locator("tbody tr").first.locator(".status")).to_have_text("active")
        page.get_by_role("button", name="Promote (version 1)").click()
        expect(page.locator("tbody tr").last.locator(".status")).to_have_text("active")
        expect(page.locator("tbody tr").first.locator(".status")).to_have_text("retired")


def test_a_page_that_updates_itself_keeps_the_focus_and_is_announced(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop) as page:
        page.goto("/imports")
        page.get_by_label("Which").fill("champagnes")
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_text("waiting for its turn")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="To the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="« Imports")).to_be_focused()
        with shop.context.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET note = '7 products', state = 'leased', deadline = now()"))
        expect(page.get_by_text("7 products").first).to_be_visible()
        expect(page.get_by_role("link", name="« Imports")).to_be_focused()
        expect(page.locator("#told")).to_contain_text("7 products")


def test_without_scripts_no_reload_wipes_a_form(browser: Browser, shop: Shop) -> None:
    refresh = "meta[http-equiv=refresh]"
    with signed_in(browser, shop, scripts=False) as page:
        page.goto("/imports")
        page.get_by_label("Which").fill("champagnes")
        page.get_by_role("button", name="Import").click()
        expect(page.locator(refresh)).to_have_count(1)
        page.goto("/imports")
        expect(page.get_by_label("Which")).to_be_visible()
        expect(page.locator(refresh)).to_have_count(0)
        page.get_by_role("link", name="reload it").click()
        expect(page.get_by_text("waiting for its turn")).to_be_visible()
    with signed_in(browser, shop, key=shop.reader, scripts=False) as page:
        page.goto("/imports")
        expect(page.locator(refresh)).to_have_count(1)


def test_an_import_is_started_and_followed_and_a_half_written_form_stays(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop) as page:
        page.goto("/imports")
        page.get_by_label("Which").fill("champagnes")
        page.get_by_label("Again").fill("0 3 * * *")
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_role("heading", name="Open Food Facts: category champagnes")).to_be_visible()
        expect(page.get_by_text("waiting for its turn")).to_be_visible()
        page.goto("/imports")
        expect(page.get_by_text("every day at 3:00 UTC · next")).to_be_visible()
        with shop.context.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET note = '7 products', state = 'leased', deadline = now()"))
        expect(page.get_by_text("7 products")).to_be_visible()
        page.get_by_label("Which").fill("half-writ")
        page.get_by_role("heading", name="Imports").click()
        page.evaluate("follow()")
        expect(page.get_by_label("Which")).to_have_value("half-writ")
        page.get_by_label("Which").fill("")
        page.get_by_role("heading", name="Imports").click()
        with page.expect_response(lambda answer: answer.url.endswith("/imports")):
            page.evaluate("follow()")
