"""The page of rules in real Chromium: users decide what a source's categories mean, with scripts or without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from infra.store.rules.queries import latest_proposal_job
from infra.store.unit_of_work import units_of_work
from pipeline.domain.rule_proposal import Grounds, RivalCategory, RuleProposal
from pipeline.domain.source import Source
from pipeline.steps.review_listing import review
from tests.e2e.shop import Shop, open_shop
from tests.e2e.test_pages import browser, pytestmark, signed_in
from tests.integration.infra.store.collected import collect
from tests.integration.records import add_categories, add_source, propose

__all__ = ["browser", "pytestmark"]

SHELVES = {
    "en:curtains": ("Home >> Curtains", 0.96),
    "en:mugs": ("Kitchen >> Mugs", 0.91),
    "fr:montres-bracelets": ("Fashion >> Watches", 0.83),
    "en:home": ("Home", 0.55),
    "en:new-this-week-in-all-our-shops-and-warehouses": (None, 0.42),
}
GROUNDS = Grounds(
    names=0.97,
    texts=0.41,
    decided=12,
    agreeing=11,
    contradiction=0.25,
    rivals=(RivalCategory("Kitchen >> Bowls", 0.12),),
)


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, tmp_path, listings=8) as opened:
        yield opened


@pytest.fixture
def source(shop: Shop) -> Source:
    """Products of a database in the marketplace's taxonomy, and a proposal for each of their categories."""
    paths = sorted({path for path, _ in SHELVES.values() if path})
    engine = shop.context.engine
    source = add_source(engine, "openfoodfacts", "marketplace")
    add_categories(engine, source, paths)
    with engine.begin() as connection:
        products = {f"{name}-{n}": ("en:home", name) for name in SHELVES for n in range(3)} | {"bare": ()}
        products["both"] = ("en:curtains", "en:mugs")
        names = {key: f"A product of {key} with a name as long as sellers like them" for key in products}
        collect(connection, source, products, names, {"en:mugs-0": "Home >> Curtains"})
    propose(
        engine,
        source,
        [RuleProposal(name, path, score, score, 0.9, 3, GROUNDS) for name, (path, score) in SHELVES.items()],
    )
    return source


def rule(page: Page, name: str) -> Locator:
    return page.locator(".rules > li").filter(has=page.locator(f"b.theirs:text-is('{name}')"))


@pytest.mark.parametrize("scripts", [True, False])
def test_rules_are_read_and_decided(browser: Browser, shop: Shop, source: Source, *, scripts: bool) -> None:
    with signed_in(browser, shop, scripts=scripts) as page:
        page.get_by_role("link", name="Rules", exact=True).click()
        expect(page.locator(".covered")).to_contain_text("0 % of 17 collected listings")
        expect(page.locator(".rules > li")).to_have_count(5)
        expect(rule(page, "en:mugs")).to_contain_text("11 of its 12 decided listings lie there")
        page.get_by_label("Accept all with a belief").select_option("0.9")
        page.get_by_role("button", name="Accept them").click()
        expect(page.locator(".rules > li")).to_have_count(3)
        expect(page.locator(".covered")).to_contain_text("41.1 %")
        expect(page.get_by_role("heading", name="Conflicts")).to_be_visible()
        expect(page.locator(".conflicts").first).to_contain_text("en:mugs means Kitchen › Mugs")

        watches = rule(page, "fr:montres-bracelets")
        watches.get_by_role("combobox").fill("Fashion >> Wathces")
        watches.get_by_role("button", name="Accept").click()
        expect(page.get_by_role("alert")).to_contain_text("similar categories: Fashion >> Watches")
        again = rule(page, "fr:montres-bracelets")
        again.get_by_role("combobox").fill("Fashion >> Straps")
        again.get_by_label("add it to the taxonomy").check()
        again.get_by_role("button", name="Accept").click()
        expect(rule(page, "fr:montres-bracelets")).to_have_count(0)
        rule(page, "en:home").get_by_role("button", name="Refuse").click()
        page.get_by_role("link", name="refused").click()
        expect(page.locator(".rules > li")).to_have_count(2)
        rule(page, "en:home").get_by_role("button", name="Reopen").click()
        page.get_by_label("Category of openfoodfacts").fill("en:hampers")
        page.get_by_role("button", name="Accept", exact=True).last.click()
        expect(rule(page, "en:hampers")).to_contain_text("nothing here")
        expect(rule(page, "en:hampers")).to_contain_text("by Ada, back office")

        page.get_by_role("button", name="Propose rules").click()
        expect(page.get_by_role("status")).to_contain_text("Rules are being proposed")
        with shop.context.engine.connect() as connection:
            assert latest_proposal_job(connection, source.id) is not None


@pytest.mark.usefixtures("source")
def test_who_may_only_read_sees_no_buttons(browser: Browser, shop: Shop) -> None:
    review(units_of_work(shop.context.engine), 9, "Home", "Ada", "")
    with signed_in(browser, shop, shop.reader, width=390) as page:
        page.goto("/rules")
        expect(page.locator(".rules > li")).to_have_count(5)
        expect(page.locator("main button")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
