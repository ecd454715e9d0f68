"""Catalogues in XLSX, XML and wrapped JSON, compressed or not; and files that are none of these."""

from __future__ import annotations

import datetime
import gzip
import json
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from infra.catalogue_files.catalogue import open_catalogue
from pipeline.domain.errors import InvalidCatalogue
from tests.unit.infra.catalogue_files.files import content_of, opened, problems_of, written

CSV = "id,name,category\n1,Mug,Kitchen\n2,Pan,Kitchen\n"


def workbook(path: Path) -> Path:
    book = Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "Notes"
    notes.append(["exported", datetime.date(2026, 3, 1)])
    products = book.create_sheet("Products")
    products.append(["Price list March"])
    products.append([])
    products.append(["EAN", "Name", "Category", "Weight"])
    products.append([3017620422003, "Mug", "Kitchen > Mugs", 0.35])
    products.append([None, None, None, None])
    products.append([3017620422004, "Pan", "Kitchen > Pans", 2])
    book.save(path)
    return path


def test_the_sheet_of_products_is_read_behind_its_title(tmp_path: Path) -> None:
    catalogue = open_catalogue(workbook(tmp_path / "a.xlsx"))
    rows = list(catalogue)
    assert [row.external_id for row in rows] == ["3017620422003", "3017620422004"]
    assert [row.line for row in rows] == [4, 6]
    assert content_of(rows[0]).attributes == {"Weight": "0.35"}
    assert content_of(rows[0]).seller_category == "Kitchen >> Mugs"
    assert "the sheet 'Products' was read, and 1 others were not: Notes" in catalogue.warnings[0]
    assert list(catalogue.rows(after=1)) == rows[1:]


@pytest.mark.parametrize("content", [b"PK\x03\x04 rest", b"\x1f\x8b rest"])
def test_a_damaged_archive_says_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidCatalogue, match="cannot be unpacked"):
        open_catalogue(written(tmp_path, "a.zip", content))


def test_a_damaged_spreadsheet_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<nonsense")
        archive.writestr("xl/workbook.xml", "<nonsense")
    with pytest.raises(InvalidCatalogue, match="no spreadsheet that can be read"):
        open_catalogue(path)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.gz"])
def test_gzip(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, gzip.compress(CSV.encode()))
    assert [content_of(row).name for row in open_catalogue(path)] == ["Mug", "Pan"]


