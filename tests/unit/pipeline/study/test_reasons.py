"""Reasons in French: the real errors of the house are known, and what is unknown stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from pipeline.domain.errors import RayonError
from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyPlan, TrialStatus
from pipeline.features.extractor import build_extractor
from pipeline.features.pretrained_weights import missing_weights
from pipeline.study import trials
from pipeline.study.build_report import untried
from pipeline.study.features import Features
from pipeline.study_report.language import Language
from pipeline.study_report.rankings import judged, missing
from tests.unit.pipeline.study.report_samples import believable
from workers.study_jobs import explain

ENGLISH, FRENCH = Language("en"), Language("fr")


def nothing_to_try(modality: Modality) -> None:
    features = Features("any", modality, np.zeros((20, 2), np.float32), np.zeros(20, bool), 0.0, 0, 0)
    trials.run(features, np.zeros(20, np.int64), 2, StudyPlan(), lambda share, note: None)


def without_weights(name: str, path: Path | None) -> None:
    build_extractor(name, None if path is None else str(path)).fit([])


ARISING: list[Callable[[Path], None]] = [
    *(lambda folder, modality=modality: nothing_to_try(modality) for modality in Modality),
    *(lambda folder, name=name: without_weights(name, None) for name in ("use", "squeezenet")),
    lambda folder: without_weights("vgg16", folder / "nothing.h5"),
]


@pytest.mark.parametrize("arise", ARISING)
def test_reasons_that_the_house_gives_are_told_in_french(
    arise: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    with pytest.raises(RayonError) as caught:
        arise(tmp_path)
    written = str(caught.value)
    assert ENGLISH.reason(written) == written.removeprefix("unavailable: ")
    assert FRENCH.reason(written) not in (written, ENGLISH.reason(written))
    for command in (
        "rayon models fetch use, o",
        "rayon models add use FOLDER",
        "rayon models fetch vgg16",
        "rayon models add squeezenet FILE",
    ):
        assert (command in written) == (command in FRENCH.reason(written))


def test_the_reasons_of_older_studies_are_told_in_french_too() -> None:
    told = FRENCH.reason("unavailable: use has no module here; add them with: rayon models add use FOLDER")
    assert told == "use n’a pas son module ici ; lancez : rayon models add use FOLDER"
    told = FRENCH.reason(str(missing_weights("use", "has no module here", "FOLDER")))
    assert told.endswith("lancez : rayon models fetch use, ou : rayon models add use FOLDER")


def test_what_workers_say_is_told_in_french_and_the_unknown_stays() -> None:
    for error in (SoftTimeLimitExceeded(), MemoryError("3 GB")):
        assert FRENCH.reason(explain(error, 60)) != explain(error, 60)
    assert FRENCH.reason("ValueError: of some library") == "ValueError: of some library"
    assert (ENGLISH.reason(None), FRENCH.reason("")) == ("no reason was given", "sans raison donnée")


def test_what_could_not_be_tried_is_a_supervised_row_with_its_reason() -> None:
    why = str(missing_weights("vgg16", "has no weights here"))
    kept = {
        "vgg16": {"rows": trials.unavailable("vgg16", Modality.IMAGE, TrialStatus.UNAVAILABLE, why)},
        "use": {"rows": trials.unavailable("use", Modality.TEXT, TrialStatus.FAILED, "in plain words")},
        "text+image": {"rows": trials.unavailable("text+image", Modality.FUSED, TrialStatus.FAILED, "neither")},
    }
    rows = untried(kept)
    assert [(row["extractor"], row["status"], row["accuracy"], row["reason"]) for row in rows] == [
        ("vgg16", "unavailable", None, why),
        ("use", "failed", None, "in plain words"),
    ]
    report = believable()
    report |= {"supervised": [*report["supervised"], *rows]}
    assert {line.extractor for line in judged(report) if line.line and line.line["status"] != "done"} == {
        "vgg16",
        "use",
    }
    assert sum(row["extractor"] == "vgg16" and row["reason"] == why for row in missing(report)) == 1
