import io
import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.classification.evaluation import evaluate, evaluate_split
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import fingerprint, train
from pipeline.domain.errors import BadArtefact, InvalidInput, Unavailable
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import DecisionStatus, Modality
from tests.unit.pipeline.classification.catalogues import KINDS, catalogue, photo


@pytest.fixture(scope="module")
def trained():
    return train(catalogue(), level=2)


def test_it_learns_both_modalities_and_reports_held_out_figures(trained):
    model, metrics = trained
    assert model.categories == tuple(sorted(KINDS))
    assert metrics["listings"] == 42
    for modality in ("text", "image", "fused"):
        assert metrics[modality]["accuracy"] > 0.9
    (answer,) = model.answer([Evidence("Steel watch with dial", photo=photo("cross", 99))])
    assert answer.fused.best.category == "Wear >> Watches"
    assert [p.modality for p in (answer.text, answer.image, answer.fused)] == [*Modality]
    assert sum(each.probability for each in answer.fused.ranked) == pytest.approx(1, abs=1e-4)
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
        (Evidence("xqzt", photo=photo("cross", 7)), None, "photo alone: no word of the text is known"),
    ],
)
def test_half_the_evidence_gives_an_answer_that_says_so(trained, evidence, image_problem, reason):
    (answer,) = trained[0].answer([evidence])
    assert answer.fused.best.category == "Wear >> Watches"
    assert answer.fused.modality is Modality.FUSED
    assert (answer.image_problem is None) == (image_problem is None)
    assert image_problem is None or image_problem in str(answer.image_problem)
    import re

    assert re.search(reason, str(answer.decision.reason))


@pytest.mark.parametrize("evidence", [Evidence(""), Evidence("🧴 12 !", photo=b"junk"), Evidence(" \0 ")])
def test_without_any_usable_evidence_it_abstains(trained, evidence):
    (answer,) = trained[0].answer([evidence])
    assert answer.decision.status is DecisionStatus.ABSTAINED
    assert (answer.text, answer.image, answer.fused, answer.embeddings) == (None, None, None, {})


def test_saved_and_loaded_it_gives_identical_answers_without_any_pickle(trained):
    model, _ = trained
    files = model.files()
    again = TrainedModel.from_files(files)
    evidences = [example.evidence for example in catalogue(3, seed=5)] + [Evidence("lamp")]
    for one, other in zip(model.answer(evidences), again.answer(evidences), strict=True):
        assert (one.text, one.image, one.fused, one.decision) == (other.text, other.image, other.fused, other.decision)
        assert all(np.array_equal(vector, other.embeddings[name]) for name, vector in one.embeddings.items())
    assert again.files() == files
    for name, content in files.items():
        if name.endswith(".json"):
            json.loads(content)
        else:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                assert all(not arrays[key].dtype.hasobject for key in arrays.files)


