"""Fit one modality: the estimators of each view, and the pools that calibrate their held-out scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.classification.calibration import (
    Pool,
    fit_pool,
    held_out_probabilities,
    log_probabilities,
    usual_slopes,
)
from pipeline.classification.category_names import mean_vector, name_vectors
from pipeline.classification.estimators import (
    IMAGE_PENALTIES,
    PENALTIES,
    AugmentedRows,
    LinearEstimator,
    fit_ridge,
)
from pipeline.classification.evidence_views import POOLED_VIEWS, EvidenceCase, EvidenceFeatures, Extractors, View
from pipeline.classification.feature_extraction import (
    MIN_LISTINGS,
    MIN_LISTINGS_TO_ENCODE,
    CachedTextExtractor,
    extract_text_features,
    find_text_encoder,
    fit_text_extractor,
)
from pipeline.classification.feature_join import FeatureJoin
from pipeline.classification.lower_levels_fitting import ClassFit, fit_classes
from pipeline.classification.modality_model import EMBEDDING_WIDTH, ModalityModel, join_features
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.subcategory_scores import SubcategoryScores
from pipeline.classification.targets import MIN_LISTINGS_TO_CHOOSE, Targets, recur_in_other_folds
from pipeline.classification.text_encoder import EncoderEstimators, TextEncoder, combine_max_scores
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, Mask, Matrix

_NAMES_FACTOR = 2.5
_EMBEDDING_SAMPLE = 3_000  # listings that the axes of embeddings are computed from
# Listings below which the encoder is used whatever the held-out figures, which are mostly chance.
_MIN_LISTINGS_TO_DROP_ENCODER = 300


@dataclass(frozen=True, slots=True)
class FittedModality:
    """A fitted ``model``, None when there is too little to fit, and its held-out scores of the training listings.

    ``probabilities`` (n, categories) and ``max_scores`` (n,) are held out; ``usable`` (n,) marks the listings with the
    evidence. ``single_scores`` (n, categories) are the held-out scores by each of several photo extractors alone.
    ``classes`` tell the classes below the main level apart, if there are any.
    """

    model: ModalityModel | None
    probabilities: Floats
    usable: Mask
    max_scores: Floats
    single_scores: Mapping[str, Floats] = field(default_factory=dict)
    classes: ClassFit | None = None

    def with_classes(self, features: EvidenceFeatures, targets: Targets) -> FittedModality:
        """A copy with estimators of the classes below the main level, if the ``targets`` have any."""
        return replace(self, classes=fit_classes(self.model, features, targets))

    def with_embeddings(self, features: EvidenceFeatures, seed: int) -> FittedModality:
        """A copy whose model also computes embeddings, along principal axes of the ``features``."""
        if self.model is None:
            return self
        projections = {
            name: principal_axes(_select_rows(vectors, features.usable), seed)
            for name, vectors in features.whole_vectors.items()
        }
        return replace(self, model=replace(self.model, projections=projections))


def fit_text(
    evidences: Sequence[Evidence],
    targets: Targets,
    options: TrainingOptions,
    text_cache: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
    entries: Sequence[Sequence[CategoryEntry]] = (),
) -> FittedModality:
    """Fit the listings that have a text; words and attributes separately if enough listings have both.

    ``entries``, by category, are its own and some below it: their texts are what is known of a category before there
    are examples of it.
    """
    progress(0.0, f"reading the texts of {len(evidences)} listings")
    encoder = find_text_encoder(options, text_cache)
    min_listings = MIN_LISTINGS if encoder is None else MIN_LISTINGS_TO_ENCODE
    extractors = fit_text_extractor(evidences, options, text_cache, min_listings)
    if extractors is None:
        return empty_fit(len(evidences), targets.n_categories)
    features = extract_text_features(extractors, evidences, targets.labels, encoder)
    fit_progress = stage(progress, 0.3, 1.0, note="learning categories from texts")
    names = name_vectors(encoder.extractor, entries) if encoder is not None and entries else None
    fitted = fit_modality(
        extractors, features, targets.without_subcategories(), encoder=encoder, names=names, progress=fit_progress
    )
    fitted = fitted.with_classes(features, targets)
    return fitted.with_embeddings(features, options.seed) if options.embeddings else fitted


def fit_modality(
    extractors: Extractors,
    features: EvidenceFeatures,
    targets: Targets,
    join: FeatureJoin | None = None,
    augmented: AugmentedRows | None = None,
    progress: Progress = no_progress,
    encoder: TextEncoder | None = None,
    names: Floats | None = None,
) -> FittedModality:
    """Fit the estimators of each view, then a pool for each case of evidence; held out over the folds of ``targets``.

    ``join`` combines the vectors of several extractors into one matrix; ``augmented`` are extra training rows of the
    view WHOLE, already joined. The vectors of the ``encoder`` are used for the views where they improve the held-out
    probabilities; ``names`` (categories, d) are those of the categories' names.
    """
    labels = targets.labels
    if len(np.unique(labels[features.usable])) < 2:
        return empty_fit(len(labels), targets.n_categories)
    if any(len(np.unique(labels[has])) < 2 for has in features.has.values()):
        features = features.whole()
    fits: dict[View, _ViewFit] = {}
    n_views = len(features.vectors)
    for index, view in enumerate(features.vectors):
        view_progress = stage(progress, index / n_views, (index + 1) / n_views)
        fits[view] = _fit_view(_ViewRows.of(view, features, targets, join, augmented), view_progress)
    encoder_fits = {
        view: _fit_encoded(features.has[view], rows, targets, names) for view, rows in features.encoded.items()
    }
    choice = _choose_encoded_views(features, targets, fits, encoder_fits)
    features, pooled = choice.features, choice.pooled
    pools = dict(pooled.pools)
    if choice.views:
        pools[EvidenceCase.ENCODED] = _fit_encoded_pool(
            encoder_fits[choice.views[0]], features, choice.views[0], targets
        )
    encoded = None
    if encoder is not None and choice.views:
        encoded = EncoderEstimators(
            encoder,
            {view: encoder_fits[view].estimator for view in choice.views},
            {view: encoder_fits[view].statistics for view in choice.views},
            {view: named for view in choice.views if (named := encoder_fits[view].names) is not None},
        )
    subcategory_scores = None
    if targets.subcategories is not None:
        subcategory_pools = {view: fit.subcategory_pool for view, fit in fits.items() if fit.subcategory_pool}
        subcategory_scores = SubcategoryScores(targets.subcategories.parents, subcategory_pools)
    model = ModalityModel(
        extractors=extractors,
        estimators={view: fit.estimator for view, fit in fits.items()},
        pools=pools,
        projections={},
        join=join,
        single_extractor={name: estimator for fit in fits.values() for name, estimator in fit.single_extractor.items()},
        subcategories=subcategory_scores,
        term_weighted={view: fit.term_weighted for view, fit in fits.items() if fit.term_weighted},
        statistics={view: fit.statistics for view, fit in fits.items()},
        encoded=encoded,
    )
    single_scores = {name: scores for fit in fits.values() for name, scores in fit.single_scores.items()}
    return FittedModality(model, pooled.probabilities, features.usable, pooled.max_scores, single_scores)


def empty_fit(n_listings: int, n_categories: int) -> FittedModality:
    """The result for ``n_listings`` from which nothing can be learned."""
    probabilities = np.zeros((n_listings, n_categories), np.float32)
    return FittedModality(None, probabilities, np.zeros(n_listings, bool), np.zeros(n_listings, np.float32))


def principal_axes(rows: Matrix, seed: int) -> Floats:
    """The leading right singular vectors, shape (d, EMBEDDING_WIDTH).

    Computed by the randomised method of Halko et al. (2011), on a sample of the rows.
    """
    from sklearn.utils.extmath import randomized_svd  # only training needs it

    sample = rows[np.random.default_rng(seed).permutation(rows.shape[0])[:_EMBEDDING_SAMPLE]]
    n_axes = min(EMBEDDING_WIDTH, *sample.shape)
    axes = np.zeros((rows.shape[1], EMBEDDING_WIDTH), np.float32)
    if n_axes:  # a few texts may have no term in common
        axes[:, :n_axes] = randomized_svd(sample, n_axes, n_iter=2, random_state=seed)[2].T
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
        has_several_extractors = join is not None and len(join.scales) > 1
        return cls(
            view=view,
            has=has,
            vectors=_select_rows(join_features(join, vectors), has),
            targets=targets.subset(has),
            augmented=_reindex_origins(augmented, has),
            penalties=PENALTIES if join is None else IMAGE_PENALTIES,
            extractor_columns=join.columns(vectors) if join is not None and has_several_extractors else {},
        )

    def scatter_to_all_listings(self, rows: Floats) -> Floats:
        """Rows of the listings that have the view, (m, …), as rows of all listings, (n, …); zeros for the others."""
        full = np.zeros((len(self.has), *rows.shape[1:]), np.float32)
        full[self.has] = rows
        return full


@dataclass(frozen=True, slots=True)
class _ViewFit:
    """The estimators of one view, their held-out ``score_matrices`` (n, categories) each, and ``max_scores`` (n,).

    ``names``: the similarities to the categories' names; ``ends_with_names``: whether theirs is the last matrix.
    """

    estimator: LinearEstimator
    statistics: ScoreStatistics
    max_scores: Floats
    score_matrices: list[Floats]
    subcategory_pool: Pool | None = None
    term_weighted: LinearEstimator | None = None
    single_extractor: dict[str, LinearEstimator] = field(default_factory=dict)
    single_scores: dict[str, Floats] = field(default_factory=dict)
    names: LinearEstimator | None = None
    ends_with_names: bool = False

    def with_encoded(self, encoded: _ViewFit) -> _ViewFit:
        """A copy with the scores of the encoder's estimator of this view."""
        max_scores = combine_max_scores(encoded.max_scores, self.max_scores)
        score_matrices = [*self.score_matrices, *encoded.score_matrices]
        ends_with_names = encoded.names is not None
        return replace(self, score_matrices=score_matrices, max_scores=max_scores, ends_with_names=ends_with_names)


