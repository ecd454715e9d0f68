"""The export of a database: by path, by address, resumed anywhere, and whatever its lines hold."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, read_settings
from infra.sources import product_file
from infra.sources.database_export import DatabaseExport
from pipeline.domain.errors import InvalidInput, PermanentFailure
from pipeline.domain.product_databases import find_database
from pipeline.domain.product_source import CursorLost, ProductQuery, QueryKind, SourceBusy, SourceCursor, SourceProduct
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.integration.infra.sources import server_faults
from tests.integration.infra.sources.database_products import invented_product
from tests.integration.infra.sources.database_server import DatabaseServer, running_database

PRODUCTS = [invented_product("champagnes", number) for number in range(1, 41)]
CODES = [product["code"] for product in PRODUCTS]


@pytest.fixture(scope="module")
def shop() -> Iterator[DatabaseServer]:
    with running_database(stock={"champagnes": 40}) as shop:
        yield shop


@pytest.fixture
def settings(shop: DatabaseServer, tmp_path: Path) -> Settings:
    shop.faults.clear()
    shop.requests.clear()
    return read_settings(
        {
            "DATABASE_URL": "postgresql://nowhere/none",
            "RAYON_HOME": str(tmp_path / "home"),
            "RAYON_SOURCES_ADDRESS": shop.address,
            "RAYON_SOURCE_FILE_PAGE": "9",
            "RAYON_CONTACT": "ops@rayon.example",
        }
    )


def export_of(settings: Settings) -> DatabaseExport:
    return DatabaseExport(find_database("openfoodfacts", settings.sources_address), settings)


def asked(value: object, limit: int | None = None) -> ProductQuery:
    return ProductQuery(QueryKind.EXPORT, str(value), limit)


def every(
    export: DatabaseExport,
    query: ProductQuery,
    cursor: SourceCursor | None = None,
    taken: list[SourceProduct] | None = None,
) -> list[SourceProduct]:
    found = [] if taken is None else taken
    while True:
        page = export.page(query, cursor)
        found += page.products
        assert page.share is not None
        if page.following is None:
            return found
        cursor = json.loads(json.dumps(page.following))


def written(path: Path, *given: Any) -> Path:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in given)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


@pytest.mark.parametrize("name", ["export.jsonl.gz", "export.jsonl"])
def test_pages_continue_from_any_cursor_in_any_process(settings: Settings, tmp_path: Path, name: str) -> None:
    query = asked(written(tmp_path / name, *PRODUCTS))
    whole = every(export_of(settings), query)
    assert [product.code for product in whole] == CODES
    cursor: SourceCursor | None = None
    for number in range(0, 40, 9):
        page = export_of(settings).page(query, cursor)
        assert page.products == whole[number : number + 9]
        cursor = page.following
    assert cursor is None


@pytest.mark.parametrize("limit", [1, 9, 10, 40, 41])
def test_a_limit_holds(settings: Settings, tmp_path: Path, limit: int) -> None:
    query = asked(written(tmp_path / "export.jsonl.gz", *PRODUCTS), limit)
    assert [product.code for product in every(export_of(settings), query)] == CODES[:limit]


def test_every_line_that_is_no_product_has_a_reason(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_file, "MAX_LINE_LENGTH", 4000)
    deep = b"[" * 3000
    long = b'{"code": "%s"}' % (b"1" * 5000)
    torn = json.dumps(PRODUCTS[1] | {"brands": "Caf#"}).encode().replace(b"#", b"\xe9")
    given = (
        b"\xef\xbb\xbf" + json.dumps(PRODUCTS[0]).encode(),
        b"",
        b"{",
        b'"text"',
        deep,
        long,
        b"  \r",
        torn,
        b"null",
    )
    found = every(export_of(settings), asked(written(tmp_path / "export.jsonl", *given)))
    assert [None if product.problem is None else str(product.problem) for product in found] == [
        None,
        "line 3 is no JSON",
        "this is no product: an object was expected",
        "line 5 is no JSON",
        "line 6 has more than 4,000 bytes",
        None,
        "this is no product: an object was expected",
    ]
    assert Reason(ReasonCode.NOT_UTF8) in found[5].notes


def test_a_truncated_file_gives_its_good_lines_and_is_reported(settings: Settings, tmp_path: Path) -> None:
    path = written(tmp_path / "export.jsonl.gz", *PRODUCTS)
    path.write_bytes(path.read_bytes()[:-400])
    taken: list[SourceProduct] = []
    with pytest.raises(
        PermanentFailure, match=r"it ends in the middle after line \d+; the products before it were imported"
    ):
        every(export_of(settings), asked(path), taken=taken)
    assert 0 < len(taken) < 40


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"code\tname\n123\tCurtain\n", "its lines are no JSON objects"),
        (b"PK\x03\x04 a zip", "its lines are no JSON objects"),
    ],
)
def test_a_file_without_products_is_refused_at_once(settings: Settings, tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    with pytest.raises(InvalidInput, match=said):
        export_of(settings).page(asked(path), None)


def test_a_missing_file_is_reported(settings: Settings, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match="there is no file"):
            export_of(settings).page(asked(path), None)


def test_a_file_that_changed_loses_the_cursor(settings: Settings, tmp_path: Path) -> None:
    path = written(tmp_path / "export.jsonl.gz", *PRODUCTS)
    cursor = export_of(settings).page(asked(path), None).following
    os.utime(path, (1, 1))
    with pytest.raises(CursorLost):
        export_of(settings).page(asked(path), cursor)


def test_the_published_export_is_fetched_once_and_deleted_when_it_is_read(
    settings: Settings, shop: DatabaseServer
) -> None:
    export = export_of(settings)
    assert [product.code for product in every(export, asked(""))] == CODES
    (request,) = shop.asked("file")
    assert request.path == "/data/openfoodfacts-products.jsonl.gz"
    assert "ops@rayon.example" in request.headers["User-Agent"]
    export.delete_copy()
    assert not [path for path in (settings.home / "cache" / "exports").iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize("limit", [None, 36])
def test_a_run_that_dies_with_its_last_pages_continues_with_the_copy(
    settings: Settings, shop: DatabaseServer, limit: int | None
) -> None:
    first = export_of(settings)
    cursors: list[SourceCursor | None] = [None]
    while len(cursors) == 1 or cursors[-1] is not None:
        cursors.append(first.page(asked("", limit), cursors[-1]).following)
    del first
    # While the last page is read, the one before is not committed yet.
    last = every(export_of(settings), asked("", limit), cursors[-3])
    assert [product.code for product in last] == CODES[9 * (len(cursors) - 3) : limit]
    assert len(shop.asked("file")) == 1


def test_another_process_continues_with_the_copy_and_only_one_reads_it(
    settings: Settings, shop: DatabaseServer
) -> None:
    first = export_of(settings)
    page = first.page(asked(""), None)
    with pytest.raises(SourceBusy, match="another process"):
        export_of(settings).page(asked(""), page.following)
    del first
    assert [product.code for product in every(export_of(settings), asked(""), page.following)] == CODES[9:]
    assert len(shop.asked("file")) == 1


def test_a_new_run_checks_that_its_copy_is_still_current(settings: Settings, shop: DatabaseServer) -> None:
    begun = export_of(settings).page(asked(""), None)
    again = export_of(settings).page(asked(""), None)
    assert again.products == begun.products
    assert "If-Range" in shop.asked("file")[1].headers
    shop.goods.change(CODES[0], product_name_fr="Cuvée nouvelle")
    try:
        changed = export_of(settings).page(asked(""), None)
        assert changed.products[0] != begun.products[0]
        with pytest.raises(CursorLost):
            export_of(settings).page(asked(""), begun.following)
    finally:
        shop.goods.change(CODES[0], product_name_fr=PRODUCTS[0]["product_name_fr"])


def test_an_abandoned_copy_is_removed_after_a_week(settings: Settings) -> None:
    folder = settings.home / "cache" / "exports"
    folder.mkdir(parents=True)
    for name, age in (("forgotten.part", 8), ("recent.part", 6)):
        (folder / name).write_bytes(b"half a file")
        os.utime(folder / name, (time.time() - age * 86_400,) * 2)
    export_of(settings).page(asked(""), None)
    assert not (folder / "forgotten.part").exists()
    assert (folder / "recent.part").exists()


def test_a_download_that_is_cut_is_resumed(settings: Settings, shop: DatabaseServer) -> None:
    def half(asked: Any) -> None:
        body = shop.goods.export()
        tag = shop.tag_of(body)
        asked.head(200, Content_Type="application/gzip", Content_Length=str(len(body)), ETag=tag)
        asked.wfile.write(body[: len(body) // 2])
        asked.close_connection = True

    shop.fail("file", half)
    assert len(every(export_of(settings), asked(f"{shop.address}/data/openfoodfacts-products.jsonl.gz"))) == 40
    second = shop.asked("file")[1]
    assert second.headers["Range"] == f"bytes={len(shop.goods.export()) // 2}-"


def test_a_web_page_instead_of_the_export_is_reported(settings: Settings, shop: DatabaseServer) -> None:
    shop.fail("file", server_faults.page)
    with pytest.raises(PermanentFailure, match="answers with a web page instead of the file"):
        export_of(settings).page(asked(""), None)
