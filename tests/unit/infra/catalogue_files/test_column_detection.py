"""Columns that somebody names: typed, found in the header, or refused with what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.catalogue_files.column_detection import EXAMPLE, ROLES, detect_columns, read_choices
from pipeline.domain.errors import InvalidCatalogue
from tests.unit.infra.catalogue_files.files import content_of, opened


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], {}),
        (
            [EXAMPLE],
            {"name": "title", "description": "body", "category": "path", "image": "photo", "external_id": "sku"},
        ),
        (["name=title", " ID = sku ", "external_id="], None),
        ([" Name=title", "id=sku"], {"name": "title", "external_id": "sku"}),
        (["attributes=brand,colour,name=title"], {"attributes": "brand,colour", "name": "title"}),
        (["attributes=brand", "attributes=colour"], {"attributes": "brand,colour"}),
        (["attributes=*", "image="], {"attributes": "*", "image": ""}),
        (["name=Title, long"], {"name": "Title, long"}),
        (["name=a=b"], {"name": "a=b"}),
        (["split=set"], {"split": "set"}),
    ],
)
def test_choices_as_they_are_typed(texts: list[str], expected: dict[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(InvalidCatalogue, match="two columns are given for external_id"):
            read_choices(texts)
    else:
        assert read_choices(texts) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("titre=Nom", "there is no role 'titre'; roles are: " + ", ".join(ROLES)),
        ("title", "'title' is not ROLE=COLUMN; write it like name=title"),
        ("", "write it like"),
        ("name=a,name=b", "two columns are given for name: 'a' and 'b'; choose one"),
        ("name=a,price=b", "there is no role 'price'"),
    ],
)
def test_what_is_no_choice_says_so(text: str, told: str) -> None:
    with pytest.raises(InvalidCatalogue, match=told):
        read_choices([text])
    assert list(ROLES) == ["id", "name", "description", "category", "image", "attributes", "split", "parent"]


HEADER = ["sku", "title", "name", "Couleur", "brand", "notes", "Größe, cm", "image"]


@pytest.mark.parametrize(
    ("texts", "fields", "attributes"),
    [
        ([], {"external_id": "sku", "name": "name", "image": "image"}, ("Couleur", "brand")),
        (["name=title,description=name"], {"name": "title", "description": "name"}, ("Couleur", "brand")),
        (["name=TITLE"], {"name": "title"}, ("Couleur", "brand")),
        (["image="], {"external_id": "sku", "name": "name"}, ("Couleur", "brand")),
        (["attributes=notes,brand"], {"name": "name"}, ("notes", "brand")),
        (["attributes=Größe, cm"], {"name": "name"}, ("Größe, cm",)),
        (["attributes=couleur"], {"name": "name"}, ("Couleur",)),
        (["attributes=name"], {"name": "title"}, ("name",)),
        (["attributes="], {"name": "name"}, ()),
        (["attributes=*"], {"name": "name"}, ("title", "Couleur", "brand", "notes", "Größe, cm")),
        (["attributes=*,id=title,name=title"], {"external_id": "title", "name": "title"}, None),
    ],
)
def test_a_choice_comes_before_what_is_detected(
    texts: list[str], fields: dict[str, str], attributes: tuple[str, ...] | None
) -> None:
    found = detect_columns(HEADER, read_choices(texts))
    assert fields.items() <= found.fields.items()
    assert ("image" in found.fields) == ("image=" not in texts)
    assert attributes is None or found.attributes == attributes


@pytest.mark.parametrize("text", ["name=nom", "attributes=brand,nom"])
def test_a_column_that_is_not_there_lists_those_there_are(text: str) -> None:
    with pytest.raises(InvalidCatalogue, match="there is no column 'nom'; columns are: sku, title, name, Couleur"):
        detect_columns(HEADER, read_choices([text]))


def test_nothing_found_says_how_to_choose() -> None:
    with pytest.raises(
        InvalidCatalogue, match="columns are: Bezeichnung, Preis; say which is which, such as --columns"
    ):
        detect_columns(["Bezeichnung", "Preis"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'ref no,What,Where,Size\n1,Mug,Kitchen > Mugs,"{""Height"": 9}"\n'),
        ("a.tsv", 'ref no\tWhat\tWhere\tSize\n1\tMug\tKitchen > Mugs\t{"Height": 9}\n'),
        ("a.ndjson", '{"ref no": 1, "What": "Mug", "Where": ["Kitchen", "Mugs"], "Size": {"Height": 9}}\n'),
    ],
)
def test_every_format_takes_choices(tmp_path: Path, name: str, text: str) -> None:
    chosen = read_choices(["name=What,category=Where,id=ref no,attributes=Size"])
    (row,) = opened(tmp_path, name, text, chosen)
    assert (row.external_id, content_of(row).name, content_of(row).seller_category) == ("1", "Mug", "Kitchen >> Mugs")
    assert content_of(row).attributes == {"Height": "9"}
