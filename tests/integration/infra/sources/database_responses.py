"""Normal responses of the fake product database: searches, reads, photos, robots.txt, and published files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.integration.infra.sources.database_products import Product, photo_of

if TYPE_CHECKING:
    from tests.integration.infra.sources.database_server import RequestHandler

MAX_PAGE_SIZE = 100


def answer(asked: RequestHandler) -> None:
    """Answer a request by its path."""
    parts = urlsplit(asked.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if re.fullmatch(r"/api/v[0-9.]+/search", parts.path):
        _search(asked, query, _chosen(asked, query), texts=False)
    elif parts.path == "/cgi/search.pl":
        if query.get("json") != "1" or query.get("action") != "process":
            asked.send(200, b"<html><body>A form to search by</body></html>", "text/html; charset=utf-8")
            return
        words = query.get("search_terms", "").lower().split()
        found = [p for p in asked.server.goods.all() if all(w in str(p.get("product_name")).lower() for w in words)]
        _search(asked, query, found, texts=True)
    elif read := re.fullmatch(r"/api/v[0-9.]+/product/([^/]+?)(\.json)?", parts.path):
        _read(asked, query, read[1])
    elif photo := re.fullmatch(r"/images/products/([0-9/]+)/[a-z0-9_.]+\.jpg", parts.path):
        _photo(asked, photo[1].replace("/", ""))
    elif parts.path == "/robots.txt":
        robots = asked.server.robots
        asked.send(*((robots, b"") if isinstance(robots, int) else (200, robots.encode())), "text/plain")
    elif parts.path.startswith("/data/"):
        _file(asked, parts.path.removeprefix("/data/"))
    else:
        asked.send(404, b"<html><body>Error</body></html>", "text/html")


def _chosen(asked: RequestHandler, query: Mapping[str, str]) -> list[Any]:
    goods = asked.server.goods
    if "code" in query:
        codes = query["code"].split(",")
        return [product for product in goods.all() if product["code"] in codes]
    wanted = query.get("categories_tags") or f"en:{query.get('categories_tags_en', '')}"
    if wanted == "en:untidy":
        return list(goods.extra)
    return [product for product in goods.all() if wanted in product.get("categories_tags", ())]


def _search(asked: RequestHandler, query: Mapping[str, str], found: list[Any], *, texts: bool) -> None:
    page = max(int(query.get("page") or 1), 1)
    size = min(int(query.get("page_size") or 24), MAX_PAGE_SIZE)
    key = query.get("sort_by") or "popularity_key"
    if key.endswith("_t"):  # times: the latest first, as in the real one
        found = sorted(found, key=lambda p: p.get(key, 0) if isinstance(p, dict) else 0, reverse=True)
    shown = [_projected(product, query) for product in found[(page - 1) * size : page * size]]
    numbers: dict[str, Any] = {"page": page, "page_count": len(shown), "page_size": size, "skip": (page - 1) * size}
    if texts:  # the older search repeats its parameters as texts
        numbers = {"page": str(page), "page_size": str(size), "skip": (page - 1) * size}
    asked.send_json({"count": len(found), **numbers, "products": shown})


def _projected(product: Any, query: Mapping[str, str]) -> Any:
    fields = [name for name in query.get("fields", "").split(",") if name]
    if not fields or not isinstance(product, dict):
        return product
    return {name: product[name] for name in fields if name in product}


def _read(asked: RequestHandler, query: Mapping[str, str], code: str) -> None:
    products: dict[str, Product] = {product["code"]: product for product in asked.server.goods.all()}
    product = products.get(code.zfill(13))
    if product is None:
        asked.send_json({"code": code, "status": 0, "status_verbose": "product not found"}, 404)
        return
    found = {"code": product["code"], "product": _projected(product, query)}
    asked.send_json({**found, "status": 1, "status_verbose": "product found"})


def _photo(asked: RequestHandler, code: str) -> None:
    if code not in asked.server.goods.products:
        asked.send(404, b"", "text/html")
        return
    asked.send(200, photo_of(code), "image/jpeg", Last_Modified="Wed, 15 Nov 2023 00:00:00 GMT")


def _file(asked: RequestHandler, name: str) -> None:
    goods = asked.server.goods
    if name == "delta/index.txt":
        asked.send(200, "\n".join([*sorted(goods.deltas, reverse=True), ""]).encode(), "text/plain")
    elif name.removeprefix("delta/") in goods.deltas:
        asked.send(200, goods.deltas[name.removeprefix("delta/")], "application/gzip")
    elif name.endswith("-products.jsonl.gz"):
        asked.send(200, goods.export(), "application/gzip")
    else:
        asked.send(404, b"", "text/html")
