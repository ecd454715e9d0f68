"""Fisher vectors of dense local descriptors: the built-in photo model, which needs no downloaded weights.

Shape (dense root-SIFT) and colour each get a PCA, a diagonal Gaussian mixture with the place in the photo as two more
columns, and an improved Fisher vector: signed square root, then unit length (Perronnin, Sánchez, Mensink, ECCV 2010).
A photo counts together with its mirror image: a shoe pointing left is a shoe. Beside them stands the layout of the
whole photo: edges and tones on a coarse grid, and its proportions. All of it is of the photo without its empty margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import cv2
import numpy as np

from pipeline.features import dense_descriptors
from pipeline.features.dense_descriptors import PhotoDescriptors, Rows
from pipeline.features.extractor import Photo, Settings, State, Vectors, check_state
from pipeline.features.fisher_vocabulary import FisherVocabulary, Floats, unit
from pipeline.features.trimming import trim_margin

# Columns kept of the projection, the mirror, and how many of the pairs asked for.
_PARTS = {"shape": (64, dense_descriptors.SHAPE_MIRROR, 1.0), "colour": (24, dense_descriptors.COLOUR_MIRROR, 1.0)}
_WEIGHTS = {"shape": 1.0, "colour": 0.6}
# Tones weigh little: the colours of a thing and of what it lies on say less than its outline about what it is.
_LAYOUT_WEIGHTS = {"edges": 0.45, "tones": 0.2}
_LEAST_AGAIN = 100  # descriptors, below which a vocabulary stays whatever they look like
_MOST_EACH = 200  # descriptors of one photo in the sample


class Fisher(Settings):
    """Photos to unit vectors of ``2 * pairs * (64 + 2) + pairs * (24 + 2)`` numbers and the layout.

    ``pairs`` is the number of components of the mixture of shape, each with its mirror image, ``side`` in pixels the
    longest side descriptors are taken at, ``steps`` the distance of patches, a number a scale (see ``patches``).
    ``sample`` bounds the descriptors that ``fit`` looks at, and with them its time and memory. Learns
    ``vocabularies_`` and ``mean_layout_``.
    """

    version: ClassVar[int] = 4

    def __init__(
        self,
        pairs: int = 64,
        side: int = 256,
        steps: tuple[int, ...] = (2, 2, 2),
        sample: int = 40_000,
        rounds: int = 10,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.side = side
        self.steps = steps
        self.sample = sample
        self.rounds = rounds
        self.seed = seed

    def describe(self, photos: Sequence[Photo]) -> list[Rows]:
        """Layout and local descriptors of each photo without its margin, as ``Described.packed`` gives them."""
        if cv2.getNumThreads() != 1:
            cv2.setNumThreads(1)  # photos this small are not worth sharing between threads, which then wait
        return [
            dense_descriptors.describe_dense(trim_margin(photo), self.side, tuple(self.steps)).packed()
            for photo in photos
        ]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn projections and mixtures from the photos' descriptors."""
        return self.fit_descriptors(self.describe(photos))

    def fit_descriptors(self, described: Sequence[Rows]) -> Self:
        """The same from descriptors already computed."""
        rng = np.random.default_rng(self.seed)
        seen = [PhotoDescriptors.unpacked(rows) for rows in described]
        layouts = [_layout(each) for each in seen]
        self.mean_layout_ = {part: np.mean([each[part] for each in layouts], axis=0) for part in _LAYOUT_WEIGHTS}
        self.vocabularies_: dict[str, FisherVocabulary] = {}
        for part, (kept, mirror, share) in _PARTS.items():
            pool = self._drawn([getattr(each, part) for each in seen], rng)
            pairs = max(1, round(self.pairs * share))
            self.vocabularies_[part] = FisherVocabulary.learned(pool, kept, mirror, pairs, self.rounds, rng)
        return self

    def refit(self, photos: Sequence[Photo]) -> bool:
        """Adapt to a catalogue that has changed, of which ``photos`` are a sample. See ``refit_descriptors``."""
        return self.refit_descriptors(self.describe(photos))

    def refit_descriptors(self, described: Sequence[Rows]) -> bool:
        """Whether a vocabulary no longer told what the descriptors look like, and was improved from where it was.

        If so, vectors made before are not comparable with those made from now on; if not, all of them stay valid. The
        projections and the mean layout stay in either case: ``fit`` begins anew.
        """
        rng = np.random.default_rng(self.seed)
        seen = [PhotoDescriptors.unpacked(rows) for rows in described]
        before = dict(self.vocabularies_)
        for part, vocabulary in before.items():
            rows = [getattr(each, part) for each in seen]
            if sum(map(len, rows)) >= _LEAST_AGAIN:
                self.vocabularies_[part] = vocabulary.followed(self._drawn(rows, rng))
        return any(self.vocabularies_[part] is not before[part] for part in before)

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        return self.transform_descriptors(self.describe(photos))

    def transform_descriptors(self, described: Sequence[Rows]) -> Vectors:
        """The same from descriptors already computed."""
        width = sum(2 * vocabulary.mixture.means.size for vocabulary in self.vocabularies_.values())
        width += sum(mean.size for mean in self.mean_layout_.values())
        vectors = np.zeros((len(described), width), np.float32)
        for row, rows in zip(vectors, described, strict=True):
            row[:] = self._vector(PhotoDescriptors.unpacked(rows))
        return vectors

    def fit_transform(self, photos: Sequence[Photo]) -> Vectors:
        """``fit`` and ``transform`` of the same photos."""
        described = self.describe(photos)
        return self.fit_descriptors(described).transform_descriptors(described)

    def state(self) -> State:
        """Settings as JSON, projections and mixtures as arrays."""
        state: State = {"kind": "fisher", "version": self.version, "settings": self.get_params()}
        for part, vocabulary in self.vocabularies_.items():
            state |= vocabulary.state(part)
        return state | {f"{part}_mean": mean for part, mean in self.mean_layout_.items()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The fitted extractor again; BadArtefact for the state of another one."""
        check_state(state, "fisher", cls.version)
        extractor = cls(**{**state["settings"], "steps": tuple(state["settings"]["steps"])})
        extractor.mean_layout_ = {part: state[f"{part}_mean"] for part in _LAYOUT_WEIGHTS}
        extractor.vocabularies_ = {part: FisherVocabulary.from_state(state, part) for part in _PARTS}
        return extractor

    def _drawn(self, rows: Sequence[Rows], rng: np.random.Generator) -> Rows:
        """At most ``sample`` of the rows, about as many of each photo; shape (n, columns)."""
        having = [each for each in rows if len(each)]
        if not having:
            return np.zeros((1, rows[0].shape[1] if rows else dense_descriptors.COLUMNS), np.uint8)
        most = int(np.clip(self.sample // len(having), 20, _MOST_EACH))
        pool = np.concatenate([each[rng.choice(len(each), min(len(each), most), replace=False)] for each in having])
        return pool if len(pool) <= self.sample else pool[rng.choice(len(pool), self.sample, replace=False)]

    def _vector(self, seen: PhotoDescriptors) -> Floats:
        blocks = [weight * self.vocabularies_[part].vector(getattr(seen, part)) for part, weight in _WEIGHTS.items()]
        whole = _layout(seen)
        blocks += [weight * unit(whole[part] - self.mean_layout_[part]) for part, weight in _LAYOUT_WEIGHTS.items()]
        return unit(np.concatenate(blocks))


def _layout(seen: PhotoDescriptors) -> dict[str, Floats]:
    """``edges`` and ``tones`` (with the proportions), each on a scale of its own, and as the mirror has them too."""
    edges = seen.edges.astype(np.float32) / np.float32(512.0)
    edges = edges + edges[:, ::-1][:, :, dense_descriptors.TURNED]
    tones = (seen.tones.astype(np.float32) - (0.0, 128.0, 128.0)) / (127.5, 40.0, 40.0)
    tones = tones + tones[:, ::-1]
    proportions = 11.0 * (seen.proportions - 128.0) / 40.0
    return {"edges": edges.ravel(), "tones": np.append(tones.ravel(), proportions).astype(np.float32)}
