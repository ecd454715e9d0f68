"""The real catalogues beside the checkout, with no option given."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.photo_folder import PhotoFolder
from tests.unit.infra.catalogue_files.files import content_of

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the shared catalogues are not beside the checkout"),
]


@pytest.mark.parametrize(
    ("name", "usable", "photos", "levels", "top"),
    [
        ("flipkart", 839, 836, {2, 3, 4, 5, 6}, 7),
        ("grocery", 2936, 2936, {3}, 3),
        ("clothing", 3409, 3409, {2}, 1),
    ],
)
def test_every_row_is_usable(name: str, usable: int, photos: int, levels: set[int], top: int) -> None:
    catalogue = open_catalogue(SHARED / name / "listings.csv")
    folder = PhotoFolder(SHARED / name / "images")
    rows = list(catalogue)
    assert [row.problem for row in rows if row.problem] == []
    assert len(rows) == catalogue.count_hint == len({row.external_id for row in rows}) == usable
    assert sum(folder.find(row.image_file) is not None for row in rows) == photos
    paths = [(content_of(row).seller_category or "").split(" >> ") for row in rows]
    assert {len(path) for path in paths} <= levels
    assert len({path[0] for path in paths}) == top
    assert catalogue.warnings == ()


def test_the_specifications_become_attributes() -> None:
    rows = list(open_catalogue(SHARED / "flipkart" / "listings.csv"))
    assert content_of(rows[0]).attributes["Material"] == "Polyester"
    assert not any(
        "price" in key.lower() for row in rows for key in content_of(row).attributes if "tag" not in key.lower()
    )
    assert sum(len(content_of(row).attributes) > 1 for row in rows) > 800


def test_splits_are_kept() -> None:
    splits = Counter(row.split for row in open_catalogue(SHARED / "grocery" / "listings.csv"))
    assert set(splits) == {"train", "val"}


def test_a_file_whose_quoting_broke() -> None:
    rows = list(open_catalogue(SHARED / "edge" / "damaged.csv"))
    good = [row for row in rows if row.content]
    assert (len(good), len(rows)) == (107, 132)
    assert all(len(row.external_id or "") == 32 for row in good)
    assert all(row.problem and row.content is None for row in rows if row not in good)
    with (SHARED / "edge" / "damaged.csv").open(newline="", encoding="utf-8") as stream:
        names = {line[0]: line[3] for line in csv.reader(stream) if len(line) == 15}
    assert {row.external_id: content_of(row).name for row in good}.items() <= {
        key: " ".join(name.split()) for key, name in names.items()
    }.items()


def test_the_same_listings_as_parquet_are_the_same_listings(tmp_path: Path) -> None:
    file, images = SHARED / "flipkart" / "listings.csv", SHARED / "flipkart" / "images"
    with file.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    photos = [images / line.pop("image") for line in lines]
    columns = {name: [line[name] or None for line in lines] for name in lines[0]}
    cells = [{"bytes": path.read_bytes() if path.is_file() else None, "path": path.name} for path in photos]
    pq.write_table(pa.table(columns | {"image": cells}), tmp_path / "listings.parquet", row_group_size=100)
    rows = list(open_catalogue(tmp_path / "listings.parquet"))
    assert [(row.external_id, row.content) for row in rows] == [
        (row.external_id, row.content) for row in open_catalogue(file)
    ]
    assert [row.photo for row in rows] == [cell["bytes"] for cell in cells]
    assert sum(row.photo is None for row in rows) == 3
