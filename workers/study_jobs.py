"""Run a job of a study on a worker, and turn its unexpected errors into reasons."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import PermanentFailure
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.study_stages import StudyContext, run_study_job
from pipeline.study.study_steps import StudySteps
from workers.bootstrap import WorkerContext


def run_job(context: WorkerContext, job: ClaimedLongJob, progress: Progress, steps: StudySteps | None = None) -> str:
    """Run one job of a study; returns a sentence that describes the result."""
    # Imported here: scikit-learn and other libraries are slow to load, and only workers that run studies need them.
    from pipeline.steps.default_study_steps import DefaultStudySteps

    study_context = StudyContext(
        units=context.units,
        storage=context.storage,
        photos=context.photos,
        weights_path=context.registry.weights_path,
        steps=steps or DefaultStudySteps(context.settings.feasibility_thresholds()),
        explain=lambda error: explain(error, context.settings.training_time_limit),
    )
    try:
        return run_study_job(study_context, job.payload, progress)
    except SoftTimeLimitExceeded as error:
        # Another attempt would take as long.
        raise PermanentFailure(explain(error, context.settings.training_time_limit)) from error


def explain(error: Exception, time_limit: int) -> Reason:
    """The reason for an unexpected error; ``time_limit`` is in seconds."""
    if isinstance(error, SoftTimeLimitExceeded):
        return Reason.of(ReasonCode.TIME_LIMIT_EXCEEDED, seconds=time_limit, setting="RAYON_TRAINING_TIME_LIMIT")
    if isinstance(error, MemoryError):
        return Reason.of(ReasonCode.OUT_OF_MEMORY, error=str(error) or "nothing more is known")
    return Reason.other(f"{type(error).__name__}: {error}")
