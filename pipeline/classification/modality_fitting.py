"""Fitting the parts of a model: an estimator a view of the evidence, and calibration, of text and of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.classification.calibration import Floats, Pool, fit_pool, held_out_probabilities
from pipeline.classification.estimators import IMAGE_PENALTIES, PENALTIES, AugmentedRows, LinearEstimator, fit_ridge
from pipeline.classification.evidence_views import POOLED_VIEWS, EvidenceFeatures, Extractors, View
from pipeline.classification.feature_extraction import (
    CachedTextExtractor,
    Progress,
    extract_text_features,
    fit_text_extractor,
    silent,
)
from pipeline.classification.modality_model import EMBEDDING, ModalityModel, join_features
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.nystroem import FeatureJoin
from pipeline.classification.subcategories import SubcategoryScores
from pipeline.classification.targets import Targets
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Matrix


class FittedModality(NamedTuple):
    """A part, None when there is too little to learn from, and what it says of listings that it was not taught.

    ``probabilities`` (n, categories) and ``familiarity`` (n,) are held out; ``usable`` (n,): which have the evidence.
    """

    part: ModalityModel | None
    probabilities: Floats
    usable: NDArray[np.bool_]
    familiarity: Floats


def fit_text(
    evidences: Sequence[Evidence],
    lesson: Targets,
    name: str | None,
    seed: int | None = None,
    weights: str | None = None,
    known: CachedTextExtractor | None = None,
    progress: Progress = silent,
) -> FittedModality:
    """The text part, learned from the listings that have any text; words and attributes apart if enough have both."""
    progress(0.0, f"reading the texts of {len(evidences)} listings")
    extractors = fit_text_extractor(evidences, name, weights, known) if name else None
    if extractors is None:
        return empty_fit(len(evidences), lesson.kinds)
    seen = extract_text_features(extractors, evidences, lesson.labels)

    def learning(share: float) -> None:
        progress(0.3 + 0.7 * share, "learning categories from texts")

    return fit_modality(extractors, seen, lesson.undivided(), seed, progress=learning)


def fit_modality(
    extractors: Extractors,
    seen: EvidenceFeatures,
    lesson: Targets,
    seed: int | None = None,
    join: FeatureJoin | None = None,
    more: AugmentedRows | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> FittedModality:
    """An estimator a view, then a pool a situation; the probabilities are held out over the folds of the ``lesson``.

    Where the categories are divided, the estimator of a view is one of divisions (see ``dividing``). Where vectors are
    sparse, their columns are terms, and a second one weighs them anew (see ``emphasis``); the pool weighs the two.

    Without a ``seed`` the part has no projections: it judges, and embeds nothing. ``join`` makes one vector of those of
    several extractors; ``more`` are rows to learn the whole from besides, joined already, by the listing they are of.
    """
    labels, kinds, folds, divided = lesson.labels, lesson.kinds, lesson.folds, lesson.divided
    if len(np.unique(labels[seen.usable])) < 2:
        return empty_fit(len(labels), kinds)
    if any(len(np.unique(labels[has])) < 2 for has in seen.has.values()):
        seen = seen.whole()
    estimators: dict[View, LinearEstimator] = {}
    voices: dict[str, LinearEstimator] = {}
    scores: dict[View, list[Floats]] = {}
    emphatic: dict[View, LinearEstimator] = {}
    below: dict[View, Pool] = {}
    divisions = SubcategoryScores(divided.parents, below) if divided else None
    usual: dict[View, ScoreStatistics] = {}
    likeness: dict[View, Floats] = {}
    told = divided.labels if divided else labels
    views_seen = len(seen.vectors)
    for number, (view, vectors) in enumerate(seen.vectors.items()):
        has = seen.has[view]
        penalties = PENALTIES if join is None else IMAGE_PENALTIES
        rows, views = _rows(join_features(join, vectors), has), _of_rows(more, has)
        own = len(divided.parents) if divided else kinds
        fitted = fit_ridge(
            rows, told[has], own, folds[has], penalties, views, progress=partial(_tell, progress, number, views_seen)
        )
        estimators[view] = fitted.estimator
        usual[view] = ScoreStatistics.of(fitted.held_out)
        likeness[view] = _spread(usual[view].familiarity(fitted.held_out), has)
        sources = [fitted.held_out]
        if divisions:
            below[view] = fit_pool(sources, told[has])
            sources = divisions.sources(view, fitted.held_out)
        scores[view] = [_spread(source, has) for source in sources]
        if issparse(rows):
            again = partial(_tell, progress, number + 0.5, views_seen)
            fitted = fit_ridge(rows, labels[has], kinds, folds[has], penalties, emphatic=True, progress=again)
            emphatic[view] = fitted.estimator
            scores[view].append(_spread(fitted.held_out, has))
        if join is None or len(join.scales) == 1:
            continue
        # Several extractors are judged together and each alone: their errors differ, and the pool weighs them.
        for name, columns in join.columns(vectors).items():
            alone = None if views is None else AugmentedRows(views.vectors[:, columns], views.origin)
            fitted = fit_ridge(rows[:, columns], labels[has], kinds, folds[has], penalties, alone)
            voices[name] = fitted.estimator
            scores[view].append(_spread(fitted.held_out, has))
    held_out = np.zeros((len(labels), kinds), np.float32)
    familiarity = np.zeros(len(labels), np.float32)
    pools = {}
    for situation, mine in seen.situations().items():
        speakers = POOLED_VIEWS[situation]
        # A listing that has both sides teaches, by each of them, how to judge one that has only that.
        taught = np.all([seen.has[view] for view in speakers], axis=0)
        sources = [each[taught] for view in speakers for each in scores[view]]
        pools[situation] = fit_pool(sources, labels[taught])
        found = np.zeros((len(labels), kinds), np.float32)
        if mine.any():
            found[taught] = held_out_probabilities(sources, labels[taught], folds[taught])
            held_out[mine] = found[mine]
            familiarity[mine] = np.mean([likeness[view][mine] for view in speakers], axis=0)
    embedded = seen.vectors[View.WHOLE] if seed is not None else {}
    projections = {name: principal_axes(_rows(rows, seen.usable), seed or 0) for name, rows in embedded.items()}
    part = ModalityModel(extractors, estimators, pools, projections, join, voices, divisions, emphatic, usual)
    return FittedModality(part, held_out, seen.usable, familiarity)


def _tell(progress: Callable[[float], None], done: float, of: int, share: float) -> None:
    """``share`` of one of the two judgements of a view is done, and ``done`` views of so many."""
    progress((done + share / 2) / of)


def empty_fit(count: int, kinds: int) -> FittedModality:
    """What there is where nothing can be learned from."""
    return FittedModality(
        None, np.zeros((count, kinds), np.float32), np.zeros(count, bool), np.zeros(count, np.float32)
    )


def _spread(rows: Floats, has: NDArray[np.bool_]) -> Floats:
    full = np.zeros((len(has), *rows.shape[1:]), np.float32)
    full[has] = rows
    return full


def _rows(matrix: Matrix, has: NDArray[np.bool_]) -> Matrix:
    return matrix if has.all() else matrix[has]


def _of_rows(more: AugmentedRows | None, has: NDArray[np.bool_]) -> AugmentedRows | None:
    """The same with places among the listings that have the evidence, (n,), instead of among all."""
    return None if more is None else AugmentedRows(more.vectors, np.cumsum(has)[more.origin] - 1)


def principal_axes(rows: Matrix, seed: int) -> Floats:
    """The leading right singular vectors, shape (d, EMBEDDING), by the randomised method of Halko et al. (2011)."""
    from sklearn.utils.extmath import randomized_svd  # only training needs it

    drawn = rows[np.random.default_rng(seed).permutation(rows.shape[0])[:3_000]]
    kept = min(EMBEDDING, *drawn.shape)
    axes = np.zeros((rows.shape[1], EMBEDDING), np.float32)
    axes[:, :kept] = randomized_svd(drawn, kept, n_iter=2, random_state=seed)[2].T
    return axes
