"""Daily changes: the files since the last run, the oldest first, and none of them twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import Settings, read_settings
from infra.sources.daily_changes import DailyChanges
from pipeline.domain.product_databases import find_database
from pipeline.domain.product_source import ProductQuery, QueryKind, SourceCursor, SourceProduct
from tests.integration.infra.sources.database_server import DatabaseServer, running_database

DAY = 86_400
BEGIN = 1_700_000_000


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    with running_database(stock={"champagnes": 12}) as shop:
        yield shop


@pytest.fixture
def settings(shop: DatabaseServer, tmp_path: Path) -> Settings:
    return read_settings(
        {
            "DATABASE_URL": "postgresql://nowhere/none",
            "RAYON_HOME": str(tmp_path),
            "RAYON_SOURCES_ADDRESS": shop.address,
            "RAYON_SOURCE_FILE_PAGE": "4",
        }
    )


def asked(limit: int | None = None) -> ProductQuery:
    return ProductQuery(QueryKind.CHANGES, "", limit)


def every(
    settings: Settings, cursor: SourceCursor | None = None, limit: int | None = None, *, anew: bool = False
) -> tuple[list[SourceProduct], SourceCursor | None]:
    """The products of a run, and the cursor of the next one; ``anew``: each page is read by another process."""
    source = None
    found: list[SourceProduct] = []
    while True:
        if source is None or anew:
            source = DailyChanges(find_database("openfoodfacts", settings.sources_address), settings)
        page = source.page(asked(limit), cursor)
        found += page.products
        if page.following is None:
            return found, json.loads(json.dumps(page.next_start))
        cursor = json.loads(json.dumps(page.following))


def codes(found: list[SourceProduct]) -> list[str | None]:
    return [product.code for product in found]


def publish(shop: DatabaseServer, day: int, *positions: int) -> list[str]:
    chosen = [list(shop.goods.products)[position] for position in positions]
    shop.goods.publish_delta(chosen, BEGIN + day * DAY, BEGIN + (day + 1) * DAY)
    return chosen


@pytest.mark.parametrize("anew", [False, True])
def test_a_run_reads_the_changes_since_the_last_one(shop: DatabaseServer, settings: Settings, *, anew: bool) -> None:
    expected = [*publish(shop, 0, 3, 1), *publish(shop, 1, 0, 1, 2, 3, 4, 5), *publish(shop, 2)]
    found, place = every(settings, anew=anew)
    assert codes(found) == expected
    assert place == {"since": BEGIN + 3 * DAY}
    assert every(settings, place, anew=anew) == ([], place)
    newer = publish(shop, 3, 7, 8)
    found, place = every(settings, place, anew=anew)
    assert codes(found) == newer
    assert [request.path for request in shop.asked("file")][-1].endswith(f"_{BEGIN + 4 * DAY}.json.gz")


def test_a_run_with_a_limit_leaves_the_rest_to_the_next(shop: DatabaseServer, settings: Settings) -> None:
    expected = [*publish(shop, 0, *range(6)), *publish(shop, 1, 6, 7, 8)]
    taken: list[str | None] = []
    place: SourceCursor | None = None
    for count in (5, 4, 0):
        found, place = every(settings, place, limit=5)
        assert len(found) == count
        taken += codes(found)
    assert taken == expected


def test_changes_that_are_no_longer_published_are_reported_as_a_row(shop: DatabaseServer, settings: Settings) -> None:
    expected = publish(shop, 5, 1, 2)
    found, place = every(settings, {"since": BEGIN + DAY}, anew=True)
    assert codes(found) == [None, *expected]
    assert "collect the whole export" in str(found[0].problem)
    assert place == {"since": BEGIN + 6 * DAY}


def test_a_damaged_file_is_reported_and_the_next_one_is_read(shop: DatabaseServer, settings: Settings) -> None:
    publish(shop, 0, *range(12))
    expected = publish(shop, 1, 1, 2)
    name = min(shop.goods.deltas)
    shop.goods.deltas[name] = shop.goods.deltas[name][:-300]
    found, place = every(settings)
    assert codes(found)[-2:] == expected
    assert "is damaged after line" in str(found[-3].problem)
    assert place == {"since": BEGIN + 2 * DAY}


def test_other_names_in_the_index_are_ignored(shop: DatabaseServer, settings: Settings) -> None:
    shop.goods.deltas = {"../../etc/passwd": b"", "readme.txt": b""}
    assert every(settings) == ([], {"since": 0})
