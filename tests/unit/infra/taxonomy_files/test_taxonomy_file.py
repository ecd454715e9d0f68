"""Files of categories in all their formats; the contents are invented, the shapes are those of real files."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest

from infra.taxonomy_files.taxonomy_file import read_taxonomy, read_taxonomy_text
from pipeline.domain.category import MAX_DEPTH
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import CategoryEntry, ListedTaxonomy

GOOGLE = """# Google_Product_Taxonomy_Version: 2021-09-21
Animals & Pet Supplies
Animals & Pet Supplies > Live Animals
Animals & Pet Supplies > Pet Supplies > Bird Cages & Stands, Small
"""
GOOGLE_WITH_IDS = """# Google_Product_Taxonomy_Version: 2021-09-21
1 - Animals & Pet Supplies
3237 - Animals & Pet Supplies > Live Animals
"""
SHOPIFY = """# Shopify Product Taxonomy - Categories: 2024-07
# Format: {GID} : {Ancestor name} > ... > {Category name}

gid://shopify/TaxonomyCategory/ap     : Animals & Pet Supplies
gid://shopify/TaxonomyCategory/ap-1   : Animals & Pet Supplies > Live Animals
"""
SHOPIFY_JSON = {
    "version": "2024-07",
    "verticals": [
        {
            "name": "Animals & Pet Supplies",
            "prefix": "ap",
            "categories": [
                {
                    "id": "gid://shopify/TaxonomyCategory/ap",
                    "level": 0,
                    "name": "Animals & Pet Supplies",
                    "full_name": "Animals & Pet Supplies",
                    "parent_id": None,
                    "attributes": [{"id": "gid://shopify/TaxonomyAttribute/1", "name": "Colour"}],
                    "children": [{"id": "gid://shopify/TaxonomyCategory/ap-1", "name": "Live Animals"}],
                    "ancestors": [],
                },
                {
                    "id": "gid://shopify/TaxonomyCategory/ap-1",
                    "level": 1,
                    "name": "Live Animals",
                    "full_name": "Animals & Pet Supplies > Live Animals",
                    "parent_id": "gid://shopify/TaxonomyCategory/ap",
                    "attributes": [],
                    "children": [],
                    "ancestors": [{"id": "gid://shopify/TaxonomyCategory/ap", "name": "Animals & Pet Supplies"}],
                },
            ],
        }
    ],
}
PANS = ["Home", "Home >> Kitchen", "Home >> Kitchen >> Pans"]


def paths(listed: ListedTaxonomy) -> list[str]:
    return [entry.path for entry in listed.entries]


def ids(listed: ListedTaxonomy) -> list[str | None]:
    return [entry.external_id for entry in listed.entries]


def codes(listed: ListedTaxonomy) -> list[ReasonCode]:
    return [note.code for note in listed.notes]


def test_the_text_of_google_with_a_missing_ancestor() -> None:
    listed = read_taxonomy_text(GOOGLE)
    assert paths(listed) == [
        "Animals & Pet Supplies",
        "Animals & Pet Supplies >> Live Animals",
        "Animals & Pet Supplies >> Pet Supplies",
        "Animals & Pet Supplies >> Pet Supplies >> Bird Cages & Stands, Small",
    ]
    assert listed.notes == ()
    with_ids = read_taxonomy_text(GOOGLE_WITH_IDS)
    assert paths(with_ids) == paths(listed)[:2]
    assert ids(with_ids) == ["1", "3237"]


def test_shopify_as_text_and_as_json() -> None:
    text, document = read_taxonomy_text(SHOPIFY), read_taxonomy_text(json.dumps(SHOPIFY_JSON))
    assert text == document
    assert ids(text) == ["gid://shopify/TaxonomyCategory/ap", "gid://shopify/TaxonomyCategory/ap-1"]


@pytest.mark.parametrize(
    "text",
    [
        "Home > Kitchen > Pans\n",
        "Home » Kitchen » Pans\n",
        "Home / Kitchen / Pans\n",
        "Home\tKitchen\tPans\n",
        "Home\n  Kitchen\n    Pans\n",
        "- Home\n  - Kitchen\n    - Pans\n",
        "category 1;category 2;category 3\nHome;Kitchen;Pans\n",
        "Level 1,Level 2,Level 3\nHome,,\n,Kitchen,\n,,Pans\n",
        "department,category,subcategory\nHome,Kitchen,Pans\n",
        "path\nHome/Kitchen/Pans\nHome/Kitchen\n",
        "id,name,parent_id\n1,Home,0\n2,Kitchen,1\n3,Pans,2\n",
        "name,parent\nHome,\nKitchen,Home\nPans,Kitchen\n",
        "en\nHome > Kitchen > Pans\n",
        '["Home > Kitchen > Pans"]',
        '[["Home", "Kitchen", "Pans"]]',
        '{"Home": {"Kitchen": ["Pans"]}}',
        '{"Home": {"Kitchen": {"Pans": {}}}}',
        '{"categories": [{"name": "Home", "children": [{"name": "Kitchen", "children": ["Pans"]}]}]}',
        '[{"full_path": "Home > Kitchen"}, {"path": ["Home", "Kitchen", "Pans"]}]',
        '{"path": "Home > Kitchen"}\n{"path": "Home > Kitchen > Pans"}\n',
        '[{"id": 1, "name": "Home"}, {"id": 2, "name": "Kitchen", "parent_id": 1}, {"name": "Pans", "parent_id": 2}]',
        "\ufeffHome > Kitchen > Pans\r\n\r\n# a comment\r\n",
        "Home &gt; Kitchen &gt; Pans",
    ],
)
def test_the_same_categories_in_many_notations(text: str) -> None:
    listed = read_taxonomy_text(text)
    assert sorted(paths(listed)) == PANS
    if "id" not in text:
        assert listed.notes == ()


def test_texts_of_categories_come_from_columns_and_keys() -> None:
    table = (
        "category;Description;Synonymes;nom_fr;name (de);id\nHome > Curtains;for windows;drapes | blinds;Rideaux;;7\n"
    )
    expected = CategoryEntry("Home >> Curtains", "for windows", ("drapes", "blinds"), "7", {"fr": "Rideaux"})
    assert read_taxonomy_text(table).entries[1] == expected
    document = [
        {
            "id": 7,
            "path": "Home > Curtains",
            "description": "for windows",
            "synonyms": ["drapes", "blinds"],
            "name": {"en": "Curtains", "fr": "Rideaux"},
        }
    ]
    assert read_taxonomy_text(json.dumps(document)).entries[1] == expected
    translated = read_taxonomy_text("en,fr\nHome > Curtains,Maison > Rideaux\n", ".csv")
    assert translated.entries[1] == CategoryEntry("Home >> Curtains", names={"fr": "Rideaux"})


def test_a_comma_belongs_to_the_name_of_a_category() -> None:
    assert paths(read_taxonomy_text("Home > Garden, small\nHome > Lamps\n", ".csv"))[1] == "Home >> Garden, small"
    assert paths(read_taxonomy_text('"Home > Garden, small"\n', ".csv"))[1] == "Home >> Garden, small"
    assert paths(read_taxonomy_text("category\nKitchen, Dining\nKitchen\n", ".csv")) == ["Kitchen, Dining", "Kitchen"]
    assert paths(read_taxonomy_text("Home > Tea / Coffee\n")) == ["Home", "Home >> Tea/Coffee"]


def test_spellings_repetitions_and_broken_rows_are_noted() -> None:
    listed = read_taxonomy_text("Home & Garden > Lamps\nHome and  garden > Lamps\nhome & Garden > Pots\n")
    assert paths(listed) == ["Home & Garden", "Home & Garden >> Lamps", "Home & Garden >> Pots"]
    assert codes(listed) == [ReasonCode.CATEGORIES_REPEATED]
    deep = " > ".join(f"level {number}" for number in range(MAX_DEPTH + 1))
    listed = read_taxonomy_text(f"Home\nToys\n{deep}\n")
    assert paths(listed) == ["Home", "Toys"]
    assert codes(listed) == [ReasonCode.CATEGORY_ROWS_LEFT_OUT]
    listed = read_taxonomy_text("id,name,parent_id\n1,Home,0\n2,Lamps,1\n9,Lost,77\n5,Loop,5\n")
    assert paths(listed) == ["Home", "Home >> Lamps"]
    assert "row 4" in str(listed.notes[0])
    assert "'77'" in str(listed.notes[0])


def test_an_id_names_one_category_only() -> None:
    listed = read_taxonomy_text("id,path\n1,Home\n1,Toys\n")
    assert ids(listed) == ["1", None]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("This sentence is long, has many words, says nothing, and ends only here.\n" * 2, ReasonCode.NOT_A_TAXONOMY),
        ("<!DOCTYPE html><html><body>Log in</body></html>", ReasonCode.NOT_A_TAXONOMY),
        ('{"name": "package", "version": "1", "dependencies": {"left-pad": "1"}}', ReasonCode.NOT_A_TAXONOMY),
        ("[1, 2, 3]", ReasonCode.NOT_A_TAXONOMY),
        ("# only a comment\n", ReasonCode.NOT_A_TAXONOMY),
        ('{"categories": [', ReasonCode.FILE_NOT_JSON),
        (
            "name,description,category\n" + "".join(f"Mug {n},blue,Kitchen > Mugs\n" for n in range(40)),
            ReasonCode.LISTINGS_NOT_TAXONOMY,
        ),
    ],
)
def test_what_is_no_taxonomy_is_refused(text: str, code: ReasonCode) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_taxonomy_text(text, ".csv" if "category" in text else "")
    assert refused.value.args[0].code is code


def test_files_in_other_encodings_compressed_and_as_workbooks(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("chemin;synonymes\nMaison > Décoration;déco\n".encode("cp1252"))
    assert read_taxonomy(tmp_path / "latin.csv").entries[1] == CategoryEntry("Maison >> Décoration", synonyms=("déco",))
    (tmp_path / "wide.txt").write_text(GOOGLE, encoding="utf-16")
    assert read_taxonomy(tmp_path / "wide.txt") == read_taxonomy_text(GOOGLE)
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(GOOGLE_WITH_IDS.encode()))
    assert ids(read_taxonomy(tmp_path / "packed.txt.gz")) == ["1", "3237"]
    book = openpyxl.Workbook()
    for row in ((1, "Animals", None), (3237, "Animals", "Live Animals"), (2, "Animals", "Pet Supplies")):
        book.active.append(row)
    book.save(tmp_path / "levels.xlsx")
    listed = read_taxonomy(tmp_path / "levels.xlsx")
    assert paths(listed) == ["Animals", "Animals >> Live Animals", "Animals >> Pet Supplies"]
    assert ids(listed) == ["1", "3237", "2"]
    for name, content in (("empty.csv", b""), ("binary.txt", bytes(range(256)) * 40), ("photo.txt", b"\x89PNG\r\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput):
            read_taxonomy(tmp_path / name)
    with pytest.raises(InvalidInput, match="no file"):
        read_taxonomy(tmp_path / "none.csv")


def test_a_first_line_of_any_length_is_read_or_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text('"' + "x" * 300_000 + '",b\nHome > Mugs,c\n', encoding="utf-8")
    with suppress(InvalidInput):  # it is a strange category; what matters is that no csv.Error escapes
        assert read_taxonomy(file).entries
