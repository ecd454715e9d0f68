"""Pages of a file's import, and the rows in them."""

from __future__ import annotations

import pytest

from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.listing import Content
from pipeline.domain.reason import Reason, sentences
from workers.commands import import_file
from workers.commands.import_file import RowPhoto, incoming_row, pages

NOTE = Reason.other("a note")


def catalogue_row(
    number: int, *, external_id: str | None = None, photo: bytes | None = None, image_file: str | None = None
) -> CatalogueRow:
    return CatalogueRow(number, number, external_id, Content("", seller_category="Bags"), image_file, photo)


def test_pages_are_bounded_by_rows_and_by_the_size_of_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_file, "PAGE_ROWS", 4)
    monkeypatch.setattr(import_file, "PAGE_BYTES", 10)
    without_photo = [catalogue_row(n) for n in range(1, 10)]
    with_photo = [catalogue_row(n, photo=b"x" * 6) for n in range(10, 15)]
    assert [len(page) for page in pages([*without_photo, *with_photo])] == [4, 4, 3, 2, 1]
    assert list(pages([])) == []


def test_the_id_of_a_row_without_one_depends_on_its_photo_too() -> None:
    rows = [
        catalogue_row(1, photo=b"a"),
        catalogue_row(2, photo=b"b"),
        catalogue_row(3),
        catalogue_row(4, image_file="a.jpg"),
        catalogue_row(5, photo=b"a"),
    ]
    known = [row.known_id for row in rows]
    assert len(set(known)) == 4
    assert known[0] == known[4]
    assert catalogue_row(1, external_id="sku", photo=b"a").known_id == "sku"


def test_the_photo_of_a_row_is_its_first_image_and_all_its_notes_are_kept() -> None:
    content = Content("n", images=("https://h/a.jpg",))
    one = incoming_row(CatalogueRow(1, 2, "sku", content, notes=(NOTE,)), RowPhoto("images/1"))
    assert one.content is not None
    assert (one.content.images, one.notes, one.problem) == (("images/1", "https://h/a.jpg"), (NOTE,), None)
    two = incoming_row(CatalogueRow(1, 2, "sku", content, notes=(NOTE,)), RowPhoto(problem=Reason.other("no photo")))
    assert two.content is not None
    assert (two.content.images, sentences(two.notes)) == (("https://h/a.jpg",), "no photo; a note")
    bad = incoming_row(CatalogueRow(1, 2, None, None, problem=Reason.other("bad")), RowPhoto())
    assert (bad.external_id, bad.content, bad.problem, bad.notes) == (None, None, Reason.other("bad"), ())
