"""Fine-tune a backbone on the catalogue's labels, and keep it if it is better on held-out photos.

A network fits its training photos better than others, so it cannot be measured on them. For each fold, a network is
fine-tuned on the other folds; its scores of the held-out photos calibrate the model and are compared with those of the
published network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import fit_pool, held_out_probabilities, usual_slopes
from pipeline.classification.estimators import IMAGE_PENALTIES, RidgeFit, fit_ridge
from pipeline.classification.evidence_views import EvidenceCase, View
from pipeline.classification.feature_join import FeatureJoin, fit_join
from pipeline.classification.modality_fitting import FittedModality, principal_axes
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.photo_training import Comparison, compare_held_out
from pipeline.classification.targets import Targets
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress, stage
from pipeline.features.extractor import Floats, Mask
from pipeline.features.photo_decoding import decode_photo
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import Backbone, resize_photo
from pipeline.networks.fine_tuning import FineTunedNetwork, FineTuningHistory, LabelledPhotos, fine_tune


class FineTuner(Protocol):
    """Fine-tunes a backbone from its weights file on labelled photos; ``fine_tune`` implements it."""

    def __call__(
        self, backbone: Backbone, weights: Path, photos: LabelledPhotos, progress: Progress, /
    ) -> FineTunedNetwork:
        """The network with its last block fine-tuned, and the history of the epochs."""
        ...


@dataclass(frozen=True, slots=True)
class FineTuningReport:
    """Held-out comparison of the published and the fine-tuned networks, and the history of each fine-tuning."""

    comparison: Comparison
    histories: tuple[FineTuningHistory, ...]

    @property
    def kept(self) -> bool:
        """Whether the model uses the fine-tuned network."""
        return self.comparison.kept

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {**self.comparison.as_json("finetuned"), "histories": [history.as_json() for history in self.histories]}


@dataclass(frozen=True, slots=True)
class FineTunedFit:
    """The better fit, and the report."""

    fitted: FittedModality
    report: FineTuningReport


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """The photos that could be read: ``pixels`` (n, side, side, 3), uint8, as the network takes them."""

    pixels: NDArray[np.uint8]
    targets: Targets

    def training_split(self, inside: Mask, validation_fold: int) -> LabelledPhotos:
        """The photos of the mask ``inside``, (n,), to fine-tune on; ``validation_fold`` is for early stopping only.

        Training photos come with their mirror images.
        """
        folds = self.targets.folds
        inside_rows = np.flatnonzero(inside)
        train_rows = inside_rows[folds[inside_rows] != validation_fold]
        pixels = np.concatenate([self.pixels[inside_rows], self.pixels[train_rows][:, :, ::-1]])
        labels = self.targets.labels[np.concatenate([inside_rows, train_rows])]
        validation = np.concatenate([folds[inside_rows] == validation_fold, np.zeros(len(train_rows), bool)])
        return LabelledPhotos(pixels, labels, validation)


def tunable_network(model: ModalityModel | None) -> PretrainedNetwork | None:
    """The network of a model that can be fine-tuned: its only extractor, with a local weights file; else None."""
    if model is None or len(model.extractors) != 1:
        return None
    (extractor,) = model.extractors.values()
    if not isinstance(extractor, PretrainedNetwork) or extractor.weights is None:
        return None
    return extractor


def fit_fine_tuned(
    published: FittedModality,
    evidences: Sequence[Evidence],
    targets: Targets,
    seed: int,
    progress: Progress,
    tuner: FineTuner = fine_tune,
) -> FineTunedFit:
    """The better of the fit with the ``published`` network and one with that network fine-tuned.

    The network must be tunable (``tunable_network``). It is fine-tuned once per fold, to measure the benefit, and once
    more on all photos if there is one.
    """
    network = tunable_network(published.model)
    if network is None or published.model is None:
        raise ValueError("the model has no network that can be fine-tuned")
    rows = np.flatnonzero(published.usable)
    pixels = np.stack([resize_photo(network.backbone, _decode(evidences[int(row)])) for row in rows])
    photos = PhotoSet(pixels, targets.subset(published.usable).without_subcategories())
    tuning = _Tuning(network, photos, tuner, seed, progress)
    scores = tuning.held_out_scores()
    labels, folds = photos.targets.labels, photos.targets.folds
    probabilities = held_out_probabilities([scores], labels, folds, prior_slopes=usual_slopes(1))
    comparison = compare_held_out(published.probabilities[rows], probabilities, labels, seed)
    if not comparison.kept:
        return FineTunedFit(published, FineTuningReport(comparison, tuple(tuning.histories)))
    final = tuning.fit(np.ones(len(rows), bool), int(np.unique(folds)[0]))
    name = network.backbone.name
    statistics = ScoreStatistics.of(scores)
    model = ModalityModel(
        extractors={name: final.network},
        estimators={View.WHOLE: final.ridge.estimator},
        pools={EvidenceCase.WHOLE: fit_pool([scores], labels, prior_slopes=usual_slopes(1))},
        projections={name: principal_axes(final.vectors, seed)} if published.model.projections else {},
        join=final.join,
        statistics={View.WHOLE: statistics},
    )
    all_probabilities = np.zeros_like(published.probabilities)
    all_probabilities[rows] = probabilities
    max_scores = np.zeros_like(published.max_scores)
    max_scores[rows] = statistics.standardised_max(scores)
    fitted = FittedModality(model, all_probabilities, published.usable, max_scores)
    return FineTunedFit(fitted, FineTuningReport(comparison, tuple(tuning.histories)))


@dataclass(frozen=True, slots=True)
class _TunedFit:
    """A fine-tuned network, its ``vectors`` (n, d) of all photos, and the estimator fitted on the training photos."""

    network: PretrainedNetwork
    vectors: Floats
    join: FeatureJoin
    ridge: RidgeFit


class _Tuning:
    """Fine-tunes one network on different subsets of the same photos."""

    def __init__(
        self, network: PretrainedNetwork, photos: PhotoSet, tuner: FineTuner, seed: int, progress: Progress
    ) -> None:
        self._network = network
        self._photos = photos
        self._tuner = tuner
        self._seed = seed
        self._progress = progress
        self._folds = np.unique(photos.targets.folds)
        self.histories: list[FineTuningHistory] = []

    def held_out_scores(self) -> Floats:
        """Scores (n, categories) of each photo by a network and an estimator fitted on the other folds."""
        targets, name = self._photos.targets, self._network.backbone.name
        scores = np.zeros((len(targets.labels), targets.n_categories), np.float32)
        for index, fold in enumerate(self._folds):
            inside = targets.folds != fold
            fitted = self.fit(inside, int(self._folds[(index + 1) % len(self._folds)]))
            scores[~inside] = fitted.ridge.estimator.scores(fitted.join({name: fitted.vectors[~inside]}))
        return scores

    def fit(self, inside: Mask, validation_fold: int) -> _TunedFit:
        """Fine-tune on the photos of the mask ``inside``, (n,), and fit an estimator on their vectors."""
        name = self._network.backbone.name
        network = self._tune(inside, validation_fold)
        vectors = _unit_rows(network.transform(list(self._photos.pixels)))
        targets = self._photos.targets.subset(inside)
        join = fit_join({name: vectors[inside]}, targets, self._seed)
        ridge = fit_ridge(join({name: vectors[inside]}), targets, IMAGE_PENALTIES)
        return _TunedFit(network, vectors, join, ridge)

    def _tune(self, inside: Mask, validation_fold: int) -> PretrainedNetwork:
        done, steps = len(self.histories), len(self._folds) + 1
        progress = stage(self._progress, done / steps, (done + 1) / steps, f"fine-tuning {done + 1} of {steps}, ")
        network = self._network
        photos = self._photos.training_split(inside, validation_fold)
        tuned = self._tuner(network.backbone, Path(str(network.weights)), photos, progress)
        self.histories.append(tuned.history)
        # Its weights differ from the published file, so only the export can serve it.
        result = type(network)(threads=network.threads, inputs_per_photo=1).set_params()
        result.network_, result.weights_sha256_ = tuned.network, None
        return result


def _unit_rows(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def _decode(evidence: Evidence) -> NDArray[np.uint8]:
    if evidence.photo is None:
        raise ValueError("a listing without a photo has no pixels")
    return decode_photo(evidence.photo)
