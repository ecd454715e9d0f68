"""Taxonomies by command: imported from a file, tried first, listed, shown and searched."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench


def test_a_file_is_tried_imported_listed_and_shown(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("path;synonyms;name_fr;id\nHome > Curtains;drapes;Rideaux;1\nToys;;;2\n", encoding="utf-8")
    tried = rayon("taxonomies", "import", str(file), "--dry-run")
    assert "add  Home >> Curtains" in tried.stdout
    assert "shop: would be 3 added" in tried.stdout
    assert bench.rows("SELECT name FROM taxonomies WHERE name = 'shop'") == []
    assert "shop: 3 added, 0 unchanged" in rayon("taxonomies", "import", str(file)).stdout
    assert "nothing changes" in rayon("taxonomies", "import", str(file)).stdout
    file.write_text("path;id\nHouse > Curtains;1\n", encoding="utf-8")
    report = json.loads(rayon("taxonomies", "import", str(file), "--json").stdout)
    assert report["renamed"] == {"Home >> Curtains": "House >> Curtains"}
    listed = json.loads(rayon("taxonomies", "list", "--json").stdout)
    assert [(each["name"], each["categories"]) for each in listed if each["name"] == "shop"] == [("shop", 4)]
    assert rayon("taxonomies", "show", "shop").stdout.splitlines() == [
        "Home",
        "House",
        "  Curtains (drapes, Rideaux)",
        "Toys",
    ]
    assert rayon("taxonomies", "show", "shop", "--search", "drap").stdout == "House > Curtains (drapes, Rideaux)\n"
    assert "shop" in rayon("taxonomies", "list").stdout


def test_what_is_no_taxonomy_ends_with_a_sentence(rayon: Run, tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"
    file.write_text("[1, 2]", encoding="utf-8")
    refused = rayon("taxonomies", "import", str(file))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"rayon: {file}: no category can be read")
    assert rayon("taxonomies", "import", str(tmp_path / "none.csv")).stderr.startswith("rayon: there is no file")
    assert "there is no taxonomy 'none'" in rayon("taxonomies", "show", "none").stderr


def test_a_category_is_retired_and_restored(rayon: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("path\nHome > Curtains\nHome > Mugs\nToys\n", encoding="utf-8")
    rayon("taxonomies", "import", str(file))
    assert rayon("taxonomies", "retire", "shop", "Home > Curtains").stdout == "1 categories are retired\n"
    assert "Curtains" not in rayon("taxonomies", "show", "shop").stdout
    refused = rayon("taxonomies", "retire", "shop", "Home > Curtains")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is retired already" in refused.stderr
    assert json.loads(rayon("taxonomies", "retire", "shop", "Home", "--restore", "--json").stdout)["restored"] == 1
    assert "Curtains" in rayon("taxonomies", "show", "shop").stdout
