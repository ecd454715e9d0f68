"""The functions a study is really made of, put together in one place; nothing else of this package imports it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipeline.reports import combining, comparing, conclude, features, judging, rendering, sampling, trials
from pipeline.reports.methods import Methods
from pipeline.reports.verdict import Bars


def real(bars: Mapping[str, float] | None = None) -> Methods:
    """The functions of this package; ``bars`` are the verdict's thresholds by the names of ``Bars``, else its own."""
    return Methods(
        draw=sampling.draw,
        fingerprint=sampling.fingerprint,
        compute=features.compute,
        run=trials.run,
        unavailable=trials.unavailable,
        pairs=combining.pairs,
        combine=combining.combine,
        compare=comparing.compare,
        jobs=judging.jobs,
        judge=judging.judge,
        unjudged=judging.unjudged,
        conclude=partial(conclude.conclude, bars=Bars(**(bars or {}))),
        render=rendering.render,
    )
