"""The pretrained text encoder of a model, with estimators of its own beside those of the other text extractors.

TF-IDF learns words from the listings of a catalogue; an encoder knows words that none of them has, in several
languages. The first is better where there are many labelled listings, the second where there are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from pipeline.classification.estimators import LinearEstimator
from pipeline.classification.evidence_views import View
from pipeline.classification.novelty import ScoreStatistics
from pipeline.features.extractor import Floats, State, TextExtractor, load_extractor, pack_state, unpack_state


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A fitted ``extractor`` and its name."""

    name: str
    extractor: TextExtractor


def combine_max_scores(encoder: Floats, others: Floats) -> Floats:
    """The standardised maximum scores (n,) of a view, by those of the encoder and of the other estimators."""
    return np.maximum(encoder, others)


@dataclass(frozen=True, slots=True)
class EncoderEstimators:
    """An encoder with an estimator for each view that it reads, and the statistics of its held-out scores.

    ``names``, by view, score texts by their similarity to the names of the categories. Models of earlier versions lack
    them.
    """

    encoder: TextEncoder
    estimators: Mapping[View, LinearEstimator]
    statistics: Mapping[View, ScoreStatistics]
    names: Mapping[View, LinearEstimator] = field(default_factory=dict)

    @property
    def views(self) -> tuple[View, ...]:
        """The views that the encoder reads."""
        return tuple(self.estimators)

    def scores(self, view: View, vectors: Floats) -> Floats:
        """Scores (n, categories) of encoded texts (n, d)."""
        return self.estimators[view].scores(vectors)

    def name_scores(self, view: View, vectors: Floats) -> list[Floats]:
        """The similarities (n, categories) of encoded texts (n, d) to the categories' names, if these are known."""
        return [self.names[view].scores(vectors)] if view in self.names else []

    def max_scores(self, view: View, scores: Floats, others: Floats | None) -> Floats:
        """Standardised maximum scores (n,) of the view, by the encoder's ``scores`` and those of the ``others``."""
        own = self.statistics[view].standardised_max(scores)
        return own if others is None else combine_max_scores(own, others)

    def state(self) -> State:
        """Everything but the encoder that ``from_files`` needs."""
        state: State = {"encoder": self.encoder.name}
        state |= {"encoded": {view: [usual.mean, usual.deviation] for view, usual in self.statistics.items()}}
        for view, estimator in self.estimators.items():
            state |= estimator.state(f"encoded_{view}")
        state |= {"named": list(self.names)} if self.names else {}
        for view, names in self.names.items():
            state |= names.state(f"named_{view}")
        return state

    def files(self) -> dict[str, bytes]:
        """The files of the encoder."""
        return pack_state(f"extractor_{self.encoder.name}", self.encoder.extractor.state())

    @classmethod
    def from_files(cls, state: State, files: Mapping[str, bytes]) -> Self | None:
        """Restore from ``state`` and ``files``; None when they contain no encoder.

        Raises BadArtefact when the installed encoder is another one, Unavailable when there is none.
        """
        if "encoder" not in state:
            return None
        name = str(state["encoder"])
        extractor = load_extractor(name).from_state(unpack_state(f"extractor_{name}", files))
        statistics = {View(view): ScoreStatistics(*map(float, usual)) for view, usual in state["encoded"].items()}
        estimators = {view: LinearEstimator.from_state(f"encoded_{view}", state) for view in statistics}
        names = {View(view): LinearEstimator.from_state(f"named_{view}", state) for view in state.get("named", ())}
        return cls(TextEncoder(name, extractor), estimators, statistics, names)
