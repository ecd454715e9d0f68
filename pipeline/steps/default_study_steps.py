"""The functions a study is really made of, put together in one place; nothing else of this package imports it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipeline.study import build_report, clustering_comparison, combination, features, sampling, supervised_jobs, trials
from pipeline.study.study_steps import StudySteps
from pipeline.study.verdict import Bars
from pipeline.study_report import html_report


def default_steps(bars: Mapping[str, float] | None = None) -> StudySteps:
    """The functions of this package; ``bars`` are the verdict's thresholds by the names of ``Bars``, else its own."""
    return StudySteps(
        draw=sampling.draw,
        fingerprint=sampling.fingerprint,
        compute=features.compute,
        run=trials.run,
        unavailable=trials.unavailable,
        pairs=combination.pairs,
        combine=combination.combine,
        compare=clustering_comparison.compare,
        jobs=supervised_jobs.jobs,
        judge=supervised_jobs.judge,
        unjudged=supervised_jobs.unjudged,
        conclude=partial(build_report.build_report, bars=Bars(**(bars or {}))),
        render=html_report.render,
    )
