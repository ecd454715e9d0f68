import numpy as np
import pytest

from pipeline.classification.calibration import Pool
from pipeline.classification.estimators import fit_ridge
from pipeline.classification.evidence_views import EvidenceFeatures, View
from pipeline.classification.modality_fitting import fit_modality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.subcategories import SubcategoryScores
from pipeline.classification.targets import FEWEST_PER_SUBCATEGORY, Targets, subdivide
from pipeline.classification.trained_model import FORMAT, TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import pack_state, unpack_state
from tests.unit.pipeline.classification.catalogues import catalogue

MUGS, PANS = ["Kitchen >> Mugs"] * FEWEST_PER_SUBCATEGORY, ["Kitchen >> Pans >> Woks"] * (FEWEST_PER_SUBCATEGORY + 2)


def test_categories_divide_into_those_below_that_have_enough_listings():
    paths = [*MUGS, *PANS, *["Kitchen >> Whisks"] * (FEWEST_PER_SUBCATEGORY - 1), "Kitchen", *["Garden"] * 20]
    labels = np.array([1 if path.startswith("Kitchen") else 0 for path in paths])
    divided = subdivide(paths, labels, 2, level=1)
    assert divided.parents.tolist() == [0, 1, 1, 1]
    rest = divided.labels[len(MUGS) + len(PANS) : -20]
    assert len(set(rest)) == 1
    assert (
        len(
            {
                *divided.labels[:FEWEST_PER_SUBCATEGORY],
                *divided.labels[FEWEST_PER_SUBCATEGORY : FEWEST_PER_SUBCATEGORY + len(PANS)],
                *rest,
            }
        )
        == 3
    )
    assert (divided.parents[divided.labels] == labels).all()


@pytest.mark.parametrize(
    ("paths", "level"),
    [
        (["Kitchen"] * 30 + ["Garden"] * 30, 1),
        (["Kitchen >> Mugs"] * 30 + ["Garden >> Rakes"] * 30, 1),
        ([*MUGS, *PANS], 2),
        ([*MUGS[1:], *PANS[3:], "Garden >> Rakes"], 1),
    ],
)
def test_where_nothing_divides_there_are_no_divisions(paths, level):
    names = sorted({path.split(" >> ")[level - 1] for path in paths})
    labels = np.array([names.index(path.split(" >> ")[level - 1]) for path in paths])
    assert subdivide(paths, labels, len(names), level) is None


def test_of_more_divisions_than_can_be_told_apart_the_largest_are(monkeypatch):
    monkeypatch.setattr("pipeline.classification.targets.MOST_SUBCATEGORIES", 3)
    paths = [*MUGS, *PANS, *["Garden >> Rakes"] * 40, *["Garden >> Pots"] * 30]
    divided = subdivide(paths, np.repeat([1, 0], [len(MUGS + PANS), 70]), 2, level=1)
    assert divided.parents.tolist() == [0, 0, 1]


def test_a_category_without_any_listing_stands_undivided():
    assert subdivide([*MUGS, *PANS], np.full(len(MUGS + PANS), 1), 3, level=1).parents.tolist() == [0, 1, 1, 2]


def corners(count=160):
    """Two categories of two opposite corners of a square each: no line tells them apart, four corners each a little."""
    rng = np.random.default_rng(0)
    corner = np.arange(count) % 4
    places = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])[corner] + rng.normal(0, 0.25, (count, 2))
    paths = [f"{'AB'[each // 2]} >> {each}" for each in corner]
    return places.astype(np.float32), Targets.of(paths, corner // 2, 2, np.arange(count) // 4 % 5, 1)


def test_divisions_tell_apart_what_their_categories_cannot_and_are_saved(monkeypatch):
    places, lesson = corners()
    seen = EvidenceFeatures({View.WHOLE: {"fisher": places}}, {View.WHOLE: np.ones(len(places), bool)})
    part, held_out, _, _ = fit_modality({"fisher": None}, seen, lesson)
    _, alone, _, _ = fit_modality({"fisher": None}, seen, lesson.undivided())
    assert (held_out.argmax(1) == lesson.labels).mean() > 0.95
    assert (alone.argmax(1) == lesson.labels).mean() < 0.7
    assert part.probabilities(seen).shape == (len(places), 2)
    monkeypatch.setattr("pipeline.features.extractor.load_extractor", lambda name: NoExtractor)
    files = pack_state("image", part.state() | {"projection_fisher": np.zeros((2, 2), np.float32)})
    again = ModalityModel.from_files("image", ["fisher"], files | pack_state("extractor_fisher", {}))
    assert np.array_equal(again.probabilities(seen), part.probabilities(seen))


class NoExtractor:
    """Stands where an extractor would: the vectors are given."""

    @classmethod
    def from_state(cls, state):
        return cls()


def test_the_sum_of_divisions_is_what_their_category_would_have_scored():
    places, lesson = corners()
    divided = lesson.divided
    apart = fit_ridge(places, divided.labels, 4, lesson.folds, (0.3,))
    whole = fit_ridge(places, lesson.labels, 2, lesson.folds, (0.3,))
    pools = {View.WHOLE: Pool(np.ones(1, np.float32), np.zeros(4, np.float32))}
    summed, _ = SubcategoryScores(divided.parents, pools).sources(View.WHOLE, apart.held_out)
    np.testing.assert_allclose(summed, whole.held_out, atol=1e-4)


def test_a_model_of_divisions_is_the_same_when_saved_and_another_format_is_refused():
    examples = catalogue(FEWEST_PER_SUBCATEGORY + 2, texts=False)
    model, _ = train(examples, level=1)
    files = model.files()
    assert TrainedModel.from_files(files).files() == files
    top = unpack_state("model", files)
    for known in (2, FORMAT):
        TrainedModel.from_files(files | pack_state("model", {**top, "format": known}))
    with pytest.raises(BadArtefact, match="train a new one"):
        TrainedModel.from_files(files | pack_state("model", {**top, "format": FORMAT + 1}))
