"""What somebody asks a product database for, by names, as a query."""

from __future__ import annotations

from pipeline.domain.errors import InvalidInput
from pipeline.domain.source import ProductQuery, QueryKind

# The word for the export that a database publishes, instead of a path or an address.
PUBLISHED = "published"


def named_query(
    *,
    category: str = "",
    text: str = "",
    barcodes: str = "",
    export: str = "",
    changes: bool = False,
    limit: int | None = None,
    mark: str = "",
) -> ProductQuery:
    """The one query that was named; ``mark`` stands before names where they are told (``--`` of options).

    Raises InvalidInput when there is none, or more than one.
    """
    named = {QueryKind.CATEGORY: category, QueryKind.TEXT: text, QueryKind.BARCODES: barcodes, QueryKind.EXPORT: export}
    given = [(kind, value.strip()) for kind, value in named.items() if value.strip()]
    if changes:
        given.append((QueryKind.CHANGES, ""))
    if len(given) != 1:
        names = [f"{mark}{kind}" for kind in QueryKind]
        raise InvalidInput(f"say what to collect, by one of {', '.join(names[:-1])} and {names[-1]}")
    kind, value = given[0]
    return ProductQuery(kind, "" if kind is QueryKind.EXPORT and value == PUBLISHED else value, limit)
