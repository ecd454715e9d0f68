"""Columns judged by their content: empty and repeated ids, names that are not called so, levels, languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.catalogue_files.column_detection import detect_columns, unique_names
from pipeline.domain.errors import InvalidCatalogue
from tests.unit.infra.catalogue_files.files import content_of, opened, problems_of


def test_an_empty_id_column_is_not_the_id_where_another_one_is_complete(tmp_path: Path) -> None:
    rows = list(opened(tmp_path, "a.csv", "id,sku,name\n,S1,a\n,S2,b\n"))
    assert [row.external_id for row in rows] == ["S1", "S2"]


def test_a_repeated_id_is_not_the_id_where_another_one_is_unique(tmp_path: Path) -> None:
    text = "id,sku,name\n" + "".join(f"{n % 2},S{n},a{n}\n" for n in range(30))
    assert opened(tmp_path, "a.csv", text).columns["external_id"] == "sku"


def test_a_row_without_its_id_takes_the_next_one_only_where_ids_stay_unique(tmp_path: Path) -> None:
    apart = opened(tmp_path, "a.csv", "id,sku,name\n1,S1,a\n,S2,b\n3,,c\n")
    assert [row.external_id for row in apart] == ["1", "S2", "3"]
    mixed = opened(tmp_path, "b.csv", "id,sku,name\n1,1,a\n2,,b\n,3,c\n4,,d\n5,,e\n")
    assert problems_of(mixed)[2] == "the id is empty"


def test_rounded_ids_give_way_to_another_column_or_to_the_content(tmp_path: Path) -> None:
    text = "ean,sku,name\n" + "".join(f"3.0{n % 2}E+12,S{n},a{n}\n" for n in range(5))
    assert [row.external_id for row in opened(tmp_path, "a.csv", text)] == [f"S{n}" for n in range(5)]
    mixed = opened(tmp_path, "b.csv", "ean,name\n3017620422003,a\n3.01762E+12,b\n3.01762E+12,c\n3017620422006,d\n")
    rows = list(mixed)
    assert [row.external_id for row in rows] == ["3017620422003", None, None, "3017620422006"]
    assert problems_of(rows) == [None] * 4
    assert "rounded" in str(rows[1].notes[0])


def test_a_file_whose_names_are_called_otherwise_is_not_imported_without_them(tmp_path: Path) -> None:
    text = "id;Bezeichnung;image\n" + "".join(f"{n};Tasse rot {n};https://h/{n}.jpg\n" for n in range(9))
    with pytest.raises(InvalidCatalogue, match="'Bezeichnung' looks like one; say which it is: --columns name=Bezei"):
        opened(tmp_path, "a.csv", text)
    assert len(list(opened(tmp_path, "a.csv", text, {"name": ""}))) == 9


def test_columns_in_an_unknown_language_are_guessed_at_in_the_error(tmp_path: Path) -> None:
    rows = "".join(f"A{n};Tasse rot {n};Haus > Küche;https://h/{n}.jpg\n" for n in range(9))
    with pytest.raises(InvalidCatalogue, match="id=Nummer,name=Bezeichnung,category=Pfad,image=Foto1x"):
        opened(tmp_path, "a.csv", f"Nummer;Bezeichnung;Pfad;Foto1x\n{rows}")


def test_a_file_without_a_header_says_how_to_read_it(tmp_path: Path) -> None:
    text = "".join(f"{n},Blue mug number {n},https://h/{n}.jpg\n" for n in range(9))
    with pytest.raises(InvalidCatalogue, match=r"columns are: column 1, column 2, column 3; .*name=column 2"):
        opened(tmp_path, "a.csv", text)
    rows = list(opened(tmp_path, "a.csv", text, {"name": "column 2", "external_id": "column 1"}))
    assert content_of(rows[0]).name == "Blue mug number 0"
    assert len(rows) == 9


def test_levels_of_one_path_are_joined_and_can_be_chosen(tmp_path: Path) -> None:
    text = "id,name,a,b\n1,Mug,Home,Kitchen\n2,Pen,Office,\n"
    rows = opened(tmp_path, "a.csv", text, {"category": "a+b"})
    assert [content_of(row).seller_category for row in rows] == ["Home >> Kitchen", "Office"]
    numbered = opened(tmp_path, "b.csv", "id,name,category_1,category_2\n1,Mug,Home,Kitchen\n")
    assert [content_of(row).seller_category for row in numbered] == ["Home >> Kitchen"]


def test_numbered_images_are_all_read(tmp_path: Path) -> None:
    text = "id,name,image1,image2,image_10\n1,a,https://h/1.jpg,https://h/2.jpg,https://h/10.jpg\n"
    (row,) = opened(tmp_path, "a.csv", text)
    assert content_of(row).images == ("https://h/1.jpg", "https://h/2.jpg", "https://h/10.jpg")


def test_of_columns_in_several_languages_the_preferred_one_is_read_and_the_other_where_it_is_empty(
    tmp_path: Path,
) -> None:
    text = "sku,name-fr_FR,name-en_US\n1,Tasse,Mug\n2,Verre,\n"
    assert [content_of(row).name for row in opened(tmp_path, "a.csv", text)] == ["Mug", "Verre"]


def test_names_of_many_columns_are_made_unique_at_once() -> None:
    names = unique_names(["a"] * 50_000)
    assert len(set(names)) == 50_000
    assert names[:3] == ["a", "a (2)", "a (3)"]


def test_without_a_sample_names_decide_alone() -> None:
    assert detect_columns(["sku", "id", "name"]).fields == {"external_id": "id", "name": "name"}
