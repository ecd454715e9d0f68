import numpy as np
import pytest

from pipeline.classification import metrics, photo_training
from pipeline.classification.estimators import AugmentedRows, fit_ridge
from pipeline.classification.evidence_views import EvidenceFeatures, View
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_reader import AugmentedView, DescriptorCache
from pipeline.classification.targets import Targets
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import make_photo_reader, train
from pipeline.features.extractor import pack_state
from tests.unit.pipeline.classification.catalogues import catalogue


def test_views_never_teach_about_their_own_listing_held_out():
    """Noise with a view that is an exact copy: known only to who has seen the listing itself."""
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(200, 300)).astype(np.float32), rng.integers(0, 2, 200)
    found = fit_ridge(vectors, labels, 2, np.arange(200) % 5, views=AugmentedRows(vectors, np.arange(200)))
    assert found.held_out.shape == (200, 2)
    assert (found.held_out.argmax(axis=1) == labels).mean() < 0.65
    assert (found.estimator.scores(vectors).argmax(axis=1) == labels).mean() > 0.95


def test_views_that_show_what_the_photos_lack_help():
    """Held-out photos differ from the training ones as views do: with views the difference no longer misleads."""
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 2
    kind = np.where(labels[:, None] == 0, 1.0, -1.0) * np.ones(4)
    vectors = np.concatenate([kind * 0.4 + rng.normal(0, 1, (120, 4)), rng.normal(0, 3, (120, 60))], axis=1)
    views = [np.concatenate([vectors[:, :4], rng.normal(0, 3, (120, 60))], axis=1) for _ in range(4)]
    seen = AugmentedRows(np.concatenate(views).astype(np.float32), np.tile(np.arange(120), 4))
    folds = np.arange(120) // 2 % 5
    plain = fit_ridge(vectors.astype(np.float32), labels, 2, folds)
    augmented = fit_ridge(vectors.astype(np.float32), labels, 2, folds, views=seen)
    assert (augmented.held_out.argmax(1) == labels).mean() > (plain.held_out.argmax(1) == labels).mean() + 0.05


@pytest.fixture(scope="module")
def trained():
    return train(catalogue(texts=False), level=2, views=1)


def test_a_training_says_what_views_did(trained):
    _, found = trained
    told = found["augmentation"]
    assert told["views"] == 42
    assert told["kept"] == (told["augmented"]["log_loss"] < told["plain"]["log_loss"])
    for name in ("plain", "augmented"):
        accuracy = told[name]["accuracy"]
        assert 0 <= accuracy["low"] <= accuracy["mean"] <= accuracy["high"] <= 1
    assert told["difference"]["mean"] == pytest.approx(
        told["augmented"]["accuracy"]["mean"] - told["plain"]["accuracy"]["mean"]
    )


def test_the_same_seed_gives_the_same_model_with_views(trained):
    files = train(catalogue(texts=False), level=2, views=1)[0].files()
    assert files == trained[0].files()
    assert TrainedModel.from_files(files).files() == files


def test_several_extractors_are_judged_together_and_alone_and_saved(monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    half = {
        name: (rng.normal(size=(90, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32) for name in ("sift", "fisher")
    }
    units = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in half.items()}
    everyone = np.ones(90, bool)
    seen = EvidenceFeatures({View.WHOLE: units}, {View.WHOLE: everyone})
    nobody = photo_training.AugmentedFeatures({}, np.zeros(0, np.int64))
    (part, held_out, _, _), _ = photo_training.fit_augmented(
        dict.fromkeys(units), seen, nobody, Targets(labels, 3, np.arange(90) // 3 % 5), 0
    )
    assert list(part.voices) == ["sift", "fisher"]
    assert len(part.pools["whole"].slopes) == 3
    assert (held_out.argmax(axis=1) == labels).mean() > 0.9
    monkeypatch.setattr("pipeline.features.extractor.load_extractor", lambda name: NoExtractor)
    files = pack_state("image", part.state()) | pack_state("extractor_sift", {})
    again = ModalityModel.from_files("image", ["sift", "fisher"], files | pack_state("extractor_fisher", {}))
    assert np.array_equal(again.probabilities(seen), part.probabilities(seen))


class NoExtractor:
    """Stands where an extractor would: the vectors are given."""

    @classmethod
    def from_state(cls, state):
        return cls()


def test_views_fill_the_room_that_photos_leave(monkeypatch):
    monkeypatch.setattr(photo_training, "ROWS", 30 + 30 + 10)
    told = train(catalogue(10, texts=False), level=2, views=5)[1]["augmentation"]
    assert told["views"] == 30 + 10


def test_a_reader_tells_a_photo_from_its_views_and_remembers_both():
    reader = make_photo_reader(("fisher",), cache_bytes=10_000_000)
    evidence = catalogue(1)[0].evidence
    plain, view = reader.read(evidence), reader.read(evidence, AugmentedView(0, 0))
    assert not np.array_equal(plain.described["fisher"], view.described["fisher"])
    assert reader.read(evidence, AugmentedView(0, 0)).described is view.described


def test_what_memory_has_no_room_for_goes_to_files_and_what_they_have_none_for_is_forgotten():
    memory = DescriptorCache(cache_bytes=100, disk_bytes=1_000)
    small, large = {"a": np.zeros(10, np.uint8)}, {"a": np.arange(200, dtype=np.uint8), "b": np.ones(3, np.float32)}
    memory.keep("small", small)
    memory.keep("large", large)
    memory.keep("huge", {"a": np.zeros(2_000, np.uint8)})
    memory.keep("unread", "the photo is damaged")
    assert memory.find("small") is small
    found = memory.find("large")
    assert all(np.array_equal(found[name], large[name]) for name in ("a", "b"))
    assert memory.find("huge") is None
    assert memory.find("never") is None


def test_a_photo_that_two_threads_looked_at_takes_its_room_once():
    memory = DescriptorCache(cache_bytes=20)
    for key in ("first", "first", "second"):
        memory.keep(key, {"a": np.zeros(10, np.uint8)})
    assert memory.find("second") is not None


def test_a_paired_difference_is_surer_than_two_accuracies():
    right = np.arange(400) % 5 > 0
    better = right.copy()
    better[:20:5] = True
    gain = metrics.accuracy_difference(better, right)
    assert gain["mean"] == pytest.approx(4 / 400)
    assert 0 < gain["low"] < gain["mean"] < gain["high"] < 0.03
    alone = metrics.accuracy_interval(right)
    assert alone["mean"] == pytest.approx(0.8)
    assert 0.75 < alone["low"] < 0.8 < alone["high"] < 0.85
    same = metrics.accuracy_difference(right, right)
    assert (same["mean"], same["low"], same["high"]) == (0, 0, 0)
