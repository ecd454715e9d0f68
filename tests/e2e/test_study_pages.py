"""The pages of studies in real Chromium: started by an admin, followed, and read in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from infra.store.studies.repository import SqlStudies
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, SampleFacts, file_type, study_key
from pipeline.domain.study_report import StudyReport
from pipeline.study_report.html_report import render
from tests.e2e.shop import Shop, open_shop
from tests.e2e.test_pages import browser, pytestmark, signed_in
from tests.integration.records import begin_study
from tests.unit.pipeline.study_report.report_samples import believable, photo_of_row

__all__ = ["browser", "pytestmark"]


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, tmp_path) as opened:
        yield opened


def begin(shop: Shop) -> int:
    """A running study whose first extractor is done."""
    with shop.context.engine.connect() as connection:
        taxonomy_id = find_taxonomy(connection, "marketplace").id
    study_id = begin_study(shop.context.engine, taxonomy_id, requested_by="Ada, back office")
    with shop.context.engine.begin() as connection:
        studies = SqlStudies(connection)
        sample = SampleFacts("f" * 64, level=1, categories=7, listings=60, studied=60)
        studies.freeze(study_id, sample, {"tfidf": Modality.TEXT, "fisher": Modality.IMAGE})
        studies.write_trials(
            study_id,
            [trial for trial in StudyReport.from_json(believable(rows=60)).trials if trial.extractor == "tfidf"],
        )
    return study_id


@cache
def rendered(study_id: int, listing_id: int) -> dict[str, bytes]:
    """The files of a believable report, all of whose rows are one listing."""
    report = believable(rows=60, extractors=("tfidf", "fisher")) | {"study_id": study_id}
    for row in report["rows"]:
        row["listing_id"] = listing_id
    return render(StudyReport.from_json(report), photo_of_row)


def conclude(shop: Shop, study_id: int, ari: float = 0.74) -> None:
    """Put the files of a believable report where those of the study belong, then end it, as its last stage does."""
    with shop.context.engine.connect() as connection:
        listing = connection.scalar(text("SELECT min(id) FROM listings"))
    for name, content in rendered(study_id, listing).items():
        shop.context.storage.put(study_key(study_id, name), content, file_type(name) or "")
    with shop.context.engine.begin() as connection:
        best = {Modality.TEXT: ari, Modality.IMAGE: 0.4, Modality.FUSED: None}
        SqlStudies(connection).conclude(study_id, Feasibility.FEASIBLE, best)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_study_is_started_followed_and_read(browser: Browser, shop: Shop, *, scripts: bool) -> None:
    with signed_in(browser, shop, scripts=scripts) as page:
        page.goto("/studies")
        expect(page.get_by_text("No study yet")).to_be_visible()
        page.get_by_label("Listings at most").fill("ten")
        page.get_by_label("HDBSCAN").check()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("a whole number")
        expect(page.get_by_label("HDBSCAN")).to_be_checked()
        expect(page.get_by_label("spectral")).not_to_be_checked()
        page.get_by_label("Listings at most").fill("500")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Study 1 of marketplace")
        expect(page.get_by_text("running", exact=True)).to_be_visible()
        assert begin(shop) == 1
        expect(page.locator(".works li").first).to_contain_text("done", timeout=15_000)
        conclude(shop, 1)
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Yes: this catalogue can be categorised automatically.", timeout=60_000
        )


def test_the_report_is_read_in_two_languages_and_leads_to_listings(browser: Browser, shop: Shop) -> None:
    conclude(shop, begin(shop))
    with signed_in(browser, shop) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/studies/1?lang=fr", wait_until="load")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Oui : ce catalogue")
        page.get_by_role("link", name="EN", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Yes: this catalogue")
        mark = page.locator(".panel:visible .map path[data-t]").nth(3)
        mark.hover(force=True)
        expect(page.locator(".peek canvas")).to_be_visible()
        with page.expect_download() as download:
            page.locator(".study-links a").first.click()
        assert download.value.suggested_filename == "rayon-study-1.en.html"
        mark.click(force=True)
        expect(page.get_by_role("heading", name="What was posted")).to_be_visible()
        assert complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_of_a_study_is_wider_than_its_window(browser: Browser, shop: Shop, width: int) -> None:
    first = begin(shop)
    conclude(shop, first, 0.61)
    conclude(shop, begin(shop), 0.74)
    running = begin(shop)
    with signed_in(browser, shop, width=width) as page:
        for path in ("/studies", "/studies/1", f"/studies/{running}"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.goto("/studies")
        expect(page.locator("figure.trend circle title").first).to_have_text("Study 1: 0.61")
