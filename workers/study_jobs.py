"""What a worker does for the jobs of a study."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import PermanentFailure
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.study_stages import StudyContext, run_study_job
from pipeline.study.study_run import Progress
from pipeline.study.study_steps import StudySteps
from workers.bootstrap import WorkerContext


def study(context: WorkerContext, run: ClaimedLongJob, report: Progress, methods: StudySteps | None = None) -> str:
    """Do the work of one job of a study; returns a sentence on how it ended."""
    from pipeline.steps.default_study_steps import default_steps  # the libraries behind it are left to those who study

    by = StudyContext(
        units=context.units,
        storage=context.storage,
        photos=context.photos,
        weights_path=context.registry.weights_path,
        methods=methods or default_steps(context.settings.study_bars()),
        explain=lambda error: str(explain(error, context.settings.training_time_limit)),
    )
    try:
        return run_study_job(by, run.payload, report)
    except SoftTimeLimitExceeded as error:
        # The same would take as long again.
        raise PermanentFailure(explain(error, context.settings.training_time_limit)) from error


def explain(error: Exception, limit: int) -> Reason:
    """An unforeseen error as a reason: what it is, and its own words."""
    if isinstance(error, SoftTimeLimitExceeded):
        return Reason.of(ReasonCode.TIME_LIMIT_EXCEEDED, seconds=limit, setting="RAYON_TRAINING_TIME_LIMIT")
    if isinstance(error, MemoryError):
        return Reason.of(ReasonCode.OUT_OF_MEMORY, error=str(error) or "nothing more is known")
    return Reason.other(f"{type(error).__name__}: {error}")
