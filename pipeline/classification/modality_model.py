"""Part: one modality of a model, from listings to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.classification.calibration import Floats, Pool
from pipeline.classification.estimators import LinearEstimator
from pipeline.classification.evidence_views import (
    POOLED_VIEWS,
    EvidenceFeatures,
    Extractors,
    View,
    concatenate_features,
)
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.nystroem import FeatureJoin
from pipeline.classification.subcategories import SubcategoryScores
from pipeline.features import extractor as features_extractor
from pipeline.features.extractor import Matrix, State

EMBEDDING = 128  # width of every embedding; a catalogue too small for so many axes leaves the rest zero


@dataclass(frozen=True, slots=True)
class ModalityModel:
    """Fitted extractors by name, an estimator a view on their vectors side by side, and how those are pooled.

    ``join`` says how those vectors become one; None: as they are. ``voices``, by extractor, judge by its columns of
    that one alone, and are pooled with the estimator of all. ``pools`` are by situation (``views.SPEAKERS``).
    ``projections`` hold, by extractor, the axes (d, EMBEDDING) that make an embedding of a feature vector.
    With ``divisions`` the estimators score those instead of the categories they are of. ``emphatic``, by view, judge
    beside those of ``estimators`` by terms weighed anew. ``usual``, by view, is how its estimator scores what it knows.
    Models of an earlier program have neither.
    """

    extractors: Extractors
    estimators: Mapping[View, LinearEstimator]
    pools: Mapping[str, Pool]
    projections: Mapping[str, Floats]
    join: FeatureJoin | None = None
    voices: Mapping[str, LinearEstimator] = field(default_factory=dict)
    divisions: SubcategoryScores | None = None
    emphatic: Mapping[View, LinearEstimator] = field(default_factory=dict)
    usual: Mapping[View, ScoreStatistics] = field(default_factory=dict)

    @property
    def split(self) -> bool:
        """Whether words and attributes are judged apart."""
        return View.WORDS in self.estimators

    def judge(self, seen: EvidenceFeatures) -> tuple[Floats, Floats]:
        """Calibrated probabilities (n, categories), and familiarity (n,); zeros where nothing can be judged."""
        seen = seen if self.split else seen.whole()
        kinds = len(next(iter(self.pools.values())).bias)
        found = np.zeros((len(seen.usable), kinds), np.float32)
        familiarity = np.zeros(len(seen.usable), np.float32)
        for situation, rows in seen.situations().items():
            if rows.any():
                sources, speakers = [], POOLED_VIEWS[situation]
                for view in speakers:
                    vectors = join_features(self.join, seen.vectors[view])
                    vectors = vectors if rows.all() else vectors[rows]
                    scores = self.estimators[view].scores(vectors)
                    sources += [*self._together(view, vectors, scores), *self._alone(vectors)]
                    if view in self.usual:
                        familiarity[rows] += self.usual[view].familiarity(scores) / np.float32(len(speakers))
                found[rows] = self.pools[situation].probabilities(sources)
        return found, familiarity

    def probabilities(self, seen: EvidenceFeatures) -> Floats:
        """The first of ``judge``."""
        return self.judge(seen)[0]

    def _together(self, view: View, vectors: Matrix, scores: Floats) -> list[Floats]:
        sources = [scores] if self.divisions is None else self.divisions.sources(view, scores)
        return [*sources, self.emphatic[view].scores(vectors)] if view in self.emphatic else sources

    def _alone(self, vectors: Matrix) -> list[Floats]:
        """What each voice says; the columns lie in the order of the voices."""
        scores, start = [], 0
        for voice in self.voices.values():
            end = start + len(voice.weights)
            scores.append(voice.scores(vectors[:, start:end]))
            start = end
        return scores

    def embeddings(self, seen: EvidenceFeatures) -> dict[str, Floats]:
        """By extractor, unit vectors of shape (n, EMBEDDING); zeros where there is nothing to embed."""
        found = {}
        for name, axes in self.projections.items():
            projected = np.asarray(seen.vectors[View.WHOLE][name] @ axes, np.float32)
            found[name] = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9)
        return found

    def state(self) -> State:
        """Estimators, pools and projections; the extractors have states of their own."""
        state: State = {"views": list(self.estimators), "pools": list(self.pools)}
        for view, estimator in self.estimators.items():
            state |= estimator.state(view)
        for situation, pool in self.pools.items():
            state |= {f"{situation}_slopes": pool.slopes, f"{situation}_bias": pool.bias}
        state |= self.divisions.state() if self.divisions else {}
        state |= self.join.state() if self.join else {}
        state |= {"voices": list(self.voices)} if self.voices else {}
        state |= {"emphatic": list(self.emphatic)} if self.emphatic else {}
        state |= {"usual": {view: [usual.mean, usual.spread] for view, usual in self.usual.items()}}
        for view, estimator in self.emphatic.items():
            state |= estimator.state(f"emphatic_{view}")
        for name, voice in self.voices.items():
            state |= voice.state(f"voice_{name}")
        return state | {f"projection_{name}": axes for name, axes in self.projections.items()}

    @classmethod
    def from_files(cls, name: str, extractors: Sequence[str], files: Mapping[str, bytes]) -> ModalityModel:
        """The part saved under ``name``; KeyError or BadArtefact when something is missing or damaged."""
        state = features_extractor.unpack_state(name, files)
        return cls(
            {
                extractor: features_extractor.load_extractor(extractor).from_state(
                    features_extractor.unpack_state(f"extractor_{extractor}", files)
                )
                for extractor in extractors
            },
            {View(view): LinearEstimator.from_state(view, state) for view in state["views"]},
            {pooled: Pool(state[f"{pooled}_slopes"], state[f"{pooled}_bias"]) for pooled in state["pools"]},
            {extractor: state[f"projection_{extractor}"] for extractor in extractors},
            FeatureJoin.from_state(state),
            {voice: LinearEstimator.from_state(f"voice_{voice}", state) for voice in state.get("voices", ())},
            SubcategoryScores.from_state(state),
            {View(view): LinearEstimator.from_state(f"emphatic_{view}", state) for view in state.get("emphatic", ())},
            {View(view): ScoreStatistics(*map(float, usual)) for view, usual in state.get("usual", {}).items()},
        )


def join_features(join: FeatureJoin | None, vectors: Mapping[str, Matrix]) -> Matrix:
    """One matrix of the vectors (n, d) of all extractors."""
    return concatenate_features(vectors) if join is None else join(vectors)
