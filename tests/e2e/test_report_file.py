"""The file of a report in real Chromium, opened from disk without network, as readers use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.domain.study_report import StudyReport
from pipeline.study_report.html_report import render
from tests.unit.pipeline.study_report.report_samples import believable, photo_of_row

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# All tests open one report, which is rendered once.
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.xdist_group("the file of a report"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the two files."""
    report = believable(rows=120, extractors=("tfidf", "fisher"))
    report["rows"][0]["name"] = "<img src=x onerror=alert(1)> & co"
    folder = tmp_path_factory.mktemp("report")
    for name, content in render(StudyReport.from_json(report), photo_of_row).items():
        if name.startswith("report.") and name.endswith(".html"):
            (folder / name).write_bytes(content)
    return folder


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1280, *, scripts: bool = True, scheme: str = "light"
) -> Iterator[Page]:
    """The file in a browser without network; fails when it requests anything or logs an error."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: errors.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.goto(path.as_uri(), wait_until="load")
    yield page
    assert errors == []
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_opens_from_disk_in_both_languages_and_fits(browser: Browser, folder: Path, width: int, scheme: str) -> None:
    for code, headline in (("en", "Yes: this catalogue"), ("fr", "Oui : ce catalogue")):
        with opened(browser, folder / f"report.{code}.html", width, scheme=scheme) as page:
            expect(page.get_by_role("heading", level=1)).to_contain_text(headline)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
            assert page.evaluate(broken) == 0


def test_a_point_shows_its_photo_and_name_and_grows_when_pressed(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "report.en.html") as page:
        mark = page.locator(".panel:visible .map path[data-t]").nth(20)
        name = (mark.locator("title").text_content() or "").split("\n")[0]
        mark.hover(force=True)
        card = page.locator(".peek")
        expect(card).to_be_visible()
        expect(card.locator("b")).to_have_text(name)
        expect(card.locator("canvas")).to_be_visible()
        expect(card.locator(".window span")).to_be_hidden()
        colours = """() => { const c = document.querySelector('.peek canvas');
            return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size }"""
        assert page.evaluate(colours) > 20
        small = card.bounding_box()
        mark.click(force=True)
        expect(card).to_have_class("peek large")
        large = card.bounding_box()
        assert small is not None
        assert large is not None
        assert large["height"] > 1.5 * small["height"]
        page.keyboard.press("Escape")
        expect(card).to_be_hidden()


def test_another_extractor_is_chosen_and_a_group_looked_at_alone(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "report.fr.html") as page:
        expect(page.locator(".panel:visible")).to_have_count(1)
        page.locator(".pills").get_by_text("Vecteurs de Fisher").click()
        expect(page.locator(".panel:visible h3").first).to_contain_text("Vecteurs de Fisher")
        page.locator(".groups li").first.click()
        assert page.locator(".panel:visible path.faint").count() > 50
        page.locator(".groups li").first.click()
        expect(page.locator("path.faint")).to_have_count(0)


def test_keys_walk_over_the_map(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "report.en.html") as page:
        page.locator(".panel:visible .map > svg").first.focus()
        page.keyboard.press("ArrowRight")
        first = page.locator(".peek b").inner_text()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        expect(page.locator(".peek")).to_be_visible()
        assert page.locator(".peek b").inner_text() != first
        page.keyboard.press("Enter")
        expect(page.locator(".peek")).to_have_class("peek large")


def test_without_scripts_every_name_is_a_title_and_the_choice_works(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "report.en.html", scripts=False) as page:
        titles = page.locator(".panel").first.locator(".map path > title")
        assert titles.count() == 240
        assert "<img src=x onerror=alert(1)> & co" in titles.all_text_contents()[0]
        page.locator(".pills label").nth(1).click()
        expect(page.locator(".panel").nth(1)).to_be_visible()
        expect(page.locator(".panel").first).to_be_hidden()