def test_damaged_or_missing_files_are_bad_artefacts(trained):
    files = trained[0].files()
    for name, content in files.items():
        with pytest.raises(BadArtefact):
            TrainedModel.from_files({**files, name: content[: len(content) // 2]})
        with pytest.raises(BadArtefact):
            TrainedModel.from_files({key: value for key, value in files.items() if key != name})


def test_the_same_seed_gives_the_same_model(trained):
    again, metrics = train(list(catalogue()), level=2)
    assert again.files() == trained[0].files()
    assert {**metrics, "seconds": 0} == {**trained[1], "seconds": 0}


def test_a_serving_process_leaves_tensorflow_and_sklearn_out(trained, tmp_path):
    for name, content in trained[0].files().items():
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


@pytest.mark.parametrize(("texts", "photos"), [(True, False), (False, True)])
def test_a_catalogue_of_one_modality_is_enough(texts, photos):
    model, metrics = train(catalogue(8, texts=texts, photos=photos), level=2)
    assert (model.text is not None, model.image is not None) == (texts, photos)
    missing = metrics["image" if texts else "text"]
    assert missing["n"] == 0
    assert "no listing" in missing["reason"]
    assert metrics["fused"]["accuracy"] > 0.8
    (answer,) = model.answer([Evidence("Steel watch dial", photo=photo("cross", 50))])
    assert str(answer.decision.reason).endswith(
        "this model looks at text only" if texts else "this model looks at photos only"
    )
    assert TrainedModel.from_files(model.files()).answer([Evidence("lamp light")])[0].decision.status in DecisionStatus


def test_rare_categories_are_left_out_and_named():
    rare = [Example("1", Evidence("Garden spade"), "Garden >> Spades")]
    pair = [Example(str(n), Evidence(f"Shoe leather nr {'ab'[n]}"), "Wear >> Shoes") for n in range(2)]
    model, metrics = train([*catalogue(6), *rare, *pair], level=2)
    assert metrics["left_out"] == {"Garden >> Spades": 1}
    assert "Wear >> Shoes" in model.categories


def test_twenty_listings_are_enough_to_train_on():
    model, metrics = train(catalogue(7)[:20], level=2)
    assert metrics["listings"] == 20 - sum(metrics["left_out"].values())
    assert model.answer([Evidence("curtain rings")])[0].fused.best.category == "Home >> Curtains"


@pytest.mark.parametrize(
    ("examples", "level", "reason"),
    [
        ([], None, "no labelled listings"),
        (catalogue(5)[:5], None, "fewer than two categories"),
        (catalogue(5, texts=False, photos=False), 2, "neither texts nor photos"),
        (catalogue(5), 0, "starts at 1"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused_in_plain_words(examples, level, reason):
    with pytest.raises(InvalidInput, match=reason):
        train(examples, level=level)


def test_absent_weights_are_unavailable():
    with pytest.raises(Unavailable, match="unavailable"):
        train(catalogue(5), level=2, image_extractors=("vgg16",))


def test_unreadable_photos_reject_no_listing():
    broken = [
        Example(f"b{n}", Evidence("lamp light bulb", photo=b"not a photo %d" % n), "Home >> Lamps") for n in range(5)
    ]
    _, metrics = train([*catalogue(8), *broken], level=2)
    assert (metrics["text"]["n"], metrics["image"]["n"], metrics["fused"]["n"]) == (29, 24, 29)


def test_progress_grows_to_one():
    seen = []
    train(catalogue(6), level=2, progress=lambda fraction, message: seen.append((fraction, message)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(message for _, message in seen)


def test_cross_validation_answers_every_listing_once():
    result = evaluate(catalogue(10), folds=3, level=2)
    figures = {"n", "accuracy", "interval", "macro_f1", "calibration_error", "per_category"}
    assert figures | {"coverage", "precision", "strange"} == set(result["fused"])
    low, high = result["fused"]["interval"]
    assert low <= result["fused"]["accuracy"] <= high
    assert result["fused"]["n"] == 30
    assert result["fused"]["accuracy"] > 0.9
    assert result["categories"] == sorted(KINDS)
    json.dumps(result)


def test_a_split_is_scored_and_unknown_categories_count_as_wrong():
    strangers = [Example("s", Evidence("Garden spade of steel"), "Garden >> Spades")]
    result = evaluate_split(catalogue(10), [*catalogue(4, seed=3), *strangers], level=2)
    assert result["fused"]["n"] == 13
    assert result["fused"]["per_category"]["Garden >> Spades"]["recall"] == 0


@pytest.mark.parametrize(("folds", "count"), [(1, 30), (5, 6)])
def test_impossible_folds_are_refused(folds, count):
    with pytest.raises(InvalidInput, match="folds"):
        evaluate(catalogue(10)[:count], folds=folds, level=2)


def test_the_fingerprint_ignores_order_only():
    examples = catalogue(2)
    assert fingerprint(examples) == fingerprint(examples[::-1])
    assert fingerprint(examples) != fingerprint(examples[1:])