def test_a_zip_with_one_table_beside_other_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.md", "hello")
        archive.writestr("__MACOSX/._products.csv", "x")
        archive.writestr("export/products.csv", CSV)
    assert [content_of(row).name for row in open_catalogue(path)] == ["Mug", "Pan"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.csv", CSV)
    with pytest.raises(InvalidCatalogue, match=r"several tables: export/products\.csv, more\.csv"):
        open_catalogue(path)


def test_a_zipped_spreadsheet(tmp_path: Path) -> None:
    inner = workbook(tmp_path / "in.xlsx")
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.write(inner, "in.xlsx")
    assert len(list(open_catalogue(tmp_path / "out.zip"))) == 2


def test_what_is_wrong_in_an_archive_names_the_file_in_it_and_no_temporary_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv.gz", gzip.compress(b"<!DOCTYPE html><html></html>"))
    with pytest.raises(InvalidCatalogue, match=r"a\.csv\.gz \(a\.csv\) is a web page"):
        open_catalogue(path)


ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>
<entry><g:id>1</g:id><title>Short</title><g:title>Red dress</g:title><summary>Long</summary>
<g:image_link>https://h/1.jpg</g:image_link><g:additional_image_link>https://h/2.jpg</g:additional_image_link>
<g:additional_image_link>https://h/3.jpg</g:additional_image_link><g:product_type>Women &gt; Dresses</g:product_type>
</entry></feed>"""


def test_an_atom_feed_with_repeated_elements(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, "a.xml", ATOM)
    content = content_of(row)
    assert (content.name, content.description, content.seller_category) == ("Red dress", "Long", "Women >> Dresses")
    assert content.images == ("https://h/1.jpg", "https://h/2.jpg", "https://h/3.jpg")


def test_xml_of_another_program(tmp_path: Path) -> None:
    item = "<produit ref='{0}'><nom>Tasse {0}</nom><photos><photo>https://h/{0}.jpg</photo></photos></produit>"
    rows = list(opened(tmp_path, "a.xml", f"<catalogue>{item.format(1)}{item.format(2)}</catalogue>"))
    assert [row.external_id for row in rows] == ["1", "2"]
    assert content_of(rows[1]).images == ("https://h/2.jpg",)


def test_a_cut_feed_keeps_the_items_before_the_cut(tmp_path: Path) -> None:
    item = "<item><id>{0}</id><title>Mug {0}</title></item>"
    rows = list(opened(tmp_path, "a.xml", f"<rss><channel>{item.format(1)}{item.format(2)}<item><id>3"))
    assert [row.external_id for row in rows] == ["1", "2", None]
    assert "not well-formed XML from here on" in str(problems_of(rows)[2])


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]><rss><item><id>1</id><title>&c;</title></item></rss>'
    with pytest.raises(InvalidCatalogue, match="no well-formed XML"):
        opened(tmp_path, "a.xml", bomb)


@pytest.mark.parametrize(
    "document",
    [
        {"products": [{"id": 1, "name": "Mug"}]},
        {"status": "ok", "data": {"items": [{"id": 1, "name": "Mug"}], "total": 1}},
        {"@context": "https://schema.org", "@graph": [{"@type": "Product", "id": 1, "name": "Mug"}]},
        {"title": "My shop", "products": [{"id": 1, "name": "Mug"}]},
        {"itemListElement": [{"@type": "ListItem", "position": 1, "item": {"id": 1, "name": "Mug"}}]},
        {"id": 1, "name": "Mug", "images": [{"src": "https://h/1.jpg"}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_inside_an_object_and_one_product_alone(tmp_path: Path, document: object, indent: int | None) -> None:
    (row,) = opened(tmp_path, "a.json", json.dumps(document, indent=indent))
    assert (row.external_id, content_of(row).name) == ("1", "Mug")


def test_megabytes_of_blanks_before_json_are_passed_over(tmp_path: Path) -> None:
    blanks = " \n" * 2_500_000
    for text in ('[{"id": 1, "name": "Mug"}]', '{"products": [{"id": 1, "name": "Mug"}]}'):
        (row,) = opened(tmp_path, "a.json", blanks + text)
        assert content_of(row).name == "Mug"


def test_an_object_of_megabytes_costs_itself_only(tmp_path: Path) -> None:
    items = [{"id": 1, "name": "x" * 5_000_000}, {"id": 2, "name": "Mug"}]
    rows = list(opened(tmp_path, "a.json", json.dumps(items)))
    assert [row.external_id for row in rows] == [None, "2"]
    assert "does not end within" in str(problems_of(rows)[0])


def test_ten_megabytes_of_commas_and_a_hundred_thousand_columns_end_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue):
        opened(tmp_path, "commas.csv", "," * 10_000_000)
    header = ",".join(f"c{n}" for n in range(100_000))
    with pytest.raises(InvalidCatalogue, match="no column holds a name"):
        opened(tmp_path, "wide.csv", f"{header}\nx{',' * 99_999}\n")


def test_a_text_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match="is no table"):
        opened(tmp_path, "letter.txt", "Dear all\nplease find our products on the site\n")


def test_a_workbook_that_cannot_be_read_is_called_what_it_is(tmp_path: Path) -> None:
    old = tmp_path / "products.xls"
    old.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4_000))
    with pytest.raises(InvalidCatalogue, match=r"old Excel \(\.xls\).*save it as \.xlsx or CSV"):
        open_catalogue(old)
    for name, first, kind in (
        ("products.ods", "mimetype", "LibreOffice"),
        ("products.xlsb", "xl/workbook.bin", "binary workbook"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(first, "application/vnd.oasis.opendocument.spreadsheet")
            archive.writestr("content.xml", "<office/>")
        with pytest.raises(InvalidCatalogue, match=f"{kind}.*save it as"):
            open_catalogue(tmp_path / name)
