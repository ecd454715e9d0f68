"""Open Food Facts and its sisters (https://openfoodfacts.github.io/openfoodfacts-server/api/) as a ProductSource."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.settings import Settings
from infra.sources.barcodes import InvalidBarcode, normal_barcode
from infra.sources.client import RequestKind, SourceClient
from infra.sources.daily_changes import DailyChanges
from infra.sources.databases import Database
from infra.sources.export import Export
from infra.sources.normalise import fields_wanted, normalise, whole_number
from infra.sources.published_copy import Tell
from pipeline.domain.errors import AddressUnavailable, InvalidInput
from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, QueryKind, SourceCursor, SourceProduct

LARGEST_PAGE = 100
MOST_EMPTY = 3  # empty pages in a row, after which the count is not believed
TAG = re.compile(r"[a-z]{2,3}:.+", re.IGNORECASE)
# Products that are added while we page come first in this order: they move others back, and hide none.
ORDER = "created_t"


class OpenFoodFacts:
    """Implements ``pipeline.ports.services.ProductSource``. A call of ``page`` asks the database once.

    For exports and changes the first call brings the file here, and the others read it; ``tell`` is told how far it is.
    """

    def __init__(self, database: Database, asking: SourceClient, settings: Settings, tell: Tell | None = None) -> None:
        self._database = database
        self._export = Export(database, settings, tell)
        self._deltas = DailyChanges(database, settings, tell)
        self._asking = asking
        self._settings = settings
        self._languages = settings.source_languages_wanted()

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
        return (self._export if query.kind is QueryKind.EXPORT else self._deltas).page(query, cursor)

    def finished(self) -> None:
        """Throw the copy of an export away."""
        self._export.finished()

    def _by_search(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        number, taken, before = _place(cursor)
        size = min(self._settings.source_page_size, query.limit or LARGEST_PAGE)
        raw, total, answered = self._found(query, number, size)
        promised = total is not None and (number - 1) * answered < total
        if not raw and promised:  # a page that is lost for a moment is not the end
            raw, total, answered = self._found(query, number, size)
        left = None if query.limit is None else query.limit - taken
        products = self._tidied(raw[:left], before)
        taken += len(products)
        empty = 0 if raw else int((cursor or {}).get("empty", 0)) + 1
        # Counts may be wrong: whatever they say, a full page may have another after it, and many empty ones none.
        more = len(raw) >= answered or (empty < MOST_EMPTY and total is not None and number * answered < total)
        codes = [product.code for product in products if product.code] or list(before)
        place = {"page": number + 1, "taken": taken, "before": codes} | ({"empty": empty} if empty else {})
        return ProductPage(products, place if more and taken != query.limit else None, total)

    def _found(self, query: ProductQuery, number: int, size: int) -> tuple[list[Any], int | None, int]:
        """One page of a search: products, how many there are in all, and how many a page has at most."""
        answer = self._search(query, {"page": str(number), "page_size": str(size), "sort_by": ORDER})
        # A server that gives smaller pages than asked for numbers them by its own size.
        answered = min(whole_number(answer.get("page_size")) or size, size)
        return _products(answer, self._database), whole_number(answer.get("count")), answered

    def _search(self, query: ProductQuery, paging: Mapping[str, str]) -> Mapping[str, Any]:
        wanted = {**paging, "fields": ",".join(fields_wanted(self._languages))}
        value = " ".join(query.value.split())
        if query.kind is QueryKind.TEXT:  # the newer search knows no words
            words = {"search_terms": value, "search_simple": "1", "action": "process", "json": "1"}
            return _object(self._asking.json(RequestKind.SEARCH, "/cgi/search.pl", {**words, **wanted}, "products"))
        return _object(
            self._asking.json(RequestKind.SEARCH, "/api/v2/search", {**_category(value), **wanted}, "products")
        )

    def _by_barcodes(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        asked = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", query.value))))[: query.limit]
        done = whole_number((cursor or {}).get("done")) or 0
        batch = asked[done : done + min(self._settings.source_page_size, LARGEST_PAGE)]
        found: dict[str, SourceProduct] = {}
        codes: dict[str, str] = {}
        for given in batch:
            try:
                codes[given] = normal_barcode(given)
            except InvalidBarcode as error:
                found[given] = SourceProduct(given, None, None, str(error))
        if codes:
            known = {product.code: product for product in self._tidied(self._look_up(list(codes.values())), ())}
            for given, code in codes.items():
                missing = SourceProduct(code, None, None, f"{self._database.title} has no product of this barcode")
                found[given] = known.get(code, missing)
        done += len(batch)
        following = {"done": done} if done < len(asked) else None
        return ProductPage([found[given] for given in batch], following, len(asked))

    def _look_up(self, codes: Sequence[str]) -> list[Any]:
        fields = ",".join(fields_wanted(self._languages))
        if len(codes) == 1:
            answer = self._asking.json(RequestKind.READ, f"/api/v2/product/{codes[0]}", {"fields": fields})
            product = _object(answer).get("product")
            return [product] if product else []
        # One search instead of as many reads: it is what the database asks for.
        asked = {"code": ",".join(codes), "page_size": str(len(codes)), "fields": fields}
        answer = self._asking.json(RequestKind.SEARCH, "/api/v2/search", asked, "products")
        return _products(_object(answer), self._database)

    def _tidied(self, raw: Sequence[Any], before: Sequence[str]) -> list[SourceProduct]:
        """Each as a product; one that came before, on this page or the last, is told so."""
        met = set(before)
        products = []
        for given in raw:
            product = normalise(given, self._database, self._languages)
            if product.problem is None and product.code in met:
                product = replace(product, content=None, problem="the same barcode came before in this run")
            elif product.code:
                met.add(product.code)
            products.append(product)
        return products


def _category(value: str) -> dict[str, str]:
    """A category by its tag (``en:champagnes``), or by its English name."""
    prefix, colon, name = value.rpartition(":") if TAG.fullmatch(value) else ("", "", value)
    # A comma means "and" to the database, a bar "or", a minus "not"; its own tags have none of them.
    slug = re.sub(r"[\W_]+", "-", name.lower()).strip("-")
    if not slug:
        raise InvalidInput(f"{value!r} is no name of a category; such as: champagnes, or en:champagnes")
    return {"categories_tags": f"{prefix.lower()}:{slug}"} if colon else {"categories_tags_en": slug}


def _place(cursor: SourceCursor | None) -> tuple[int, int, Sequence[str]]:
    """Number of the page, products before it, and the codes of the page before."""
    if cursor is None:
        return 1, 0, ()
    return int(cursor["page"]), int(cursor["taken"]), cursor.get("before", ())


def _object(answer: Any) -> Mapping[str, Any]:
    return answer if isinstance(answer, Mapping) else {}


def _products(answer: Mapping[str, Any], database: Database) -> list[Any]:
    products = answer.get("products")
    if not isinstance(products, list):
        raise AddressUnavailable(f"{database.title} answers without a list of products")
    return products
