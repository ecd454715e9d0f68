"""Queries to product databases, by the names of options."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind, named_query


def test_one_thing_is_named() -> None:
    assert named_query({QueryKind.CATEGORY: " en:champagnes "}, limit=10) == ProductQuery(
        QueryKind.CATEGORY, "en:champagnes", 10
    )
    assert named_query({QueryKind.EXPORT: "published"}) == ProductQuery(QueryKind.EXPORT)
    assert named_query({QueryKind.EXPORT: "/data/off.jsonl.gz"}) == ProductQuery(QueryKind.EXPORT, "/data/off.jsonl.gz")
    assert named_query({QueryKind.CHANGES: "all"}) == ProductQuery(QueryKind.CHANGES)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {QueryKind.CATEGORY: " "},
        {QueryKind.CATEGORY: "a", QueryKind.TEXT: "b"},
        {QueryKind.TEXT: "b", QueryKind.CHANGES: "all"},
    ],
)
def test_none_or_two_are_refused(named: dict[QueryKind, str]) -> None:
    with pytest.raises(InvalidInput, match="by one of --category, --text, --barcodes, --export and --changes"):
        named_query(named, prefix="--")
