"""One modality of a model, text or photo: from features to calibrated probabilities, and to embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.classification.calibration import Pool
from pipeline.classification.estimators import LinearEstimator
from pipeline.classification.evidence_views import (
    POOLED_VIEWS,
    EvidenceCase,
    EvidenceFeatures,
    Extractors,
    View,
    concatenate_features,
    text_features,
)
from pipeline.classification.feature_join import FeatureJoin
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.subcategory_scores import SubcategoryScores
from pipeline.classification.text_encoder import EncoderEstimators
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Floats, Matrix, State, load_extractor, pack_state, unpack_state

EMBEDDING_WIDTH = 128  # trailing columns are zero where a catalogue is too small for that many axes


@dataclass(frozen=True, slots=True)
class ModalityScores:
    """Calibrated ``probabilities`` (n, categories) and standardised ``max_scores`` (n,); zeros without evidence."""

    probabilities: Floats
    max_scores: Floats


@dataclass(frozen=True, slots=True)
class ModalityModel:
    """Fitted extractors by name, the estimators of each view, and the pools that calibrate their scores.

    ``estimators``, by view, score the joined vectors of all extractors; with ``subcategories`` they score those instead
    of the categories. ``term_weighted``, by view, score the same vectors with terms weighted by the labels, and
    ``single_extractor``, by extractor, the columns of that one alone. ``pools``, by case of evidence, turn all these
    scores into probabilities. ``join`` combines the vectors of the extractors; None: they are concatenated.
    ``projections``, by extractor, are the axes (d, EMBEDDING_WIDTH) of its embeddings. ``statistics``, by view, are
    those of the estimator's held-out scores. ``encoded`` scores the texts that a pretrained encoder reads. Models of
    earlier versions may lack those with a default.
    """

    extractors: Extractors
    estimators: Mapping[View, LinearEstimator]
    pools: Mapping[EvidenceCase, Pool]
    projections: Mapping[str, Floats]
    join: FeatureJoin | None = None
    single_extractor: Mapping[str, LinearEstimator] = field(default_factory=dict)
    subcategories: SubcategoryScores | None = None
    term_weighted: Mapping[View, LinearEstimator] = field(default_factory=dict)
    statistics: Mapping[View, ScoreStatistics] = field(default_factory=dict)
    encoded: EncoderEstimators | None = None

    @property
    def split(self) -> bool:
        """Whether words and attributes have estimators of their own."""
        return View.WORDS in self.estimators

    def text_features(self, evidences: Sequence[Evidence]) -> EvidenceFeatures:
        """The features of texts that this model scores."""
        encoder, views = (self.encoded.encoder.extractor, self.encoded.views) if self.encoded else (None, ())
        return text_features(self.extractors, evidences, split=self.split, encoder=encoder, encoded_views=views)

    def score(self, features: EvidenceFeatures) -> ModalityScores:
        """Probabilities and standardised maximum scores of n listings."""
        features = features if self.split else features.whole()
        n_categories = len(next(iter(self.pools.values())).bias)
        probabilities = np.zeros((len(features.usable), n_categories), np.float32)
        max_scores = np.zeros(len(features.usable), np.float32)
        for case, rows in features.cases().items():
            if case is EvidenceCase.ENCODED and rows.any() and self.encoded:
                view = features.encoded_view
                vectors = features.encoded[view][rows]
                scores = self.encoded.scores(view, vectors)
                name_scores = self.encoded.name_scores(view, vectors)
                probabilities[rows] = self.pools[case].probabilities([scores, *name_scores])
                max_scores[rows] = self.encoded.max_scores(view, scores, None)
            elif rows.any():
                score_matrices, views = [], POOLED_VIEWS[case]
                for view in views:
                    vectors = join_features(self.join, features.vectors[view])
                    vectors = vectors if rows.all() else vectors[rows]
                    scores = self.estimators[view].scores(vectors)
                    score_matrices += [
                        *self._joint_score_matrices(view, vectors, scores),
                        *self._single_extractor_score_matrices(vectors),
                    ]
                    view_max = self.statistics[view].standardised_max(scores) if view in self.statistics else None
                    if self.encoded and view in self.encoded.views:
                        encoded_scores = self.encoded.scores(view, features.encoded[view][rows])
                        name_scores = self.encoded.name_scores(view, features.encoded[view][rows])
                        score_matrices += [encoded_scores, *name_scores]
                        view_max = self.encoded.max_scores(view, encoded_scores, view_max)
                    if view_max is not None:
                        max_scores[rows] += view_max / np.float32(len(views))
                probabilities[rows] = self.pools[case].probabilities(score_matrices)
        return ModalityScores(probabilities, max_scores)

    def probabilities(self, features: EvidenceFeatures) -> Floats:
        """Calibrated probabilities (n, categories); zeros without evidence."""
        return self.score(features).probabilities

    def _joint_score_matrices(self, view: View, vectors: Matrix, scores: Floats) -> list[Floats]:
        """The scores of the estimators of all extractors together, by category."""
        score_matrices = [scores] if self.subcategories is None else self.subcategories.category_scores(view, scores)
        return (
            [*score_matrices, self.term_weighted[view].scores(vectors)]
            if view in self.term_weighted
            else score_matrices
        )

    def _single_extractor_score_matrices(self, vectors: Matrix) -> list[Floats]:
        """The scores of each extractor alone; its columns are in the order of the estimators."""
        score_matrices, start = [], 0
        for estimator in self.single_extractor.values():
            end = start + len(estimator.weights)
            score_matrices.append(estimator.scores(vectors[:, start:end]))
            start = end
        return score_matrices

    def embeddings(self, features: EvidenceFeatures) -> dict[str, Floats]:
        """By extractor, unit vectors (n, EMBEDDING_WIDTH); zeros where there is nothing to embed."""
        embeddings = {}
        for name, axes in self.projections.items():
            projected = np.asarray(features.whole_vectors[name] @ axes, np.float32)
            embeddings[name] = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9)
        return embeddings

    def state(self) -> State:
        """Estimators, pools and projections under the keys of the stored format; extractors have their own states."""
        state: State = {"views": list(self.estimators), "pools": list(self.pools)}
        for view, estimator in self.estimators.items():
            state |= estimator.state(view)
        for case, pool in self.pools.items():
            state |= {f"{case}_slopes": pool.slopes, f"{case}_bias": pool.bias}
        state |= self.subcategories.state() if self.subcategories else {}
        state |= self.join.state() if self.join else {}
        state |= {"voices": list(self.single_extractor)} if self.single_extractor else {}
        state |= {"emphatic": list(self.term_weighted)} if self.term_weighted else {}
        state |= {
            "usual": {view: [statistics.mean, statistics.deviation] for view, statistics in self.statistics.items()}
        }
        for view, estimator in self.term_weighted.items():
            state |= estimator.state(f"emphatic_{view}")
        for name, estimator in self.single_extractor.items():
            state |= estimator.state(f"voice_{name}")
        state |= self.encoded.state() if self.encoded else {}
        return state | {f"projection_{name}": axes for name, axes in self.projections.items()}

    def files(self, name: str) -> dict[str, bytes]:
        """The files of this model under ``name``, and those of its extractors."""
        files = pack_state(name, self.state())
        for extractor_name, extractor in self.extractors.items():
            files |= pack_state(f"extractor_{extractor_name}", extractor.state())
        return files | (self.encoded.files() if self.encoded else {})

    @classmethod
    def from_files(cls, name: str, extractors: Sequence[str], files: Mapping[str, bytes]) -> ModalityModel:
        """The model saved under ``name``; KeyError or BadArtefact when something is missing or damaged."""
        state = unpack_state(name, files)
        return cls(
            extractors={
                extractor: load_extractor(extractor).from_state(unpack_state(f"extractor_{extractor}", files))
                for extractor in extractors
            },
            estimators={View(view): LinearEstimator.from_state(view, state) for view in state["views"]},
            pools={EvidenceCase(case): Pool(state[f"{case}_slopes"], state[f"{case}_bias"]) for case in state["pools"]},
            projections={extractor: state[f"projection_{extractor}"] for extractor in extractors},
            join=FeatureJoin.from_state(state),
            single_extractor={
                extractor: LinearEstimator.from_state(f"voice_{extractor}", state)
                for extractor in state.get("voices", ())
            },
            subcategories=SubcategoryScores.from_state(state),
            term_weighted={
                View(view): LinearEstimator.from_state(f"emphatic_{view}", state) for view in state.get("emphatic", ())
            },
            statistics={
                View(view): ScoreStatistics(*map(float, statistics))
                for view, statistics in state.get("usual", {}).items()
            },
            encoded=EncoderEstimators.from_files(state, files),
        )


def join_features(join: FeatureJoin | None, vectors: Mapping[str, Matrix]) -> Matrix:
    """Combine the vectors (n, d) of all extractors into one matrix."""
    return concatenate_features(vectors) if join is None else join(vectors)
