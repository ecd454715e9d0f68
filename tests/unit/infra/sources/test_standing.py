"""What is asked again and again by a setting."""

from __future__ import annotations

import pytest

from infra.sources.scheduled_queries import StandingQuery, read_standing
from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind


def test_a_setting_tells_several() -> None:
    line = """
        openfoodfacts category=champagnes limit=100 every="0 3 * * *";
        openbeautyfacts text='shampoo; bio' every=3600 source=beauty taxonomy="Health >> Care" ;
        openfoodfacts changes every=@daily;
    """
    assert read_standing(line) == [
        StandingQuery("openfoodfacts", ProductQuery(QueryKind.CATEGORY, "champagnes", 100), "0 3 * * *"),
        StandingQuery(
            "openbeautyfacts", ProductQuery(QueryKind.TEXT, "shampoo; bio"), "every 3600", "beauty", "Health >> Care"
        ),
        StandingQuery("openfoodfacts", ProductQuery(QueryKind.CHANGES), "@daily"),
    ]
    assert read_standing(" ;; ") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("openfoodfacts category=teas", "no schedule"),
        ("openfoodfacts every=60", "say what to collect, by one of category, text"),
        ("openfoodfacts category=teas every=60 limit=few", "the limit is a number of products"),
        ("openfoodfacts category=teas every=60 limit=0", "a limit is 1 or more"),
        ("openfoodfacts category=teas every=60 cron=60", "'cron=60' is not one of"),
        ("openfoodfacts category=teas category=coffees every=60", "'category=coffees' is not one of"),
        ("openfoodfacts category=teas every=0 3 * * *", "'3' is not one of"),
        ("openfoodfacts category='teas every=60", "a quotation mark is not closed"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_entry(line: str, said: str) -> None:
    with pytest.raises(InvalidInput, match="openfoodfacts") as told:
        read_standing(line)
    assert said in str(told.value)
