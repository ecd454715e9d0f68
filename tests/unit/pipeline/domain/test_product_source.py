"""Queries to product databases, by the names of options."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind, named_query


def test_one_thing_is_named() -> None:
    assert named_query(category=" en:champagnes ", limit=10) == ProductQuery(QueryKind.CATEGORY, "en:champagnes", 10)
    assert named_query(export="published") == ProductQuery(QueryKind.EXPORT)
    assert named_query(export="/data/off.jsonl.gz") == ProductQuery(QueryKind.EXPORT, "/data/off.jsonl.gz")
    assert named_query(changes=True) == ProductQuery(QueryKind.CHANGES)


@pytest.mark.parametrize(
    "named", [{}, {"category": " "}, {"category": "a", "text": "b"}, {"text": "b", "changes": True}]
)
def test_none_or_two_are_refused(named: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="by one of --category, --text, --barcodes, --export and --changes"):
        named_query(**named, prefix="--")  # type: ignore[arg-type]