def _fit_view(rows: _ViewRows, progress: Progress) -> _ViewFit:
    """Fit the estimators of one view.

    The joint estimator scores subcategories where labels go deeper. Sparse columns are terms, so a second estimator
    weights them by the labels. With several extractors, each also gets an estimator of its own: their errors differ.
    """
    joint_fit = fit_ridge(
        rows.vectors,
        rows.targets.at_subcategories(),
        rows.penalties,
        rows.augmented,
        progress=stage(progress, 0.0, 0.5),
    )
    statistics = ScoreStatistics.of(joint_fit.held_out)
    score_matrices, subcategory_pool = [joint_fit.held_out], None
    if subcategories := rows.targets.subcategories:
        subcategory_pool = fit_pool(score_matrices, subcategories.labels)
        score_matrices = SubcategoryScores(subcategories.parents, {rows.view: subcategory_pool}).category_scores(
            rows.view, joint_fit.held_out
        )
    term_weighted = None
    if issparse(rows.vectors):
        term_weighted_fit = fit_ridge(
            rows.vectors, rows.targets, rows.penalties, term_weighting=True, progress=stage(progress, 0.5, 1.0)
        )
        term_weighted = term_weighted_fit.estimator
        score_matrices.append(term_weighted_fit.held_out)
    single_extractor, single_scores = {}, {}
    for name, columns in rows.extractor_columns.items():
        all_augmented = rows.augmented
        augmented = (
            None if all_augmented is None else AugmentedRows(all_augmented.vectors[:, columns], all_augmented.origin)
        )
        single_fit = fit_ridge(rows.vectors[:, columns], rows.targets, rows.penalties, augmented)
        single_extractor[name] = single_fit.estimator
        single_scores[name] = rows.scatter_to_all_listings(single_fit.held_out)
        score_matrices.append(single_fit.held_out)
    return _ViewFit(
        estimator=joint_fit.estimator,
        statistics=statistics,
        max_scores=rows.scatter_to_all_listings(statistics.standardised_max(joint_fit.held_out)),
        score_matrices=[rows.scatter_to_all_listings(scores) for scores in score_matrices],
        subcategory_pool=subcategory_pool,
        term_weighted=term_weighted,
        single_extractor=single_extractor,
        single_scores=single_scores,
    )


