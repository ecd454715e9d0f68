"""Files of a study are read as they were written; a damaged file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from infra.storage.filesystem import FilesystemStorage
from pipeline.domain.errors import BadArtefact
from pipeline.domain.prediction import Modality
from pipeline.domain.study_report import LearningCurvePoint
from pipeline.features.extractor import Matrix
from pipeline.study.features import Features, StoredVectors
from pipeline.study.study_steps import SupervisedResult, TsneMaps
from pipeline.study.study_storage import WORK_FOLDER, StoredFeatures, StudyFolder
from tests.unit.pipeline.study.fake_steps import SPREAD, trained_figures


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path, "", "")


@pytest.fixture
def folder(storage: FilesystemStorage) -> StudyFolder:
    return StudyFolder(storage, "studies/1/")


@pytest.mark.parametrize("matrix", [np.eye(3, 2, dtype=np.float32), sparse.csr_matrix(np.eye(3, 4, dtype=np.float32))])
def test_features_come_back_dense_or_sparse(folder: StudyFolder, matrix: Matrix) -> None:
    present = np.array([True, False, True])
    folder.write_features(Features("word2vec+fisher", Modality.FUSED, matrix, present, 1.5, 2000, 7))
    found = folder.read_features("word2vec+fisher")
    assert found is not None
    assert sparse.issparse(found.matrix) == sparse.issparse(matrix)
    assert (found.matrix != matrix).sum() == 0
    assert found.matrix.dtype == np.float32
    assert found.present.tolist() == present.tolist()
    assert (found.extractor, found.modality, found.seconds) == ("word2vec+fisher", Modality.FUSED, 1.5)
    assert (found.memory, found.reused) == (2000, 7)
    assert folder.read_features("tfidf") is None


def test_json_holds_numbers_of_numpy_and_refuses_what_browsers_do_not_read(folder: StudyFolder) -> None:
    folder.write_json("a.json", {"x": np.float32(0.5), "y": np.arange(2), "z": (1, 2)})
    assert folder.read_json("a.json") == {"x": 0.5, "y": [0, 1], "z": [1, 2]}
    assert folder.read_json("b.json") is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json("c.json", float("nan"))
    with pytest.raises(TypeError):
        folder.write_json("c.json", object())


def test_the_result_of_a_supervised_job_comes_back(folder: StudyFolder) -> None:
    probabilities = np.array([[0.25, 0.75]], np.float32)
    result = SupervisedResult(
        (trained_figures("tfidf"),), (LearningCurvePoint(Modality.TEXT, 5, SPREAD),), probabilities
    )
    folder.write_supervised("text", result)
    folder.write_supervised("photo", SupervisedResult(()))
    found = folder.read_supervised("text")
    assert found is not None
    assert found.probabilities is not None
    assert (found.figures, found.curve) == (result.figures, result.curve)
    assert found.probabilities.tolist() == probabilities.tolist()
    assert folder.read_supervised("photo") == SupervisedResult(())
    assert folder.read_supervised("none") is None


def test_the_maps_of_a_trial_come_back(folder: StudyFolder) -> None:
    folder.write_maps("tfidf", TsneMaps(np.array([2, 5]), np.ones((3, 2, 2), np.float32)))
    found = folder.read_maps("tfidf")
    assert found is not None
    assert (found.rows.tolist(), found.points.shape) == ([2, 5], (3, 2, 2))
    assert folder.read_maps("fisher") is None


def test_work_is_cleared_and_the_rest_stays(folder: StudyFolder, storage: FilesystemStorage) -> None:
    for name in ("report.json", f"{WORK_FOLDER}a/b.json", f"{WORK_FOLDER}c.json"):
        folder.write(name, b"{}")
    storage.put("studies/10/report.json", b"another study")
    folder.clear(WORK_FOLDER)
    assert folder.names() == ["report.json"]
    folder.clear()
    assert [found.key for found in storage.keys("studies/")] == ["studies/10/report.json"]


def test_a_damaged_file_is_refused(folder: StudyFolder) -> None:
    folder.write(f"{WORK_FOLDER}features/tfidf.npz", b"no arrays at all")
    with pytest.raises(BadArtefact, match="start another study"):
        folder.read_features("tfidf")


def test_vectors_are_kept_by_key_and_a_damaged_file_counts_as_absent(storage: FilesystemStorage) -> None:
    store = StoredFeatures(storage, "7")
    assert store.load("vgg16-abc") is None
    store.save("vgg16-abc", StoredVectors(["d1", "d2"], np.eye(2, dtype=np.float32)))
    found = store.load("vgg16-abc")
    assert found is not None
    assert found.digests == ["d1", "d2"]
    assert found.vectors.tolist() == np.eye(2).tolist()
    assert StoredFeatures(storage, "8").load("vgg16-abc") is None
    storage.put("features/7/vgg16-abc.npz", b"PK damaged")
    assert store.load("vgg16-abc") is None
