"""Fit one modality: the estimators of each view, and the pools that calibrate their held-out scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import issparse

from pipeline.classification.calibration import Pool, fit_pool, held_out_probabilities
from pipeline.classification.estimators import (
    IMAGE_PENALTIES,
    PENALTIES,
    AugmentedRows,
    LinearEstimator,
    fit_ridge,
)
from pipeline.classification.evidence_views import POOLED_VIEWS, EvidenceCase, EvidenceFeatures, Extractors, View
from pipeline.classification.feature_extraction import CachedTextExtractor, extract_text_features, fit_text_extractor
from pipeline.classification.modality_model import EMBEDDING_WIDTH, ModalityModel, join_features
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.nystroem import FeatureJoin
from pipeline.classification.subcategory_scores import SubcategoryScores
from pipeline.classification.targets import Targets
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, Mask, Matrix

_EMBEDDING_SAMPLE = 3_000  # listings that the axes of embeddings are computed from


@dataclass(frozen=True, slots=True)
class FittedModality:
    """A fitted ``model``, None when there is too little to fit, and its scores of the training listings, held out.

    ``probabilities`` (n, categories) and ``max_scores`` (n,) are held out; ``usable`` (n,) listings have the evidence.
    """

    model: ModalityModel | None
    probabilities: Floats
    usable: Mask
    max_scores: Floats

    def with_embeddings(self, features: EvidenceFeatures, seed: int) -> FittedModality:
        """The same, whose model also makes embeddings, along principal axes of the ``features``."""
        if self.model is None:
            return self
        projections = {
            name: principal_axes(_rows(vectors, features.usable), seed)
            for name, vectors in features.whole_vectors.items()
        }
        return replace(self, model=replace(self.model, projections=projections))


def fit_text(
    evidences: Sequence[Evidence],
    targets: Targets,
    options: TrainingOptions,
    text_cache: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
) -> FittedModality:
    """Fit the text on the listings that have any; words and attributes apart if enough listings have both."""
    progress(0.0, f"reading the texts of {len(evidences)} listings")
    extractors = fit_text_extractor(evidences, options, text_cache)
    if extractors is None:
        return empty_fit(len(evidences), targets.n_categories)
    features = extract_text_features(extractors, evidences, targets.labels)
    learning = stage(progress, 0.3, 1.0, note="learning categories from texts")
    fitted = fit_modality(extractors, features, targets.without_subcategories(), progress=learning)
    return fitted.with_embeddings(features, options.seed) if options.embeddings else fitted


def fit_modality(
    extractors: Extractors,
    features: EvidenceFeatures,
    targets: Targets,
    join: FeatureJoin | None = None,
    augmented: AugmentedRows | None = None,
    progress: Progress = no_progress,
) -> FittedModality:
    """Fit the estimators of each view, then a pool for each case of evidence; held out over the folds of ``targets``.

    ``join`` makes one matrix of several extractors' vectors; ``augmented`` are more rows for the whole, joined already.
    """
    labels = targets.labels
    if len(np.unique(labels[features.usable])) < 2:
        return empty_fit(len(labels), targets.n_categories)
    if any(len(np.unique(labels[has])) < 2 for has in features.has.values()):
        features = features.whole()
    fits: dict[View, _ViewFit] = {}
    count = len(features.vectors)
    for number, view in enumerate(features.vectors):
        view_progress = stage(progress, number / count, (number + 1) / count)
        fits[view] = _fit_view(_ViewRows.of(view, features, targets, join, augmented), view_progress)
    pooled = _fit_pools(features, targets, fits)
    below, subcategories = targets.subcategories, None
    if below is not None:
        subcategory_pools = {view: each.subcategory_pool for view, each in fits.items() if each.subcategory_pool}
        subcategories = SubcategoryScores(below.parents, subcategory_pools)
    model = ModalityModel(
        extractors=extractors,
        estimators={view: each.estimator for view, each in fits.items()},
        pools=pooled.pools,
        projections={},
        join=join,
        single_extractor={name: one for each in fits.values() for name, one in each.single_extractor.items()},
        subcategories=subcategories,
        term_weighted={view: each.term_weighted for view, each in fits.items() if each.term_weighted},
        statistics={view: each.statistics for view, each in fits.items()},
    )
    return FittedModality(model, pooled.probabilities, features.usable, pooled.max_scores)


def empty_fit(count: int, n_categories: int) -> FittedModality:
    """The result for ``count`` listings that nothing can be learned from."""
    probabilities = np.zeros((count, n_categories), np.float32)
    return FittedModality(None, probabilities, np.zeros(count, bool), np.zeros(count, np.float32))


def principal_axes(rows: Matrix, seed: int) -> Floats:
    """The leading right singular vectors, shape (d, EMBEDDING_WIDTH).

    By the randomised method of Halko et al. (2011), on a sample of the rows.
    """
    from sklearn.utils.extmath import randomized_svd  # only training needs it

    drawn = rows[np.random.default_rng(seed).permutation(rows.shape[0])[:_EMBEDDING_SAMPLE]]
    kept = min(EMBEDDING_WIDTH, *drawn.shape)
    axes = np.zeros((rows.shape[1], EMBEDDING_WIDTH), np.float32)
    axes[:, :kept] = randomized_svd(drawn, kept, n_iter=2, random_state=seed)[2].T
    return axes


@dataclass(frozen=True, slots=True)
class _ViewRows:
    """The training rows of one view: the joined vectors (m, d) and targets of the listings that have it."""

    view: View
    has: Mask
    vectors: Matrix
    targets: Targets
    augmented: AugmentedRows | None
    penalties: Sequence[float]
    extractor_columns: dict[str, slice]

    @classmethod
    def of(
        cls,
        view: View,
        features: EvidenceFeatures,
        targets: Targets,
        join: FeatureJoin | None,
        augmented: AugmentedRows | None,
    ) -> _ViewRows:
        has, vectors = features.has[view], features.vectors[view]
        several = join is not None and len(join.scales) > 1
        return cls(
            view=view,
            has=has,
            vectors=_rows(join_features(join, vectors), has),
            targets=targets.rows(has),
            augmented=_reindex_origins(augmented, has),
            penalties=PENALTIES if join is None else IMAGE_PENALTIES,
            extractor_columns=join.columns(vectors) if join is not None and several else {},
        )

    def spread(self, rows: Floats) -> Floats:
        """Rows of the listings that have the view, (m, …), as rows of all listings, (n, …); zeros for the others."""
        full = np.zeros((len(self.has), *rows.shape[1:]), np.float32)
        full[self.has] = rows
        return full


@dataclass(frozen=True, slots=True)
class _ViewFit:
    """The estimators of one view, and held out: ``sources`` of scores (n, categories) and ``max_scores`` (n,)."""

    estimator: LinearEstimator
    statistics: ScoreStatistics
    max_scores: Floats
    sources: list[Floats]
    subcategory_pool: Pool | None = None
    term_weighted: LinearEstimator | None = None
    single_extractor: dict[str, LinearEstimator] = field(default_factory=dict)


def _fit_view(rows: _ViewRows, progress: Progress) -> _ViewFit:
    """Fit the estimators of one view.

    Where labels go deeper, the first one scores subcategories. Sparse columns are terms, so a second one weights
    them by the labels. Of several extractors, each also has one of its own, beside the joint one: their errors differ.
    """
    fitted = fit_ridge(
        rows.vectors,
        rows.targets.at_subcategories(),
        rows.penalties,
        rows.augmented,
        progress=stage(progress, 0.0, 0.5),
    )
    statistics = ScoreStatistics.of(fitted.held_out)
    sources, pool = [fitted.held_out], None
    if below := rows.targets.subcategories:
        pool = fit_pool(sources, below.labels)
        sources = SubcategoryScores(below.parents, {rows.view: pool}).category_scores(rows.view, fitted.held_out)
    term_weighted = None
    if issparse(rows.vectors):
        again = fit_ridge(
            rows.vectors, rows.targets, rows.penalties, term_weighting=True, progress=stage(progress, 0.5, 1.0)
        )
        term_weighted = again.estimator
        sources.append(again.held_out)
    single_extractor = {}
    for name, columns in rows.extractor_columns.items():
        more = rows.augmented
        augmented = None if more is None else AugmentedRows(more.vectors[:, columns], more.origin)
        alone = fit_ridge(rows.vectors[:, columns], rows.targets, rows.penalties, augmented)
        single_extractor[name] = alone.estimator
        sources.append(alone.held_out)
    return _ViewFit(
        estimator=fitted.estimator,
        statistics=statistics,
        max_scores=rows.spread(statistics.standardised_max(fitted.held_out)),
        sources=[rows.spread(source) for source in sources],
        subcategory_pool=pool,
        term_weighted=term_weighted,
        single_extractor=single_extractor,
    )


@dataclass(frozen=True, slots=True)
class _PooledScores:
    """The pools by case of evidence; held-out ``probabilities`` (n, categories) and ``max_scores`` (n,)."""

    pools: dict[EvidenceCase, Pool]
    probabilities: Floats
    max_scores: Floats


def _fit_pools(features: EvidenceFeatures, targets: Targets, fits: dict[View, _ViewFit]) -> _PooledScores:
    """Fit the pool of each case of evidence on the held-out scores of its views."""
    labels, folds = targets.labels, targets.folds
    probabilities = np.zeros((len(labels), targets.n_categories), np.float32)
    max_scores = np.zeros(len(labels), np.float32)
    pools = {}
    for case, in_case in features.cases().items():
        views = POOLED_VIEWS[case]
        # A listing with words and attributes also trains the pools for listings that have only one of them.
        train = np.all([features.has[view] for view in views], axis=0)
        sources = [source[train] for view in views for source in fits[view].sources]
        pools[case] = fit_pool(sources, labels[train])
        if in_case.any():
            found = np.zeros_like(probabilities)
            found[train] = held_out_probabilities(sources, labels[train], folds[train])
            probabilities[in_case] = found[in_case]
            max_scores[in_case] = np.mean([fits[view].max_scores[in_case] for view in views], axis=0)
    return _PooledScores(pools, probabilities, max_scores)


def _rows(matrix: Matrix, has: Mask) -> Matrix:
    return matrix if has.all() else matrix[has]


def _reindex_origins(augmented: AugmentedRows | None, has: Mask) -> AugmentedRows | None:
    """The same rows with origins among the listings that have the evidence instead of among all."""
    return None if augmented is None else AugmentedRows(augmented.vectors, np.cumsum(has)[augmented.origin] - 1)
