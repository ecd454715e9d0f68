"""What a worker does for the jobs of a study."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from pipeline.domain.errors import PermanentFailure
from pipeline.domain.work import ClaimedRun
from pipeline.reports.course import Progress
from pipeline.reports.methods import Methods
from pipeline.steps.assess import Assessor, assess
from workers.bootstrap import House


def study(house: House, run: ClaimedRun, report: Progress, methods: Methods | None = None) -> str:
    """Do the work of one job of a study; returns a sentence on how it ended."""
    from pipeline.reports.assembly import real  # the libraries behind it are left to those who study

    by = Assessor(
        units=house.units,
        storage=house.storage,
        photos=house.photos,
        weights_path=house.registry.weights_path,
        methods=methods or real(house.settings.study_bars()),
        explain=lambda error: explain(error, house.settings.training_time_limit),
    )
    try:
        return assess(by, run.payload, report)
    except SoftTimeLimitExceeded as error:
        # The same would take as long again.
        raise PermanentFailure(explain(error, house.settings.training_time_limit)) from error


def explain(error: Exception, limit: int) -> str:
    """An unforeseen error as a reason: what it is, and its own words."""
    if isinstance(error, SoftTimeLimitExceeded):
        return f"it took longer than the {limit} seconds that RAYON_TRAINING_TIME_LIMIT allows"
    if isinstance(error, MemoryError):
        return f"there was not enough memory ({error or 'nothing more is known'}); study a sample"
    return f"{type(error).__name__}: {error}"