def _fit_encoded(has: Mask, vectors: Floats, targets: Targets, names: Floats | None) -> _ViewFit:
    """Fit the estimator of an encoder's vectors (n, d) of one view, beside the similarities to the ``names``."""
    fit = fit_ridge(vectors[has], targets.subset(has), IMAGE_PENALTIES)
    statistics = ScoreStatistics.of(fit.held_out)
    scores, max_scores = np.zeros((len(has), targets.n_categories), np.float32), np.zeros(len(has), np.float32)
    scores[has], max_scores[has] = fit.held_out, statistics.standardised_max(fit.held_out)
    if names is None:
        return _ViewFit(fit.estimator, statistics, max_scores, [scores])
    similarity = LinearEstimator(names.T.copy(), -np.asarray(names @ mean_vector(vectors[has]), np.float32))
    name_scores = np.where(has[:, None], similarity.scores(vectors), np.float32(0))
    return _ViewFit(fit.estimator, statistics, max_scores, [scores, name_scores], names=similarity)


class _EncodedViews(NamedTuple):
    """The views that the encoder reads, and the features and pools with exactly these."""

    views: tuple[View, ...]
    features: EvidenceFeatures
    pooled: _PooledScores


def _choose_encoded_views(
    features: EvidenceFeatures, targets: Targets, fits: Mapping[View, _ViewFit], encoder_fits: Mapping[View, _ViewFit]
) -> _EncodedViews:
    """The views under whose encoded texts the labels are likeliest, held out; a tie is decided for fewer.

    The encoder reads words first: what it knows of attributes is only tried in addition. With few listings it is never
    left out.
    """
    candidates: list[tuple[View, ...]] = [()]
    for view in (View.WORDS, View.WHOLE):
        if view in encoder_fits:
            candidates.append((*candidates[-1], view))
    if len(candidates) > 1 and features.usable.sum() < _MIN_LISTINGS_TO_DROP_ENCODER:
        candidates.remove(())
    best, best_loss = None, np.inf
    for views in candidates:
        added = {view: fits[view].with_encoded(encoder_fits[view]) for view in views}
        pooled = _fit_pools(features, targets, {**fits, **added})
        loss = _log_loss(pooled.probabilities[features.usable], targets.labels[features.usable])
        if loss < best_loss:
            best, best_loss = _EncodedViews(views, features, pooled), loss
    assert best is not None
    if not best.views and encoder_fits:
        features = features.without_encoder()
        return _EncodedViews((), features, _fit_pools(features, targets, fits))
    return best


