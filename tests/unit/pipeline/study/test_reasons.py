"""Reasons of extractors and studies: the errors that are raised have codes, which read well in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from pipeline.domain.errors import RayonError
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import StudyPlan
from pipeline.features import use
from pipeline.features.extractor import build_extractor
from pipeline.features.weights_lookup import missing_weights
from pipeline.study.features import Features
from pipeline.study.trials import run_trials
from pipeline.study_report.language import ReportLanguage
from tests.unit.pipeline.study.fake_steps import silent
from workers.study_jobs import explain

ENGLISH, FRENCH = ReportLanguage("en"), ReportLanguage("fr")


def nothing_to_try(modality: Modality) -> None:
    features = Features("any", modality, np.zeros((20, 2), np.float32), np.zeros(20, bool), 0.0, 0, 0)
    run_trials(features, np.zeros(20, np.int64), 2, StudyPlan(), silent)


def without_weights(name: str, path: Path | None) -> None:
    build_extractor(name, None if path is None else str(path)).fit([])


ARISING: list[Callable[[Path], None]] = [
    *(lambda _folder, modality=modality: nothing_to_try(modality) for modality in Modality),
    *(lambda _folder, name=name: without_weights(name, None) for name in ("use", "squeezenet")),
    lambda folder: without_weights("vgg16", folder / "nothing.h5"),
]


@pytest.mark.parametrize("arise", ARISING)
def test_errors_are_worded_in_french(
    arise: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(use, "bundled_weights", lambda _: None)
    with pytest.raises(RayonError) as caught:
        arise(tmp_path)
    english, french = (language.reason(reason_of(caught.value)) for language in (ENGLISH, FRENCH))
    assert english == str(caught.value) != french
    for command in (
        "rayon models fetch use, o",
        "rayon models add use FOLDER",
        "rayon models fetch vgg16",
        "rayon models add squeezenet FILE",
    ):
        assert (command in english) == (command in french)


def test_the_reason_of_a_missing_extractor_names_the_commands_that_install_it() -> None:
    french = FRENCH.reason(reason_of(missing_weights("use", ReasonCode.MODULE_MISSING, "FOLDER")))
    assert french.replace("\u00a0", " ") == (
        "le module de use n’est pas installé ici ; lancez : rayon models fetch use, ou : rayon models add use FOLDER"
    )


def test_unforeseen_errors_of_workers_have_reasons_in_french() -> None:
    for error in (SoftTimeLimitExceeded(), MemoryError("3 GB")):
        assert FRENCH.reason(explain(error, 60)) != str(explain(error, 60))
    assert explain(ValueError("of some library"), 60) == Reason.other("ValueError: of some library")
    assert (ENGLISH.reason(None), FRENCH.reason("")) == ("no reason was given", "sans raison donnée")
