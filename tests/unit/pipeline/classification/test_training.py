"""A whole training and evaluation on a small catalogue: answers, saved models, refusals."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.classification.evaluation import evaluate, evaluate_split
from pipeline.classification.metrics import ClassificationFigures, NoFigures
from pipeline.classification.trained_model import ModelAnswer, TrainedModel
from pipeline.classification.training import TrainingResult, fingerprint, train
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.errors import BadArtefact, InvalidInput, Unavailable
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Modality, Prediction
from pipeline.domain.training import TrainingOptions
from tests.unit.pipeline.classification.catalogues import KINDS, catalogue, photo

LEVEL_2 = TrainingOptions(level=2)


def accuracy(figures: ClassificationFigures | NoFigures) -> float:
    assert isinstance(figures, ClassificationFigures)
    return figures.accuracy.mean


def count(figures: ClassificationFigures | NoFigures) -> int:
    return figures.n if isinstance(figures, ClassificationFigures) else 0


def fused(answer: ModelAnswer) -> Prediction:
    assert answer.fused is not None
    return answer.fused


@pytest.fixture(scope="module")
def trained() -> TrainingResult:
    return train(catalogue(), LEVEL_2)


def test_it_learns_both_modalities_and_reports_held_out_figures(trained: TrainingResult) -> None:
    model, report = trained.model, trained.report
    assert model.categories == tuple(sorted(KINDS))
    assert report.listings == 42
    for figures in (report.figures.text, report.figures.image, report.figures.fused):
        assert accuracy(figures) > 0.9
    (answer,) = model.answer([Evidence("Steel watch with dial", photo=photo("cross", 99))])
    assert fused(answer).best.category == "Wear >> Watches"
    assert [each and each.modality for each in (answer.text, answer.image, answer.fused)] == [*Modality]
    assert sum(each.probability for each in fused(answer).ranked) == pytest.approx(1, abs=1e-4)
    assert set(answer.seconds) == {"decode", "text", "image", "fuse"}
    for name in ("tfidf", "fisher"):
        assert answer.embeddings[name].shape == (128,)
        assert np.linalg.norm(answer.embeddings[name]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("evidence", "image_problem", "reason"),
    [
        (Evidence("Steel watch with dial"), None, "decided on text alone: no photo"),
        (Evidence("Steel watch dial", photo=b""), "0 bytes", "text alone: the photo could not be read: .*0 bytes"),
        (Evidence("Steel watch", photo=b"<html>404"), "web page", "text alone: the photo could not be read"),
        (Evidence("", photo=photo("cross", 7)), None, "decided on the photo alone: no text"),
        (Evidence("0815", photo=photo("cross", 7)), None, "photo alone: no word of the text is known"),
    ],
)
def test_half_the_evidence_gives_an_answer_with_its_problem(
    trained: TrainingResult, evidence: Evidence, image_problem: str | None, reason: str
) -> None:
    (answer,) = trained.model.answer([evidence])
    assert fused(answer).best.category == "Wear >> Watches"
    assert fused(answer).modality is Modality.FUSED
    if image_problem is None:
        assert answer.image_problem is None
    else:
        assert image_problem in str(answer.image_problem)
    assert re.search(reason, str(answer.decision.reason))


@pytest.mark.parametrize("evidence", [Evidence(""), Evidence("🧴 12 !", photo=b"junk"), Evidence(" \0 ")])
def test_without_any_usable_evidence_it_abstains(trained: TrainingResult, evidence: Evidence) -> None:
    (answer,) = trained.model.answer([evidence])
    assert answer.decision.status is DecisionStatus.ABSTAINED
    assert (answer.text, answer.image, answer.fused, answer.embeddings) == (None, None, None, {})


def test_a_saved_model_gives_identical_answers_without_any_pickle(trained: TrainingResult) -> None:
    files = trained.model.files()
    again = TrainedModel.from_files(files)
    evidences = [example.evidence for example in catalogue(3, seed=5)] + [Evidence("lamp")]
    for one, other in zip(trained.model.answer(evidences), again.answer(evidences), strict=True):
        assert (one.text, one.image, one.fused, one.decision) == (other.text, other.image, other.fused, other.decision)
        assert all(np.array_equal(vector, other.embeddings[name]) for name, vector in one.embeddings.items())
    assert again.files() == files
    for name, content in files.items():
        if name.endswith(".json"):
            json.loads(content)
        else:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                assert all(not arrays[key].dtype.hasobject for key in arrays.files)


def test_damaged_or_missing_files_are_bad_artefacts(trained: TrainingResult) -> None:
    files = trained.model.files()
    for name, content in files.items():
        with pytest.raises(BadArtefact):
            TrainedModel.from_files({**files, name: content[: len(content) // 2]})
        with pytest.raises(BadArtefact):
            TrainedModel.from_files({key: value for key, value in files.items() if key != name})


def test_the_same_seed_gives_the_same_model(trained: TrainingResult) -> None:
    again = train(list(catalogue()), LEVEL_2)
    assert again.model.files() == trained.model.files()
    assert {**again.report.as_json(), "seconds": 0} == {**trained.report.as_json(), "seconds": 0}


def test_a_serving_process_imports_neither_tensorflow_nor_sklearn(trained: TrainingResult, tmp_path: Path) -> None:
    for name, content in trained.model.files().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "photo.png").write_bytes(photo("circles", 3))
    code = f"""
