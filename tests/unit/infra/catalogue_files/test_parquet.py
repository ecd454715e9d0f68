"""Parquet: every type of column, photos in the file, damage, and memory that does not grow with the file."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.listing import Content
from tests.unit.infra.catalogue_files.files import content_of


def stored(
    folder: Path,
    columns: Mapping[str, object],
    name: str = "a.parquet",
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> Path:
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, folder / name, **options)
    return folder / name


def rows_of(
    folder: Path, columns: Mapping[str, object], choices: dict[str, str] | None = None, **options: Any
) -> list[CatalogueRow]:
    return list(open_catalogue(stored(folder, columns, **options), columns=choices))


def photo(colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 9), colour).save(stream, "JPEG")
    return stream.getvalue()


def test_a_plain_table_reads_as_a_csv_would(tmp_path: Path) -> None:
    columns = {
        "sku": [1, 2, None],
        "Nom": ["Rideau, bleu", "Tasse\x00", ""],
        "Catégorie": ["Maison > Rideaux", None, "Maison"],
        "photo": ["a.jpg", "https://h/b.jpg", None],
        "Couleur": pa.array(["bleu", None, "bleu"]).dictionary_encode(),
        "Prix": [9.9, 1.0, 2.0],
        "split": ["train", "train", "val"],
    }
    path = stored(tmp_path, columns, name="catalogue.data")
    catalogue = open_catalogue(path)
    rows = list(catalogue)
    assert [row.external_id for row in rows] == ["1", "2", None], "known by its first bytes, whatever its name"
    assert rows[0].content == Content("Rideau, bleu", "", {"Couleur": "bleu"}, (), "Maison >> Rideaux")
    assert (rows[0].image_file, rows[0].split, rows[0].number) == ("a.jpg", "train", 1)
    assert rows[1].content == Content("Tasse", "", {}, ("https://h/b.jpg",), None)
    assert str(rows[2].problem) == "the id is empty"
    assert catalogue.count_hint == 3
    assert list(catalogue) == rows, "a catalogue can be read again"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array(["plain"]), "plain"),
        (pa.array(["large"], pa.large_string()), "large"),
        (pa.array(["view"], pa.string_view()), "view"),
        (pa.array([b"bytes that are text"]), "bytes that are text"),
        (pa.array([b"\xff\xfe\x00"]), None),
        (pa.array([b"\x01\xff"], pa.binary(2)), "01ff"),
        (pa.array([7], pa.int8()), "7"),
        (pa.array([2**63], pa.uint64()), str(2**63)),
        (pa.array([7.0]), "7"),
        (pa.array([0.1], pa.float32()), "0.1"),
        (pa.array([float("nan")]), None),
        (pa.array([True]), "True"),
        (pa.array([decimal.Decimal("12.50")]), "12.50"),
        (pa.array([decimal.Decimal("0.0000001")]), "0.0000001"),
        (pa.array([datetime.date(2024, 2, 29)]), "2024-02-29"),
        (pa.array([datetime.time(9, 30)]), "09:30:00"),
        (pa.array([datetime.datetime(2024, 2, 29, 12)]), "2024-02-29 12:00:00"),
        (pa.array([datetime.datetime(2024, 2, 29, 12)], pa.timestamp("us", "UTC")), "2024-02-29 12:00:00+00:00"),
        (pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")), "2023-11-14 22:13:20.000000001"),
        (pa.array([10**15], pa.timestamp("s")), None),
        (pa.array([0], pa.timestamp("us", "Nowhere/City")), None),
        (pa.array([b"caf\xe9 [", None], pa.binary()).view(pa.string()).slice(0, 1), "caf\ufffd ["),
        (pa.array(["x", "y"]).dictionary_encode().slice(1), "y"),
        (pa.array([["a", None, "b"]]), "a, b"),
        (pa.array([[["a"], ["b", "c"]]]), "a, b, c"),
        (pa.array([["a", "b"]], pa.list_(pa.string(), 2)), "a, b"),
        (pa.array([None], pa.null()), None),
        (pa.array([[]], pa.list_(pa.string())), None),
    ],
)
def test_any_type_becomes_an_attribute_or_is_none(tmp_path: Path, column: pa.Array, text: str | None) -> None:
    (row,) = rows_of(tmp_path, {"name": ["n"], "size": column})
    assert content_of(row).attributes == ({} if text is None else {"size": text})


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{"Brand": "X", "Width": 3.5, "Fit": None, "Parts": ["a", "b"], "Box": {"w": 1, "h": 2}}]),
        pa.array(
            [[("Brand", "X"), ("Width", "3.5"), ("Fit", None), ("Parts", "a, b"), ("Box", "w: 1, h: 2")]],
            pa.map_(pa.string(), pa.string()),
        ),
        pa.array([[{"key": k, "value": v} for k, v in
                   [("Brand", "X"), ("Width", "3.5"), ("Fit", None), ("Parts", "a, b"), ("Box", "w: 1, h: 2")]]]),
        pa.array([json.dumps({"Brand": "X", "Width": 3.5, "Fit": None, "Parts": ["a", "b"], "Box": {"w": 1, "h": 2}})]),
    ],
    ids=["struct", "map", "list of keys and values", "JSON"],
)  # fmt: skip
@pytest.mark.parametrize("choices", [None, {"attributes": "attributes"}])
def test_nested_columns_become_attributes(tmp_path: Path, column: pa.Array, choices: dict[str, str] | None) -> None:
    (row,) = rows_of(tmp_path, {"id": [1], "name": ["n"], "attributes": column}, choices)
    assert content_of(row).attributes == {"Brand": "X", "Width": "3.5", "Parts": "a, b", "Box": "w: 1, h: 2"}


def test_lists_become_texts_paths_and_addresses(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "name": [["A", "mug"], None],
        "description": [["First.", "Second."], ["x"]],
        "category": [["Kitchen", "Mugs"], None],
        "images": [["https://h/a.jpg", "https://h/b.jpg"], ["c.jpg"]],
    }
    one, two = rows_of(tmp_path, columns)
    assert one.content == Content(
        "A mug", "First.\nSecond.", {}, ("https://h/a.jpg", "https://h/b.jpg"), "Kitchen >> Mugs"
    )
    assert two.image_file == "c.jpg"
    (row,) = rows_of(tmp_path, {"name": ["n"], "category": pa.array([[["A", "B"], ["C"]]])})
    assert content_of(row).seller_category == "A >> B"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([{"bytes": photo(), "path": "a.jpg"}]), photo()),
        (pa.array([[{"bytes": photo(), "path": "a.jpg"}, {"bytes": b"x", "path": None}]]), photo()),
        (pa.array([photo()]), photo()),
        (pa.array([[photo("blue"), photo()]]), photo("blue")),
        (pa.array([photo()], pa.large_binary()), photo()),
        (pa.array([{"bytes": None, "path": "a.jpg"}]), None),
        (pa.array([{"bytes": b"", "path": "folder/a.jpg"}]), None),
        (pa.array([b"a.jpg"]), None),
    ],
)
def test_photos_that_lie_in_the_file(tmp_path: Path, column: pa.Array, expected: bytes | None) -> None:
    (row,) = rows_of(tmp_path, {"image": column})
    assert row.photo == expected
    assert expected or (row.image_file or "").endswith("a.jpg")


def test_a_data_set_of_photos_and_classes_needs_no_option(tmp_path: Path) -> None:
    features = {"picture": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["Bags > Totes", "Shoes"]}}
    columns = {
        "picture": pa.array([{"bytes": photo(), "path": None}, {"bytes": photo("blue"), "path": None}] * 2),
        "label": [0, 1, -1, 7],
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    catalogue = open_catalogue(stored(tmp_path, columns, metadata=metadata))
    assert catalogue.columns == {"category": "label", "image": "picture"}
    assert [content_of(row).seller_category for row in catalogue] == ["Bags >> Totes", "Shoes", None, None]
    (*_, told) = open_catalogue(
        stored(tmp_path, columns, metadata={"huggingface": "{cut"}), columns={"image": "picture"}
    )
    assert (content_of(told).name, told.photo) == ("7", photo("blue"))


def test_columns_of_the_same_name_and_with_dots(tmp_path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["1"]), pa.array(["first"]), pa.array(["second"]), pa.array(["red"]), pa.array([0])],
        names=["id", "name", "name", "x.y", "__index_level_0__"],
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (row,) = open_catalogue(tmp_path / "a.parquet", columns={"attributes": "*"})
    assert row.content == Content("first", "", {"name (2)": "second", "x.y": "red"})
    pq.write_table(table.select([0, 3]).append_column("title", pa.array(["t"])), tmp_path / "b.parquet")
    (row,) = open_catalogue(tmp_path / "b.parquet", columns={"attributes": "x.y"})
    assert row.content == Content("t", "", {"x.y": "red"})


@pytest.mark.parametrize("after", [0, 1, 99, 100, 250, 299, 300])
def test_reading_goes_on_after_any_row(tmp_path: Path, after: int) -> None:
    ids = [str(n % 290) for n in range(300)]
    catalogue = open_catalogue(stored(tmp_path, {"id": ids, "name": ids}, row_group_size=100))
    rows = list(catalogue)
    assert sum(row.problem is not None for row in rows) == 10
    known = [(row.known_id, row.number) for row in rows[:after] if row.content]
    assert list(catalogue.rows(after, known)) == rows[after:]


def damage(path: Path, column: int, group: int) -> None:
    """Overwrite the data of one column of one row group."""
    place = pq.ParquetFile(path).metadata.row_group(group).column(column)
    content = bytearray(path.read_bytes())
    start = place.dictionary_page_offset or place.data_page_offset
    content[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    path.write_bytes(content)


def test_a_damaged_row_group_costs_its_rows_only(tmp_path: Path) -> None:
    ids = [f"id-{n}" for n in range(300)]
    path = stored(tmp_path, {"id": ids, "name": ids, "price": ids}, row_group_size=100)
    damage(path, 2, 0)
    assert all(row.content for row in open_catalogue(path)), "a column that nobody reads may be damaged"
    damage(path, 1, 1)
    rows = list(open_catalogue(path))
    assert [row.number for row in rows] == list(range(1, 301))
    assert [row.external_id for row in rows if row.content] == ids[:100] + ids[200:]
    assert all(str(row.problem).startswith("row group 2 of 3 is damaged") for row in rows[100:200])
    for group in (0, 2):
        damage(path, 1, group)
    with pytest.raises(InvalidCatalogue, match=r"no row of .* can be read: row group 1 of 3 is damaged"):
        open_catalogue(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content[:-4], "whose end is missing"),
        (lambda content: content[: len(content) // 2], "whose end is missing: it was cut; copy it again"),
        (lambda content: content[:6], "whose end is missing"),
        (lambda content: content[:-40] + b"\xff" * 32 + content[-8:], "is a damaged Parquet file"),
        (lambda content: content[:-8] + b"\xff\xff\xff\x7fPAR1", "is a damaged Parquet file"),
        (lambda _: b"id,name\n1,a\n", "is no Parquet file, though it is named like one"),
        (lambda _: b"x", "is no Parquet file"),
        (lambda content: content[:-4] + b"PARE", "is encrypted"),
        (lambda _: b"", "is empty"),
    ],
)
def test_a_file_that_is_cut_or_damaged_is_told_in_one_sentence(
    tmp_path: Path, change: Callable[[bytes], bytes], told: str
) -> None:
    path = stored(tmp_path, {"id": ["1"], "name": ["n" * 500]})
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InvalidCatalogue, match=told):
        open_catalogue(path)


def test_a_table_without_rows_or_usable_columns(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match="no row"):
        open_catalogue(stored(tmp_path, {"name": pa.array([], pa.string())}))
    with pytest.raises(InvalidCatalogue, match=r"no column holds a name.*columns are: price, x"):
        open_catalogue(stored(tmp_path, {"price": [1], "x": [1]}))


def test_memory_does_not_grow_with_the_row_group(tmp_path: Path) -> None:
    weight = 100_000
    photos = [os.urandom(weight) for _ in range(8)] * 60
    path = stored(tmp_path, {"id": range(480), "image": photos}, write_batch_size=8, use_dictionary=False)
    del photos
    assert path.stat().st_size > 480 * weight
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for row in open_catalogue(path) if len(row.photo or b"") == weight)
    assert most < 120 * weight


def test_pyarrow_is_loaded_for_parquet_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    code = (
        "import sys; from pathlib import Path; from infra.catalogue_files.catalogue import open_catalogue; "
        f"list(open_catalogue(Path({str(tmp_path / 'a.csv')!r}))); sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("seed", range(40))
def test_no_damage_ends_in_anything_but_a_sentence_or_rejected_rows(tmp_path: Path, seed: int) -> None:
    columns = {
        "id": [f"i{n}" for n in range(60)],
        "name": [f"name {n}" for n in range(60)],
        "brand": pa.array(["a", "b"] * 30).dictionary_encode(),
        "material": [{"upper": "leather", "parts": ["x", "y"]}] * 60,
        "size": pa.array([[("a", 1)]] * 60, pa.map_(pa.string(), pa.int64())),
        "image": [{"bytes": photo(), "path": f"{n}.jpg"} for n in range(60)],
    }
    path = stored(tmp_path, columns, row_group_size=20)
    content, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(chance.choice([1, 3, 30])):
        content[chance.randrange(4, len(content) - 8)] = chance.randrange(256)
    path.write_bytes(content)
    with suppress(InvalidCatalogue):  # anything else would be a traceback
        rows = list(open_catalogue(path))
        assert [row.number for row in rows] == list(range(1, 61))
