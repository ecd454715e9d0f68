"""Sets of photo extractors compared by command, and the extractors of a training that names none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.sample.generator import write_catalogue
from infra.store.trainings import find_training
from pipeline.domain.study import study_key
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench
from workers.long_job_handlers import extractors_to_use


def test_sets_of_photo_extractors_are_compared_and_the_chosen_one_is_trained(
    rayon: Run, bench: Bench, tmp_path: Path
) -> None:
    catalogue = write_catalogue(tmp_path / "shop", 24, seed=9)
    words = ("--images", str(catalogue.parent / "images"), "--source", "shop", "--taxonomy", "shop")
    assert rayon("import", str(catalogue), *words).returncode == 0
    options = ("--level", "1", "--images", "--choose", "fastest", "--here", "--no-wait", "--json")
    done = rayon("train", "--taxonomy", "shop", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    tried = {tuple(each["extractors"]): each for each in report["tried"]}
    assert set(tried) == {("fisher",), ("efficientnet",), ("fisher", "efficientnet")}
    fastest = min(tried, key=lambda extractors: tried[extractors]["milliseconds"])
    assert report["image_extractors"] == list(fastest)
    for each in tried.values():
        assert each["accuracy"]["low"] <= each["accuracy"]["mean"] <= each["accuracy"]["high"]
        assert each["milliseconds"] > 0
    assert bench.value("SELECT count(*) FROM model_versions") == 1
    with bench.context.engine.connect() as connection:
        training = find_training(connection, bench.value("SELECT id FROM jobs WHERE kind = 'train'"))
    assert training is not None
    assert (training.model_id, training.state) == (report["id"], "done")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--images", "--choose", "cheapest"), "fastest, best, or a number"),
        (("--images", "--image-extractor", "fisher"), "leave out --image-extractor"),
        (("--image-extractor", "telepathy"), "supported: bag_of_words"),
        (("--image-extractor", "tfidf"), "photos are read by: sift"),
        (("--image-extractor", "fisher", "--image-extractor", "vgg16"), "rayon models fetch vgg16"),
    ],
)
def test_an_invalid_choice_is_refused_before_anything_starts(rayon: Run, words: tuple[str, ...], message: str) -> None:
    done = rayon("train", *words)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_the_settings_come_before_the_default_extractors_and_the_best_of_the_latest_study(bench: Bench) -> None:
    context, taxonomy = bench.context, bench.source.taxonomy_id
    assert extractors_to_use(context, taxonomy) == ("fisher", "efficientnet")
    insert = (
        "INSERT INTO studies (taxonomy_id, plan, status, verdict, ended_at) "
        "VALUES (%s, '{}', 'done', 'feasible', now()) RETURNING id"
    )
    with context.engine.begin() as connection:
        study = connection.exec_driver_sql(insert, (taxonomy,)).scalar_one()
    assert extractors_to_use(context, taxonomy) == ("fisher", "efficientnet")
    rows = [{"extractor": name, "modality": "image", "accuracy": {"mean": mean}} for name, mean in FOUND]
    context.storage.put(study_key(study, "report.json"), json.dumps({"supervised": rows}).encode())
    assert extractors_to_use(context, taxonomy) == ("fisher", "efficientnet", "sift")
    settings = context.settings.model_copy(update={"photo_extractors": " Fisher, sift"})
    assert settings.photo_extractors_wanted() == ("fisher", "sift")


FOUND = [("fisher", 0.6), ("sift", 0.7), ("squeezenet", 0.8)]  # the last one's weights are not installed