def _fit_encoded_pool(fit: _ViewFit, features: EvidenceFeatures, view: View, targets: Targets) -> Pool:
    """The pool of texts that the encoder alone understands."""
    can_fit = features.has[view] & recur_in_other_folds(targets.labels, targets.folds)
    slopes = _usual_slopes([replace(fit, ends_with_names=fit.names is not None)])
    if can_fit.sum() < MIN_LISTINGS_TO_CHOOSE:
        return Pool(slopes, np.zeros(targets.n_categories, np.float32))
    return fit_pool([scores[can_fit] for scores in fit.score_matrices], targets.labels[can_fit], prior_slopes=slopes)


def _log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    return -float(log_probabilities(probabilities)[np.arange(len(labels)), labels].mean())


@dataclass(frozen=True, slots=True)
class _PooledScores:
    """The pools by case of evidence; held-out ``probabilities`` (n, categories) and ``max_scores`` (n,)."""

    pools: dict[EvidenceCase, Pool]
    probabilities: Floats
    max_scores: Floats


def _usual_slopes(fits: Sequence[_ViewFit]) -> Floats:
    """The usual slopes of the score matrices of these views; those of names are larger, for they are similarities."""
    factors = []
    for fit in fits:
        n_names = int(fit.ends_with_names)
        factors += [1.0] * (len(fit.score_matrices) - n_names) + [_NAMES_FACTOR] * n_names
    return np.asarray(usual_slopes(len(factors)) * factors, np.float32)


def _fit_pools(features: EvidenceFeatures, targets: Targets, fits: Mapping[View, _ViewFit]) -> _PooledScores:
    """Fit the pool of each case of evidence on the held-out scores of its views."""
    labels, folds = targets.labels, targets.folds
    recurring = recur_in_other_folds(labels, folds)
    probabilities = np.zeros((len(labels), targets.n_categories), np.float32)
    max_scores = np.zeros(len(labels), np.float32)
    pools = {}
    for case, in_case in features.cases().items():
        views = POOLED_VIEWS[case]
        # Listings with words and attributes also train the pools for listings that have only one of them.
        train = np.all([features.has[view] for view in views], axis=0)
        score_matrices = [scores[train] for view in views for scores in fits[view].score_matrices]
        slopes = _usual_slopes([fits[view] for view in views])
        can_fit = recurring[train]
        if can_fit.sum() < MIN_LISTINGS_TO_CHOOSE:
            pools[case] = Pool(slopes, np.zeros(targets.n_categories, np.float32))
        else:
            counted_scores = [scores[can_fit] for scores in score_matrices]
            pools[case] = fit_pool(counted_scores, labels[train][can_fit], prior_slopes=slopes)
        if in_case.any():
            case_probabilities = np.zeros_like(probabilities)
            case_probabilities[train] = (
                pools[case].probabilities(score_matrices)
                if can_fit.sum() < MIN_LISTINGS_TO_CHOOSE
                else held_out_probabilities(
                    score_matrices,
                    labels[train],
                    folds[train],
                    prior_slopes=slopes,
                    counted=can_fit,
                )
            )
            probabilities[in_case] = case_probabilities[in_case]
            max_scores[in_case] = np.mean([fits[view].max_scores[in_case] for view in views], axis=0)
    return _PooledScores(pools, probabilities, max_scores)


def _select_rows(matrix: Matrix, has: Mask) -> Matrix:
    return matrix if has.all() else matrix[has]


def _reindex_origins(augmented: AugmentedRows | None, has: Mask) -> AugmentedRows | None:
    """The same rows, whose origins index the listings that have the evidence instead of all listings."""
    return None if augmented is None else AugmentedRows(augmented.vectors, np.cumsum(has)[augmented.origin] - 1)
