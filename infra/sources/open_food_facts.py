"""Reads Open Food Facts and its sister projects (https://openfoodfacts.github.io/openfoodfacts-server/api/)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infra.settings import Settings
from infra.sources.client import RequestKind, SourceClient
from infra.sources.daily_changes import DailyChanges
from infra.sources.database_export import DatabaseExport
from infra.sources.politeness import Progress
from infra.sources.product_normalisation import (
    InvalidBarcode,
    normalise,
    normalise_barcode,
    parse_count,
    requested_fields,
)
from pipeline.domain.errors import AddressUnavailable, InvalidInput
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, QueryKind, SourceCursor, SourceProduct
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

MAX_PAGE_SIZE = 100
MAX_EMPTY_PAGES = 3  # consecutive empty pages after which the total count is not believed
TAG = re.compile(r"[a-z]{2,3}:.+", re.IGNORECASE)
# Newest first: products added while we read pages shift others to later pages, so that none is skipped.
ORDER = "created_t"


@dataclass(frozen=True, slots=True)
class _SearchPage:
    """One page of a search: raw products, the total number of results if stated, and the maximum page size."""

    raw: list[Any]
    total: int | None
    page_size: int


class OpenFoodFacts:
    """Implements ``pipeline.ports.services.ProductSource``.

    For searches and barcodes, ``page`` sends one request, and a second one for an empty page that contradicts the total
    count. For exports and changes, the first call downloads a file and the others read it; ``progress`` is called with
    sentences about the download.
    """

    def __init__(
        self, database: ProductDatabase, client: SourceClient, settings: Settings, progress: Progress | None = None
    ) -> None:
        self._database = database
        self._export = DatabaseExport(database, settings, progress)
        self._changes = DailyChanges(database, settings, progress)
        self._client = client
        self._settings = settings
        self._languages = settings.source_language_codes()

    @property
    def name(self) -> str:
        """The database's name."""
        return self._database.name

    @property
    def licence(self) -> Licence:
        """The licence of its products."""
        return self._database.licence

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products of a query; see the port for what it raises."""
        if query.kind is QueryKind.BARCODES:
            return self._by_barcodes(query, cursor)
        if query.kind in {QueryKind.CATEGORY, QueryKind.TEXT}:
            return self._by_search(query, cursor)
        return (self._export if query.kind is QueryKind.EXPORT else self._changes).page(query, cursor)

    def delete_local_copies(self) -> None:
        """Delete the local copy of an export."""
        self._export.delete_copy()

    def _by_search(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        number, n_returned = (int(cursor["page"]), int(cursor["taken"])) if cursor else (1, 0)
        previous_codes: Sequence[str] = cursor.get("before", ()) if cursor else ()
        size = min(self._settings.source_page_size, query.limit or MAX_PAGE_SIZE)
        search_page = self._search_page(query, number, size)
        products_expected = search_page.total is not None and (number - 1) * search_page.page_size < search_page.total
        if not search_page.raw and products_expected:  # may be a temporary failure: try once more
            search_page = self._search_page(query, number, size)
        remaining = None if query.limit is None else query.limit - n_returned
        products = self._normalised(search_page.raw[:remaining], previous_codes)
        n_returned += len(products)
        n_empty_pages = 0 if search_page.raw else int((cursor or {}).get("empty", 0)) + 1
        # The count may be wrong: a full page may be followed by another, and several empty pages mean the end.
        count_says_more = search_page.total is not None and number * search_page.page_size < search_page.total
        has_next_page = len(search_page.raw) >= search_page.page_size or (
            n_empty_pages < MAX_EMPTY_PAGES and count_says_more
        )
        codes = [product.code for product in products if product.code] or list(previous_codes)
        next_cursor = {"page": number + 1, "taken": n_returned, "before": codes}
        if n_empty_pages:
            next_cursor["empty"] = n_empty_pages
        return ProductPage(
            products, next_cursor if has_next_page and n_returned != query.limit else None, search_page.total
        )

    def _search_page(self, query: ProductQuery, number: int, size: int) -> _SearchPage:
        response = self._search(query, {"page": str(number), "page_size": str(size), "sort_by": ORDER})
        # A server whose maximum page size is smaller than requested numbers the pages by its own size.
        page_size = min(parse_count(response.get("page_size")) or size, size)
        return _SearchPage(_products(response, self._database), parse_count(response.get("count")), page_size)

    def _search(self, query: ProductQuery, paging: Mapping[str, str]) -> Mapping[str, Any]:
        common = {**paging, "fields": ",".join(requested_fields(self._languages))}
        value = " ".join(query.value.split())
        if query.kind is QueryKind.TEXT:  # the newer search API has no text query
            text_query = {"search_terms": value, "search_simple": "1", "action": "process", "json": "1"}
            return _object(
                self._client.json(RequestKind.SEARCH, "/cgi/search.pl", {**text_query, **common}, "products")
            )
        return _object(
            self._client.json(RequestKind.SEARCH, "/api/v2/search", {**_category(value), **common}, "products")
        )

    def _by_barcodes(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        barcodes = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", query.value))))[: query.limit]
        done = parse_count((cursor or {}).get("done")) or 0
        batch = barcodes[done : done + min(self._settings.source_page_size, MAX_PAGE_SIZE)]
        products: dict[str, SourceProduct] = {}
        codes: dict[str, str] = {}
        for barcode in batch:
            try:
                codes[barcode] = normalise_barcode(barcode)
            except InvalidBarcode as error:
                products[barcode] = SourceProduct(barcode, None, None, reason_of(error))
        if codes:
            by_code = {product.code: product for product in self._normalised(self._look_up(list(codes.values())), ())}
            for barcode, code in codes.items():
                unknown = Reason.of(ReasonCode.BARCODE_UNKNOWN, database=self._database.title)
                missing = SourceProduct(code, None, None, unknown)
                products[barcode] = by_code.get(code, missing)
        done += len(batch)
        next_cursor = {"done": done} if done < len(barcodes) else None
        return ProductPage([products[barcode] for barcode in batch], next_cursor, len(barcodes))

    def _look_up(self, codes: Sequence[str]) -> list[Any]:
        fields = ",".join(requested_fields(self._languages))
        if len(codes) == 1:
            response = self._client.json(RequestKind.READ, f"/api/v2/product/{codes[0]}", {"fields": fields})
            product = _object(response).get("product")
            return [product] if product else []
        # One search instead of many reads, as the database requests.
        parameters = {"code": ",".join(codes), "page_size": str(len(codes)), "fields": fields}
        response = self._client.json(RequestKind.SEARCH, "/api/v2/search", parameters, "products")
        return _products(_object(response), self._database)

    def _normalised(self, raw_products: Sequence[Any], previous_codes: Sequence[str]) -> list[SourceProduct]:
        """The normalised products; those repeated on this page or from the previous page are rejected."""
        seen_codes = set(previous_codes)
        products = []
        for raw in raw_products:
            product = normalise(raw, self._database, self._languages)
            if product.problem is None and product.code in seen_codes:
                product = replace(product, content=None, problem=Reason(ReasonCode.BARCODE_REPEATED))
            elif product.code:
                seen_codes.add(product.code)
            products.append(product)
        return products


def _category(value: str) -> dict[str, str]:
    """The query parameter for a category, given by its tag (``en:champagnes``) or its English name."""
    prefix, colon, name = value.rpartition(":") if TAG.fullmatch(value) else ("", "", value)
    # In queries a comma means "and", a bar "or", a minus "not"; the database's tags contain none of them.
    slug = re.sub(r"[\W_]+", "-", name.lower()).strip("-")
    if not slug:
        raise InvalidInput(f"{value!r} is not the name of a category; write it as in champagnes, or en:champagnes")
    return {"categories_tags": f"{prefix.lower()}:{slug}"} if colon else {"categories_tags_en": slug}


def _object(response: Any) -> Mapping[str, Any]:
    return response if isinstance(response, Mapping) else {}


def _products(response: Mapping[str, Any], database: ProductDatabase) -> list[Any]:
    products = response.get("products")
    if not isinstance(products, list):
        raise AddressUnavailable(f"{database.title} answers without a list of products")
    return products
