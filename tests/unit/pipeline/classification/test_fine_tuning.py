"""Fine-tuning: the real program on a few photos, and the choice between its network and the published one."""

import json

import numpy as np
import pytest

from pipeline.classification.evidence_views import EvidenceFeatures, View
from pipeline.classification.fine_tuning import Photos as Taken
from pipeline.classification.fine_tuning import fit_fine_tuned, training_split, tunable_network
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_training import AugmentedFeatures, fit_augmented
from pipeline.classification.targets import Targets
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import build_extractor, load_extractor
from pipeline.features.photo_decoding import decode_photo
from pipeline.networks.backbones import backbone, network_input, resize_photo
from pipeline.networks.engine import OpenVinoEngine
from pipeline.networks.finetune import FineTunedNetwork, FineTuningSchedule, fine_tune
from tests.unit.pipeline.classification.catalogues import photo
from tests.unit.pipeline.networks.samples import write_weights

# The exports that these tests share are made once.
pytestmark = pytest.mark.xdist_group("finetuning")

ROW = backbone("squeezenet")
LABELS = np.arange(18) % 2
FOLDS = np.arange(18) // 2 % 3
EVIDENCES = [Evidence("", photo=photo(("stripes", "circles")[label], at)) for at, label in enumerate(LABELS)]
PIXELS = np.stack([resize_photo(ROW, decode_photo(evidence.photo)) for evidence in EVIDENCES])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_weights(ROW, tmp_path_factory.mktemp("weights") / "random.h5")


@pytest.fixture(scope="module")
def run(weights):
    said = []
    schedule = FineTuningSchedule(head_epochs=2, epochs=2, patience=2, batch=6)
    tuned = fine_tune(ROW, weights, PIXELS, LABELS, FOLDS == 0, lambda *step: said.append(step), schedule)
    return tuned, said


def test_a_network_is_fine_tuned_exported_and_tells_how_it_went(run):
    tuned, said = run
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert any("epoch 1 of 2, validation accuracy" in note for _, note in said)
    epochs = tuned.history["epochs"]
    assert [row["epoch"] for row in epochs] == [0, 1, 2]
    assert tuned.history["kept"] == min(epochs, key=lambda row: row["loss"])["epoch"]
    vectors = OpenVinoEngine(tuned.network, 1).transform(network_input(ROW, pixels) for pixels in PIXELS[:2])
    assert vectors.shape == (2, 512)
    assert np.isfinite(vectors).all()
    json.dumps(tuned.history)


def test_what_cannot_be_fine_tuned_is_said(weights):
    with pytest.raises(InvalidInput, match="others that say when to stop"):
        fine_tune(ROW, weights, PIXELS, LABELS, np.zeros(18, bool), lambda *step: None)


def test_a_failing_program_gives_its_reason(weights, monkeypatch):
    monkeypatch.setattr("pipeline.networks.finetune.PROGRAM", "pipeline.networks.nowhere")
    with pytest.raises(Unavailable, match=r"squeezenet could not be fine-tuned: .*No module named"):
        fine_tune(ROW, weights, PIXELS, LABELS, FOLDS == 0, lambda *step: None)


def test_those_that_say_when_to_stop_are_not_learned_from():
    taken = Taken(PIXELS, LABELS, FOLDS)
    pixels, labels, validation = training_split(taken, FOLDS != 0, 1)
    assert validation.sum() == (FOLDS == 1).sum()
    assert len(pixels) == len(labels) == len(validation) == 6 + 2 * 6
    held = {rows.tobytes() for rows in PIXELS[FOLDS == 0]} | {rows.tobytes() for rows in PIXELS[FOLDS == 1]}
    assert not held & {rows.tobytes() for rows in pixels[~validation]}
    mirrored = {rows[:, ::-1].tobytes() for rows in PIXELS[FOLDS == 1]}
    assert not mirrored & {rows.tobytes() for rows in pixels[~validation]}


class Vectors:
    """A network whose vectors are given: it stands where an exported one would."""

    def __init__(self, telling: bool) -> None:
        rng = np.random.default_rng(0)
        self.rows = {
            pixels.tobytes(): np.append(rng.normal(size=6), 3.0 * label if telling else 0.0).astype(np.float32)
            for pixels, label in zip(PIXELS, LABELS, strict=True)
        }


@pytest.mark.parametrize("telling", [True, False])
def test_the_network_that_tells_held_out_photos_apart_is_kept(weights, run, monkeypatch, telling):
    published = build_extractor("squeezenet", str(weights))
    kind = type(published)
    monkeypatch.setattr(
        kind, "transform", lambda self, photos: np.stack([self.network_.rows[p.tobytes()] for p in photos])
    )
    published.network_, published.weights_sha256_ = Vectors(telling=False), "0" * 64
    rows = published.transform(list(PIXELS))
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    seen = EvidenceFeatures({View.WHOLE: {"squeezenet": units}}, {View.WHOLE: np.ones(18, bool)})
    nobody = AugmentedFeatures({}, np.zeros(0, np.int64))
    plain, _ = fit_augmented({"squeezenet": published}, seen, nobody, Targets(LABELS, 2, FOLDS), 0, embed=False)
    assert tunable_network(plain[0]) is published
    asked = []

    def tuner(row, path, pixels, labels, validation, progress):
        asked.append((len(pixels), int(validation.sum())))
        return FineTunedNetwork(Vectors(telling), {"kept": 1})

    (part, held_out, has, familiarity), found = fit_fine_tuned(
        plain, published, EVIDENCES, Targets(LABELS, 2, FOLDS), 0, lambda *step: None, tuner=tuner
    )
    assert found["kept"] == telling
    assert has.all()
    assert len(asked) == (4 if telling else 3)
    assert (part is plain[0]) != telling
    if telling:
        assert (held_out.argmax(axis=1) == LABELS).all()
        assert part.extractors["squeezenet"].weights_sha256_ is None
        assert familiarity.mean() == pytest.approx(0.0, abs=1e-5)
        assert set(part.usual) == {View.WHOLE}


def test_only_a_network_with_its_weights_at_hand_can_be_fine_tuned(weights):
    built_in = ModalityModel({"fisher": build_extractor("fisher")}, {}, {}, {})
    assert tunable_network(built_in) is None
    assert tunable_network(None) is None
    assert tunable_network(ModalityModel({"squeezenet": load_extractor("squeezenet")()}, {}, {}, {})) is None
    both = {
        "squeezenet": build_extractor("squeezenet", str(weights)),
        "fisher": build_extractor("fisher"),
    }
    assert tunable_network(ModalityModel(both, {}, {}, {})) is None