import sys, pathlib
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.listing import Evidence
files = {{p.name: p.read_bytes() for p in pathlib.Path({str(tmp_path)!r}).iterdir()}}
photo = files.pop("photo.png")
print(TrainedModel.from_files(files).answer([Evidence("desk lamp", photo=photo)])[0].fused.best.category)
print([name for name in ("tensorflow", "keras", "sklearn", "openvino") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["Home >> Lamps", "[]"]


@pytest.mark.parametrize("modality", [Modality.TEXT, Modality.IMAGE])
def test_a_catalogue_of_one_modality_is_enough(modality: Modality) -> None:
    texts = modality is Modality.TEXT
    result = train(catalogue(8, texts=texts, photos=not texts), LEVEL_2)
    model, figures = result.model, result.report.figures
    assert (model.text is not None, model.image is not None) == (texts, not texts)
    missing = figures.image if texts else figures.text
    assert isinstance(missing, NoFigures)
    assert "no listing" in missing.reason
    assert accuracy(figures.fused) > 0.8
    (answer,) = model.answer([Evidence("Steel watch dial", photo=photo("cross", 50))])
    assert str(answer.decision.reason).endswith(
        "this model looks at text only" if texts else "this model looks at photos only"
    )
    assert TrainedModel.from_files(model.files()).answer([Evidence("lamp light")])[0].decision.status in DecisionStatus


def test_a_category_of_one_listing_is_learned_and_never_assigned() -> None:
    rare = [Example("1", Evidence("Garden spade"), "Garden >> Spades")]
    pair = [Example(str(n), Evidence(f"Shoe leather nr {'ab'[n]}"), "Wear >> Shoes") for n in range(2)]
    result = train([*catalogue(6), *rare, *pair], LEVEL_2)
    assert {"Garden >> Spades", "Wear >> Shoes"} <= set(result.model.categories)
    assert result.report.thresholds.of("Garden >> Spades") > 1


def test_names_of_categories_that_are_nearly_equal_are_reported_even_of_one_listing() -> None:
    typo = Example("1", Evidence("velvet curtain rings"), "Home >> Curtians")
    assert train([*catalogue(6), typo], LEVEL_2).report.as_json()["similar_categories"] == [
        {"rare": "Home >> Curtians", "frequent": "Home >> Curtains", "rare_count": 1, "frequent_count": 6}
    ]


def test_twenty_listings_are_enough_to_train_on() -> None:
    result = train(catalogue(7)[:20], LEVEL_2)
    assert result.report.listings == 20
    assert fused(result.model.answer([Evidence("curtain rings")])[0]).best.category == "Home >> Curtains"


@pytest.mark.parametrize(
    ("examples", "level", "reason"),
    [
        ([], None, "no labelled listings"),
        (catalogue(5)[:5], None, "all labelled listings are of one category"),
        (catalogue(5, texts=False, photos=False), 2, "neither texts nor photos"),
        (catalogue(5), 0, "starts at 1"),
    ],
)
def test_too_little_to_learn_from_is_refused_with_the_reason(
    examples: list[Example], level: int | None, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        train(examples, TrainingOptions(level=level))


def test_absent_weights_are_unavailable() -> None:
    with pytest.raises(Unavailable, match="vgg16 has no weights here"):
        train(catalogue(5), TrainingOptions(level=2, image_extractors=("vgg16",)))


def test_an_unreadable_photo_rejects_no_listing() -> None:
    broken = [
        Example(f"b{n}", Evidence("lamp light bulb", photo=b"not a photo %d" % n), "Home >> Lamps") for n in range(5)
    ]
    figures = train([*catalogue(8), *broken], LEVEL_2).report.figures
    assert [count(each) for each in (figures.text, figures.image, figures.fused)] == [29, 24, 29]


def test_progress_grows_to_one() -> None:
    steps: list[tuple[float, str]] = []
    train(catalogue(6), LEVEL_2, progress=lambda share, note: steps.append((share, note)))
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(note for _, note in steps)


def test_cross_validation_answers_every_listing_once() -> None:
    report = evaluate(catalogue(10), LEVEL_2, folds=3)
    figures = report.figures.fused
    assert isinstance(figures, ClassificationFigures)
    assert figures.accuracy.low <= figures.accuracy.mean <= figures.accuracy.high
    assert figures.n == 30
    assert figures.accuracy.mean > 0.9
    assert report.setting.categories == tuple(sorted(KINDS))


def test_on_a_given_split_unknown_categories_count_as_wrong() -> None:
    unknown = [Example("s", Evidence("Garden spade of steel"), "Garden >> Spades")]
    figures = evaluate_split(catalogue(10), [*catalogue(4, seed=3), *unknown], LEVEL_2).figures.fused
    assert isinstance(figures, ClassificationFigures)
    assert figures.n == 13
    assert figures.per_category["Garden >> Spades"].recall == 0


@pytest.mark.parametrize(("folds", "listings"), [(1, 30), (5, 6)])
def test_impossible_folds_are_refused(folds: int, listings: int) -> None:
    with pytest.raises(InvalidInput, match="folds"):
        evaluate(catalogue(10)[:listings], LEVEL_2, folds=folds)


def test_the_fingerprint_ignores_order_only() -> None:
    examples = catalogue(2)
    assert fingerprint(examples) == fingerprint(examples[::-1])
    assert fingerprint(examples) != fingerprint(examples[1:])
