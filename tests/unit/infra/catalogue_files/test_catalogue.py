"""Opening catalogues of every format, encoding and kind of mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.catalogue_files.catalogue import open_catalogue
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.listing import MAX_ATTRIBUTES, MAX_NAME, Content
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.unit.infra.catalogue_files.files import content_of, opened, problems_of, written

CSV = 'sku,Nom,Catégorie,photo,Prix,Couleur,split\nA1,"Rideau, bleu",Maison > Rideaux,a.jpg,9.9,bleu,train\n'
EXPECTED = Content("Rideau, bleu", "", {"Couleur": "bleu"}, (), "Maison >> Rideaux")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, newline: str) -> None:
    catalogue = opened(tmp_path, "a.csv", CSV.replace("\n", newline).encode(encoding))
    (row,) = catalogue
    assert (row.number, row.line, row.external_id, row.image_file, row.split) == (1, 2, "A1", "a.jpg", "train")
    assert row.content == EXPECTED
    assert catalogue.columns["category"] == "Catégorie"
    assert catalogue.attribute_columns == ("Couleur",)
    assert bool(catalogue.warnings) == (encoding == "cp1252")


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ";"), ("a.csv", "|"), ("a.csv", "\t"), ("a.tsv", "\t")])
def test_delimiters(tmp_path: Path, name: str, delimiter: str) -> None:
    text = f"id{delimiter}title{delimiter}description\n1{delimiter}Cup, red; large{delimiter}d\n"
    text = text.replace("Cup, red; large", "Cup, red large") if delimiter == ";" else text
    (row,) = opened(tmp_path, name, text)
    assert content_of(row).name.startswith("Cup, red")
    assert content_of(row).description == "d"


ITEM = {"code": 301, "product_name": "Pâte 🍫 مرحبا", "categories": ["Food", "Spreads"], "image_url": "https://h/a.jpg"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ndjson", json.dumps(ITEM) + "\n\n" + json.dumps(ITEM | {"code": 302})),
        ("a.jsonl", json.dumps(ITEM, ensure_ascii=False) + "\r\n" + json.dumps(ITEM | {"code": 302}) + "\n"),
        ("a.json", json.dumps([ITEM, ITEM | {"code": 302}], indent=2)),
        ("a.json", "\n" + json.dumps([ITEM, ITEM | {"code": 302}])),
        ("no-suffix", json.dumps(ITEM) + "\n" + json.dumps(ITEM | {"code": 302})),
    ],
)
def test_json_of_every_kind(tmp_path: Path, name: str, text: str) -> None:
    catalogue = opened(tmp_path, name, text)
    rows = list(catalogue)
    assert [row.external_id for row in rows] == ["301", "302"]
    assert rows[0].content == Content("Pâte 🍫 مرحبا", "", {}, ("https://h/a.jpg",), "Food >> Spreads")
    assert catalogue.count_hint == 2
    assert list(catalogue) == rows, "a catalogue can be read again"


def test_a_long_json_array_streams(tmp_path: Path) -> None:
    items = [{"id": n, "name": "é" * 300} for n in range(9_000)]
    rows = list(opened(tmp_path, "a.json", json.dumps(items, indent=1)))
    assert len(rows) == 9_000
    assert (rows[-1].external_id, rows[-1].line) == ("8999", 2 + 8_999 * 4)


def test_broken_json_lines_cost_themselves_only(tmp_path: Path) -> None:
    text = '{"id": 1, "name": "a"}\n{"id": 2, "na\n[1]\n"x"\n' + "[" * 99_999 + '\n{"id": 3, "name": "b"}\n'
    rows = list(opened(tmp_path, "a.ndjson", text))
    assert [row.external_id for row in rows if row.content] == ["1", "3"]
    assert [str(row.problem).split(":")[0] for row in rows if row.problem] == [
        "the line is not JSON",
        "the row is no JSON object but list",
        "the row is no JSON object but str",
        "the line is not JSON",
    ]


@pytest.mark.parametrize(("end", "why"), [(', {"id": 2, "na', "not JSON from here"), (",\n", "the file is cut")])
def test_a_cut_json_array_gives_what_it_has(tmp_path: Path, end: str, why: str) -> None:
    rows = list(opened(tmp_path, "a.json", '[{"id": 1, "name": "a"}' + end))
    assert content_of(rows[0]).name == "a"
    assert why in str(rows[1].problem)


@pytest.mark.parametrize(
    ("name", "content", "what_to_do"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b" \r\n\n", "is empty"),
        ("header.csv", b"id,name\n", "at least one row"),
        ("none.csv", b"price,url\n1,2\n", "no column holds a name.*price, url"),
        ("sheet.csv", b"PK\x03\x04 rest", "cannot be unpacked"),
        ("photo.csv", b"\xff\xd8\xff\xe0 rest", "picture"),
        ("binary.csv", bytes(range(256)) * 40, "binary"),
        ("bad.ndjson", b"{nonsense\n", "one object per line"),
        ("list.json", b"[1, 2]", "no JSON object"),
    ],
)
def test_what_is_no_catalogue_says_what_to_do(tmp_path: Path, name: str, content: bytes, what_to_do: str) -> None:
    with pytest.raises(InvalidCatalogue, match=what_to_do):
        opened(tmp_path, name, content)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match="is a folder"):
        open_catalogue(tmp_path)
    with pytest.raises(InvalidCatalogue, match="no file"):
        open_catalogue(tmp_path / "none.csv")


def test_columns_can_be_chosen(tmp_path: Path) -> None:
    text = "id,Bezeichnung,Beschreibung\n1,Tasse,rot\n"
    (row,) = opened(tmp_path, "a.csv", text, {"name": "Bezeichnung", "description": "Beschreibung"})
    assert (content_of(row).name, content_of(row).description) == ("Tasse", "rot")
    with pytest.raises(InvalidCatalogue, match="no column 'Titel'; columns are: id, Bezeichnung"):
        opened(tmp_path, "a.csv", text, {"name": "Titel"})
    with pytest.raises(InvalidCatalogue, match="no role 'titre'; roles are: id, name"):
        opened(tmp_path, "a.csv", text, {"titre": "Bezeichnung"})


def test_a_row_needs_a_name_a_description_or_an_image(tmp_path: Path) -> None:
    text = "id,name,description,image\n1,n,,\n2,,d,\n3,,,a.jpg\n4,,,http://h/a.jpg\n5, ,NaN,null\n,n,d,\n"
    rows = list(opened(tmp_path, "a.csv", text))
    assert problems_of(rows) == [None] * 4 + ["no name, description or image", "the id is empty"]


def test_a_second_row_of_the_same_id_is_rejected(tmp_path: Path) -> None:
    rows = list(opened(tmp_path, "a.csv", "id,name\n1,a\n2,b\n1,c\n1,d\n"))
    assert problems_of(rows) == [None, None, "same id as row 1", "same id as row 1"]


def test_without_ids_rows_pass_with_a_warning(tmp_path: Path) -> None:
    catalogue = opened(tmp_path, "a.csv", "name\na\na\n")
    assert [row.external_id for row in catalogue] == [None, None]
    assert "no column holds an id" in catalogue.warnings[0]


def test_an_excess_is_cut_with_a_note_and_only_an_id_too_long_rejects_its_row(tmp_path: Path) -> None:
    rows = list(
        opened(
            tmp_path,
            "a.ndjson",
            "\n".join(
                json.dumps(item)
                for item in (
                    {"id": 1, "name": "x" * MAX_NAME},
                    {"id": 2, "name": "x" * 100_000},
                    {"id": 3, "name": "x", "description": "y" * 100_001},
                    {"id": 4, "name": "x", "attributes": {str(n): "v" for n in range(201)}},
                    {"id": 5, "name": "x", "attributes": {"k": "v" * 2_001}},
                    {"id": "6" * 300, "name": "x"},
                )
            ),
        )
    )
    assert problems_of(rows) == [
        None,
        None,
        None,
        None,
        None,
        "the id has 300 characters, at most 200",
    ]
    assert [[note.code for note in row.notes] for row in rows[:5]] == [
        [],
        [ReasonCode.NAME_SHORTENED],
        [ReasonCode.DESCRIPTION_SHORTENED],
        [ReasonCode.ATTRIBUTES_LEFT_OUT],
        [ReasonCode.ATTRIBUTE_SHORTENED],
    ]
    assert len(content_of(rows[1]).name) == MAX_NAME
    assert len(content_of(rows[3]).attributes) == MAX_ATTRIBUTES


def test_nul_bytes_go_with_a_note_and_odd_scripts_stay(tmp_path: Path) -> None:
    text = "id,name,description\n1,مرحبا 🎁,be\x00fore\n"
    (row,) = opened(tmp_path, "a.csv", text)
    assert (content_of(row).name, content_of(row).description) == ("مرحبا 🎁", "before")
    assert row.notes == (Reason(ReasonCode.NUL_REMOVED),)
    (row,) = opened(tmp_path, "a.ndjson", '{"id": 1, "name": "a\\ud800b\\u0000"}')
    assert content_of(row).name == "a?b"


def test_a_few_damaged_bytes_in_utf8_are_told(tmp_path: Path) -> None:
    text = ("id,name\n" + "".join(f"{n},né\n" for n in range(40))).encode() + b"41,n\xe9\n"
    catalogue = opened(tmp_path, "a.csv", text)
    assert [content_of(row).name for row in catalogue] == ["né"] * 40 + ["n�"]
    assert catalogue.warnings == ("1 damaged characters (not UTF-8) were replaced by �",)


def test_doubled_and_empty_headers(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, "a.csv", "id,name,name,,\n1,a,b,c,\n")
    assert content_of(row).name == "a"


def test_a_large_file_is_counted_by_estimate(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,name\n" + "".join(f"{n:06},{'n' * 390}\n" for n in range(50_000)))
    assert 45_000 < open_catalogue(path).count_hint < 55_000
