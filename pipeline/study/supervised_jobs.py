"""The supervised jobs of a study: naming and running them. Each job may run on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.study import StudyPlan, TrialStatus
from pipeline.domain.training import TEXT_ENCODER
from pipeline.study.dataset import StudyDataset
from pipeline.study.dataset_photos import DatasetPhotoReader, DigestExamples
from pipeline.study.learning_curve import learning_curve
from pipeline.study.study_steps import SupervisedResult, WeightsPath
from pipeline.study.supervised_scores import SupervisedSetup, figures_without_result, score_supervised

LEARNING_CURVE = "learning_curve"
# The text extractor that photos are combined with: the most accurate after training, even if another clusters better.
PREFERRED_TEXT = "tfidf"
_SEPARATOR = "+"


def supervised_jobs(extractors: Sequence[str]) -> list[str]:
    """The names of one job per extractor, one per photo extractor combined with text, and one learning curve."""
    texts = [name for name in extractors if extractor_spec(name).modality is Modality.TEXT]
    images = [name for name in extractors if extractor_spec(name).modality is Modality.IMAGE]
    if not texts and not images:
        return []
    text = PREFERRED_TEXT if PREFERRED_TEXT in texts else next(iter(texts), None)
    fused = [f"{text}{_SEPARATOR}{image}" for image in images] if text else []
    # The best photo extractor is not known before all jobs end: the last one without weights stands in for it.
    without_weights = [name for name in images if not extractor_spec(name).takes_weights]
    image = next(iter([*reversed(without_weights), *images]), None)
    return [*texts, *images, *fused, _SEPARATOR.join([LEARNING_CURVE, *filter(None, [text, image])])]


def run_supervised_job(
    name: str, dataset: StudyDataset, plan: StudyPlan, weights: WeightsPath, progress: Progress
) -> SupervisedResult:
    """Run one of ``supervised_jobs``; Unavailable when the weights or libraries of an extractor are missing."""
    progress(0.0, "reading the listings")
    job = _Job.named(name)
    digest_examples = DigestExamples.of(dataset)
    weights_paths = {extractor: path for extractor in job.extractors if (path := weights(extractor)) is not None}
    setup = SupervisedSetup(
        level=dataset.level,
        text_extractor=job.text,
        image_extractors=job.images,
        folds=plan.folds,
        repeats=plan.repeats,
        weights=weights_paths,
        reader=DatasetPhotoReader(job.images, weights_paths, dataset.evidences, digest_examples.row_of_digest),
    ).with_caches()
    examples = digest_examples.examples
    if job.is_learning_curve:
        as_trained = replace(setup, text_encoder=TEXT_ENCODER if setup.text_extractor else None)
        return SupervisedResult((), learning_curve(examples, as_trained, progress=progress))
    if job.images or not job.text or not _has_attributes(job.text, examples):
        score = score_supervised(examples, setup, attributes=bool(job.images), progress=progress)
        return SupervisedResult((score.figures,), probabilities=score.probabilities)
    without_attributes = score_supervised(examples, setup, attributes=False, progress=stage(progress, 0, 0.4))
    with_attributes = score_supervised(examples, setup, progress=stage(progress, 0.4, 1))
    return SupervisedResult(
        (without_attributes.figures, with_attributes.figures), probabilities=with_attributes.probabilities
    )


def failed_supervised_job(name: str, status: TrialStatus, reason: Reason) -> SupervisedResult:
    """The result of a job that could not be done, with the reason; a learning curve has no figures to hold it."""
    job = _Job.named(name)
    if job.is_learning_curve:
        return SupervisedResult(())
    attributes = bool(job.text and job.images)
    return SupervisedResult((figures_without_result(job.text, job.images, status, reason, attributes=attributes),))


@dataclass(frozen=True, slots=True)
class _Job:
    """A job, parsed from its name: ``tfidf``, ``tfidf+fisher``, ``learning_curve+tfidf+fisher``."""

    text: str | None
    images: tuple[str, ...]
    is_learning_curve: bool

    @classmethod
    def named(cls, name: str) -> _Job:
        names = [part for part in name.split(_SEPARATOR) if part != LEARNING_CURVE]
        texts = [part for part in names if extractor_spec(part).modality is Modality.TEXT]
        images = tuple(part for part in names if part not in texts)
        return cls(next(iter(texts), None), images, name.startswith(LEARNING_CURVE))

    @property
    def extractors(self) -> tuple[str, ...]:
        return (*filter(None, [self.text]), *self.images)


def _has_attributes(text: str, examples: Sequence[Example]) -> bool:
    """Whether there are attributes that the extractor uses: pretrained encoders read only a listing's name."""
    return not extractor_spec(text).takes_weights and any(example.evidence.attributes for example in examples)
