"""Open Food Facts and its sisters (https://openfoodfacts.github.io/openfoodfacts-server/api/) as a ProductSource."""

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
from infra.sources.product_normalisation import InvalidBarcode, fields_wanted, normalise, normalise_barcode, parse_count
from pipeline.domain.errors import AddressUnavailable, InvalidInput
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, QueryKind, SourceCursor, SourceProduct
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

MAX_PAGE_SIZE = 100
MAX_EMPTY_PAGES = 3  # in a row; after that the count is not trusted
TAG = re.compile(r"[a-z]{2,3}:.+", re.IGNORECASE)
# Products added while we page come first in this order: they push others back, and hide none.
ORDER = "created_t"


@dataclass(frozen=True, slots=True)
class _SearchPage:
    """One page of a search: raw products, how many there are in all (if said), and the most that a page has."""

    raw: list[Any]
    total: int | None
    page_size: int


class OpenFoodFacts:
    """Implements ``pipeline.ports.services.ProductSource``. A call of ``page`` sends one request, and a second one
    where a page is empty although the count says that it is not.

    For exports and changes the first call downloads the file, and the others read it; ``progress`` is given sentences
    about the download.
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
        """The terms of its products."""
        return self._database.licence

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products of a query; see the port for what it raises."""
        if query.kind is QueryKind.BARCODES:
            return self._by_barcodes(query, cursor)
        if query.kind in {QueryKind.CATEGORY, QueryKind.TEXT}:
            return self._by_search(query, cursor)
        return (self._export if query.kind is QueryKind.EXPORT else self._changes).page(query, cursor)

    def finished(self) -> None:
        """Delete the local copy of an export."""
        self._export.finished()

    def _by_search(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        number, n_returned = (int(cursor["page"]), int(cursor["taken"])) if cursor else (1, 0)
        before: Sequence[str] = cursor.get("before", ()) if cursor else ()
        size = min(self._settings.source_page_size, query.limit or MAX_PAGE_SIZE)
        found = self._search_page(query, number, size)
        expected = found.total is not None and (number - 1) * found.page_size < found.total
        if not found.raw and expected:  # a page that is lost for a moment is not the end
            found = self._search_page(query, number, size)
        left = None if query.limit is None else query.limit - n_returned
        products = self._normalised(found.raw[:left], before)
        n_returned += len(products)
        empty = 0 if found.raw else int((cursor or {}).get("empty", 0)) + 1
        # Counts may be wrong: whatever they say, a full page may have another after it, and many empty ones none.
        counted = found.total is not None and number * found.page_size < found.total
        more = len(found.raw) >= found.page_size or (empty < MAX_EMPTY_PAGES and counted)
        codes = [product.code for product in products if product.code] or list(before)
        place = {"page": number + 1, "taken": n_returned, "before": codes} | ({"empty": empty} if empty else {})
        return ProductPage(products, place if more and n_returned != query.limit else None, found.total)

    def _search_page(self, query: ProductQuery, number: int, size: int) -> _SearchPage:
        response = self._search(query, {"page": str(number), "page_size": str(size), "sort_by": ORDER})
        # A server that gives smaller pages than requested numbers them by its own size.
        page_size = min(parse_count(response.get("page_size")) or size, size)
        return _SearchPage(_products(response, self._database), parse_count(response.get("count")), page_size)

    def _search(self, query: ProductQuery, paging: Mapping[str, str]) -> Mapping[str, Any]:
        wanted = {**paging, "fields": ",".join(fields_wanted(self._languages))}
        value = " ".join(query.value.split())
        if query.kind is QueryKind.TEXT:  # the newer search has no text query
            words = {"search_terms": value, "search_simple": "1", "action": "process", "json": "1"}
            return _object(self._client.json(RequestKind.SEARCH, "/cgi/search.pl", {**words, **wanted}, "products"))
        return _object(
            self._client.json(RequestKind.SEARCH, "/api/v2/search", {**_category(value), **wanted}, "products")
        )

    def _by_barcodes(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        given_codes = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", query.value))))[: query.limit]
        done = parse_count((cursor or {}).get("done")) or 0
        batch = given_codes[done : done + min(self._settings.source_page_size, MAX_PAGE_SIZE)]
        found: dict[str, SourceProduct] = {}
        codes: dict[str, str] = {}
        for given in batch:
            try:
                codes[given] = normalise_barcode(given)
            except InvalidBarcode as error:
                found[given] = SourceProduct(given, None, None, reason_of(error))
        if codes:
            by_code = {product.code: product for product in self._normalised(self._look_up(list(codes.values())), ())}
            for given, code in codes.items():
                unknown = Reason.of(ReasonCode.BARCODE_UNKNOWN, database=self._database.title)
                missing = SourceProduct(code, None, None, unknown)
                found[given] = by_code.get(code, missing)
        done += len(batch)
        following = {"done": done} if done < len(given_codes) else None
        return ProductPage([found[given] for given in batch], following, len(given_codes))

    def _look_up(self, codes: Sequence[str]) -> list[Any]:
        fields = ",".join(fields_wanted(self._languages))
        if len(codes) == 1:
            response = self._client.json(RequestKind.READ, f"/api/v2/product/{codes[0]}", {"fields": fields})
            product = _object(response).get("product")
            return [product] if product else []
        # One search instead of as many reads, as the database asks for.
        parameters = {"code": ",".join(codes), "page_size": str(len(codes)), "fields": fields}
        response = self._client.json(RequestKind.SEARCH, "/api/v2/search", parameters, "products")
        return _products(_object(response), self._database)

    def _normalised(self, raw: Sequence[Any], before: Sequence[str]) -> list[SourceProduct]:
        """The products, of which repeated ones, on this page or since the page before, are rejected."""
        seen = set(before)
        products = []
        for given in raw:
            product = normalise(given, self._database, self._languages)
            if product.problem is None and product.code in seen:
                product = replace(product, content=None, problem=Reason(ReasonCode.BARCODE_REPEATED))
            elif product.code:
                seen.add(product.code)
            products.append(product)
        return products


def _category(value: str) -> dict[str, str]:
    """A category by its tag (``en:champagnes``), or by its English name."""
    prefix, colon, name = value.rpartition(":") if TAG.fullmatch(value) else ("", "", value)
    # To the database a comma means "and", a bar "or", a minus "not"; its own tags contain none of them.
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
