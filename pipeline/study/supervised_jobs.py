"""The supervised jobs of a study: which there are, and doing one. Each stands alone and may run on another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.classification.feature_extraction import cached_text_extractor
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.prediction import Modality
from pipeline.domain.study import TrialStatus
from pipeline.domain.training import TrainingOptions
from pipeline.study import learning_curve, supervised
from pipeline.study.dataset import DatasetPhotoReader, examples_of
from pipeline.study.study_steps import SupervisedResult

if TYPE_CHECKING:
    from pipeline.study.study_run import StudyRun

Progress = Callable[[float, str], None]
LEARNING = "learning_curve"
# The text that photos are joined with: the extractor that learns best from labels, whatever clusters best.
TEXT_FIRST = "tfidf"
_BETWEEN = "+"


def jobs(extractors: Sequence[str]) -> list[str]:
    """One job for each extractor, one for each photo extractor with the text, and the learning curve."""
    texts = [name for name in extractors if extractor_spec(name).modality is Modality.TEXT]
    images = [name for name in extractors if extractor_spec(name).modality is Modality.IMAGE]
    if not texts and not images:
        return []
    text = TEXT_FIRST if TEXT_FIRST in texts else next(iter(texts), None)
    fused = [f"{text}{_BETWEEN}{image}" for image in images] if text else []
    # The best photo extractor is not known before the others' jobs end: the last one without downloads stands for it.
    image = next(
        (name for name in reversed(images) if not extractor_spec(name).takes_weights), next(iter(images), None)
    )
    return [*texts, *images, *fused, _BETWEEN.join([LEARNING, *filter(None, [text, image])])]


def judge(course: StudyRun, name: str, progress: Progress) -> SupervisedResult:
    """Do one job of ``jobs`` on the listings of a study; Unavailable when an extractor lacks something here."""
    text, images = _parts(name)
    studied, plan = course.studied, course.plan
    progress(0.0, "reading the listings")
    examples, rows = examples_of(studied)
    weights = {each: path for each in [*filter(None, [text]), *images] if (path := course.weights(each)) is not None}
    common: dict[str, Any] = {
        "text_extractor": text,
        "image_extractors": images,
        "level": studied.level,
        "folds": plan.folds,
        "repeats": plan.repeats,
        "weights": weights,
        "reader": DatasetPhotoReader(images, weights, studied.photos, rows),
        "known": cached_text_extractor(TrainingOptions(text_extractor=text, weights=weights)),
    }
    if name.startswith(LEARNING):
        return SupervisedResult([], learning_curve.curve(examples, **common, progress=progress))
    if images or not text or not _has_attributes(text, examples):
        found = supervised.score(examples, **common, attributes=bool(images), progress=progress)
        return SupervisedResult([found.row], probabilities=found.probabilities)
    plain = supervised.score(
        examples, **common, attributes=False, progress=lambda share, note: progress(0.4 * share, note)
    )
    whole = supervised.score(examples, **common, progress=lambda share, note: progress(0.4 + 0.6 * share, note))
    return SupervisedResult([plain.row, whole.row], probabilities=whole.probabilities)


def unjudged(name: str, status: TrialStatus, reason: str) -> SupervisedResult:
    """What stands in the report for a job that could not be done."""
    text, images = _parts(name)
    if name.startswith(LEARNING):
        return SupervisedResult([], facts={"status": status.value, "reason": reason})
    return SupervisedResult([supervised.unavailable(text, images, bool(text and images), status, reason)])


def _parts(name: str) -> tuple[str | None, list[str]]:
    names = [part for part in name.split(_BETWEEN) if part != LEARNING]
    texts = [part for part in names if extractor_spec(part).modality is Modality.TEXT]
    return next(iter(texts), None), [part for part in names if part not in texts]


def _has_attributes(text: str, examples: Sequence[Any]) -> bool:
    """Pretrained encoders read a listing's name; of the others' rows the second only differs where there are any."""
    return not extractor_spec(text).takes_weights and any(example.evidence.attributes for example in examples)
