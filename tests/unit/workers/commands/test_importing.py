"""Pages of an import, and how rows are known in them."""

from __future__ import annotations

from infra.catalogue_files.record import CatalogueRow
from pipeline.domain.listing import Content
from workers.commands import import_pages
from workers.commands.import_pages import arrived, known_as, pages
from workers.commands.row_photos import FoundPhoto


def row(number: int, **more) -> CatalogueRow:
    return CatalogueRow(number, number, more.pop("external_id", None), Content("", seller_category="Bags"), **more)


def test_pages_are_bounded_by_rows_and_by_the_weight_of_photos(monkeypatch):
    monkeypatch.setattr(import_pages, "PAGE_ROWS", 4)
    monkeypatch.setattr(import_pages, "PAGE_BYTES", 10)
    light = [row(n) for n in range(1, 10)]
    heavy = [row(n, photo=b"x" * 6) for n in range(10, 15)]
    assert [len(page) for page in pages([*light, *heavy])] == [4, 4, 3, 2, 1]
    assert list(pages([])) == []


def test_rows_without_ids_are_known_by_their_photo_too():
    rows = [row(1, photo=b"a"), row(2, photo=b"b"), row(3), row(4, image_file="a.jpg"), row(5, photo=b"a")]
    known = [known_as(one) for one in rows]
    assert len(set(known)) == 4
    assert known[0] == known[4]
    assert known_as(row(1, external_id="sku", photo=b"a")) == "sku"


def test_a_row_arrives_with_its_photo_first_and_all_that_is_to_be_noted():
    content = Content("n", images=("https://h/a.jpg",))
    one = arrived(CatalogueRow(1, 2, "sku", content, notes=("a note",)), FoundPhoto("images/1"))
    assert (one.content.images, one.note, one.problem) == (("images/1", "https://h/a.jpg"), "a note", None)
    two = arrived(CatalogueRow(1, 2, "sku", content, notes=("a note",)), FoundPhoto(problem="no photo"))
    assert (two.content.images, two.note) == (("https://h/a.jpg",), "no photo; a note")
    bad = arrived(CatalogueRow(1, 2, None, None, problem="bad"), FoundPhoto())
    assert (bad.external_id, bad.content, bad.problem, bad.note) == (None, None, "bad", None)
