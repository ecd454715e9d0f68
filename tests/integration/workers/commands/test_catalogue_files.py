"""Parquet with the photos in it, and columns that are named, in the commands that read catalogue files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.sample.generator import write_catalogue
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """The sample catalogue under other names, its photos in the file, as data sets have them."""
    file = write_catalogue(tmp_path / "shop", 60, seed=3)
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    image_column = next(column for column in rows[0] if "image" in column or "photo" in column)
    photos = []
    for row in rows:
        photo = file.parent / "images" / row.pop(image_column)
        photos.append({"bytes": photo.read_bytes(), "path": photo.name} if photo.is_file() else None)
    columns = {f"the {column}": [row[column] for row in rows] for column in rows[0]}
    table = pa.table(columns | {"look": pa.array(photos)})
    pq.write_table(table, tmp_path / "shop.parquet", row_group_size=16)
    return tmp_path / "shop.parquet"


def choices(parquet: Path) -> str:
    names = {name.removeprefix("the "): name for name in pq.read_schema(parquet).names}
    roles = {"id": ("id", "sku", "external_id"), "name": ("name", "title"), "description": ("description",)}
    roles["category"] = ("category",)
    pairs = [f"{role}={next(names[n] for n in given if n in names)}" for role, given in roles.items()]
    return ",".join([*pairs, "attributes=*"])


def test_photos_that_lie_in_the_file_become_the_listings_photos(rayon: Run, bench: Bench, parquet: Path) -> None:
    words = ("import", str(parquet), "--columns", choices(parquet), "--source", "shop", "--json")
    dry = rayon(*words, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    first = rayon(*words)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["rows"], told["new"]) == (60, 60)
    photos = sum(cell is not None for cell in pq.read_table(parquet)["look"].to_pylist())
    assert bench.value("SELECT count(*) FROM images WHERE reference LIKE 'images/%'") == photos
    assert told["without_photo"] == 60 - photos == bench.value("SELECT without_photo FROM imports")
    assert bench.value("SELECT count(*) FROM revisions WHERE seller_category IS NULL") == 0
    for (reference,) in bench.rows("SELECT DISTINCT reference FROM images LIMIT 3"):
        assert bench.context.storage.stat(reference) is not None
    assert json.loads(rayon(*words).stdout)["unchanged"] == 60


def test_evaluate_takes_the_same_file_and_choices(rayon: Run, parquet: Path) -> None:
    options = ("--folds", "2", "--level", "1", "--image-extractor", "fisher", "--json")
    done = rayon("evaluate", str(parquet), "--columns", choices(parquet), *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["text"]["n"] > 50
    assert figures["image"]["n"] > 40


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("name=Titel", "there is no column 'Titel'; columns are: the "),
        (
            "titel=look",
            "there is no role 'titel'; roles are: id, name, description, category, image, attributes, split",
        ),
        ("look", "'look' is not ROLE=COLUMN"),
    ],
)
@pytest.mark.parametrize("command", [("import",), ("evaluate", "--folds", "2")])
def test_a_wrong_choice_is_told_in_one_sentence(
    rayon: Run, parquet: Path, command: tuple[str, ...], columns: str, told: str
) -> None:
    done = rayon(command[0], str(parquet), *command[1:], "--columns", columns)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [("import",), ("evaluate", "--folds", "2")])
def test_a_cut_file_is_told_in_one_sentence(rayon: Run, parquet: Path, command: tuple[str, ...]) -> None:
    parquet.write_bytes(parquet.read_bytes()[:-100])
    done = rayon(command[0], str(parquet), *command[1:])
    assert done.returncode == 2
    assert "was cut; copy it again" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_source_keeps_its_notation_for_later_imports(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text('id,name,category\n1,Soap,"Home/Bath, Body"\n2,Mug,Home/Kitchen;Gifts\n')

    def categories() -> list[str]:
        query = "SELECT seller_category FROM revisions r JOIN listings l ON l.current_revision_id = r.id ORDER BY l.id"
        return [category for (category,) in bench.rows(query)]

    words = ("import", str(file), "--source", "corner shop")
    assert rayon(*words, "--category-separator", "/", "--category-list-separator", ";").returncode == 0
    assert categories() == ["Home >> Bath, Body", "Home >> Kitchen"]
    told = rayon("sources", "notation", "corner shop", "--category-separator", "/", "--category-list-separator", ";")
    assert told.returncode == 0, told.stderr
    assert "separated by '/', several categories by ';'" in told.stdout
    assert json.loads(rayon(*words, "--json").stdout)["unchanged"] == 2
    assert rayon("sources", "notation", "corner shop", "--category", "first").returncode == 0
    (listed,) = (each for each in json.loads(rayon("sources", "list", "--json").stdout) if "corner" in each["name"])
    assert listed["category_notation"] == {"separator": "/", "list_separator": ";", "choice": "first"}
    assert rayon("sources", "notation", "corner shop", "--recognised").returncode == 0
    assert "corner shop  taxonomy corner shop  categories are recognised" in rayon("sources", "list").stdout
    refused = rayon("sources", "notation", "no such shop", "--category-separator", "/")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no source 'no such shop'" in refused.stderr
