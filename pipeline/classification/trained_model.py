"""TrainedModel: the bundle that predicts and decides; it loads without scikit-learn and without tensorflow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Pool
from pipeline.classification.decision_policy import Thresholds, decide
from pipeline.classification.evidence_views import photo_features
from pipeline.classification.fusion import Fusion, ModalityProbabilities, fuse
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.novelty import MaxScores, NoveltyFloors
from pipeline.classification.photo_reader import DecodedListing, DescribedListing, PhotoReader
from pipeline.domain.decision import Decision
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.extractor import Floats, ImageExtractor, Mask, pack_state, unpack_state

BUNDLE_FORMAT = 3
READABLE_FORMATS = (2, BUNDLE_FORMAT)  # 2 had neither subcategories nor term weights
MAX_RANKED_CATEGORIES = 5  # of a prediction


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The predictions and the decision for one listing.

    ``image_problem`` is the reason why a photo cannot be read, else None. ``embeddings`` are float32 unit vectors by
    extractor; ``seconds`` are by stage.
    """

    text: Prediction | None
    image: Prediction | None
    fused: Prediction | None
    image_problem: Reason | None
    decision: Decision
    embeddings: Mapping[str, NDArray[np.float32]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScoredListings:
    """Calibrated probabilities (n, categories) by text, image and both, and the maximum scores behind them."""

    text: Floats
    image: Floats
    fused: Floats
    max_scores: MaxScores

    @property
    def has_text(self) -> Mask:
        """The listings with a usable text, (n,)."""
        return self.max_scores.has_text

    @property
    def has_image(self) -> Mask:
        """The listings with a usable photo, (n,)."""
        return self.max_scores.has_image

    def subset(self, mask: Mask) -> ScoredListings:
        """The scores of the listings in ``mask``, (n,)."""
        return ScoredListings(self.text[mask], self.image[mask], self.fused[mask], self.max_scores.subset(mask))


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Scores and embeddings of n listings, and the seconds per listing that each stage took."""

    scored: ScoredListings
    embeddings: Mapping[str, Floats]
    seconds: Mapping[str, float]


class TrainedModel:
    """The bundle of a model version; ``categories`` are canonical paths, cut to ``level``."""

    def __init__(
        self,
        level: int,
        categories: tuple[str, ...],
        text: ModalityModel | None,
        image: ModalityModel | None,
        fusion: Fusion | None,
        thresholds: Thresholds,
    ) -> None:
        self.level = level
        self.categories = categories
        self.text = text
        self.image = image
        self.fusion = fusion
        self.thresholds = thresholds
        self.reader = PhotoReader(cast(Mapping[str, ImageExtractor], image.extractors if image else {}))

    def decode(self, evidence: Evidence) -> DecodedListing:
        """Decode the photo of a listing for ``answer``, in any thread; its bytes are dropped."""
        return self.reader.decode(evidence)

    def answer(self, listings: Iterable[Evidence | DecodedListing]) -> list[ModelAnswer]:
        """One answer per listing, in order. Bad photos and empty texts give partial answers, never an error.

        Each photo is described as ``listings`` yields it, while the next ones may be fetched and decoded.
        """
        described = [
            self.reader.describe_decoded(listing if isinstance(listing, DecodedListing) else self.decode(listing))
            for listing in listings
        ]
        if not described:
            return []
        scoring = self._score(described)
        novel = self.thresholds.floors.below(scoring.scored.max_scores)
        return [self._answer(scoring, row, listing, novel=bool(novel[row])) for row, listing in enumerate(described)]

    def score(self, listings: Sequence[DescribedListing]) -> ScoredListings:
        """The probabilities alone, for evaluation."""
        return self._score(listings).scored

    def _score(self, listings: Sequence[DescribedListing]) -> _Scoring:
        n_listings = len(listings)
        texts = images = np.zeros((n_listings, len(self.categories)), np.float32)
        has_text = has_image = np.zeros(n_listings, bool)
        max_text = max_image = np.zeros(n_listings, np.float32)
        embeddings: dict[str, Floats] = {}
        started = time.perf_counter()
        if self.text:
            evidences = [listing.evidence for listing in listings]
            features = self.text.text_features(evidences)
            scores = self.text.score(features)
            texts, max_text, has_text = scores.probabilities, scores.max_scores, features.usable
            embeddings |= self.text.embeddings(features)
        text_done = time.perf_counter()
        if self.image:
            features = photo_features(self.image.extractors, listings)
            has_image = features.usable
            if has_image.any():
                scores = self.image.score(features)
                images, max_image = scores.probabilities, scores.max_scores
                embeddings |= self.image.embeddings(features)
        image_done = time.perf_counter()
        fused = fuse(self.fusion, ModalityProbabilities(texts, images, has_text, has_image))
        scored = ScoredListings(texts, images, fused, MaxScores(max_text, max_image, has_text, has_image))
        seconds = {
            "decode": 0.0,
            "text": (text_done - started) / n_listings,
            "image": (image_done - text_done) / n_listings,
            "fuse": (time.perf_counter() - image_done) / n_listings,
        }
        return _Scoring(scored, embeddings, seconds)

    def _answer(self, scoring: _Scoring, row: int, listing: DescribedListing, *, novel: bool) -> ModelAnswer:
        scored = scoring.scored
        has_text, has_image = bool(scored.has_text[row]), bool(scored.has_image[row])
        text = self._ranked(Modality.TEXT, scored.text[row]) if has_text else None
        image = self._ranked(Modality.IMAGE, scored.image[row]) if has_image else None
        fused = self._ranked(Modality.FUSED, scored.fused[row]) if has_text or has_image else None
        text_problem = None if has_text else self._text_problem(listing)
        photo_seconds = {"decode": 0.0, "image": 0.0, **listing.seconds}
        return ModelAnswer(
            text=text,
            image=image,
            fused=fused,
            image_problem=listing.problem if listing.broken else None,
            decision=decide(
                fused, self.thresholds, text_problem=text_problem, photo_problem=listing.problem, novel=novel
            ),
            embeddings={name: vectors[row] for name, vectors in scoring.embeddings.items() if vectors[row].any()},
            seconds={stage: photo_seconds.get(stage, 0.0) + seconds for stage, seconds in scoring.seconds.items()},
        )

    def _text_problem(self, listing: DescribedListing) -> Reason:
        if not listing.evidence.has_text:
            return Reason(ReasonCode.NO_TEXT)
        return Reason(ReasonCode.NO_KNOWN_WORD if self.text else ReasonCode.PHOTO_MODEL)

    def _ranked(self, modality: Modality, probabilities: Floats) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:MAX_RANKED_CATEGORIES]
        return Prediction(modality, tuple(Ranked(self.categories[i], float(probabilities[i])) for i in order))

    def files(self) -> dict[str, bytes]:
        """The bundle as named files: arrays and JSON."""
        models = {Modality.TEXT.value: self.text, Modality.IMAGE.value: self.image}
        record: dict[str, Any] = {
            "format": BUNDLE_FORMAT,
            "level": self.level,
            "categories": list(self.categories),
            "target": self.thresholds.target,
            "thresholds": self.thresholds.by_category,
            "floors": dict(self.thresholds.floors.by_evidence),
            "parts": {name: list(model.extractors) for name, model in models.items() if model},
            "fused": self.fusion is not None,
        }
        if self.fusion:
            record |= {"slopes": self.fusion.product.slopes, "bias": self.fusion.product.bias}
            if self.fusion.sum:
                record |= {"sum_slopes": self.fusion.sum.slopes, "sum_bias": self.fusion.sum.bias}
                record |= {"share": self.fusion.share}
        files = pack_state("model", record)
        for name, model in models.items():
            if model:
                files |= model.files(name)
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> TrainedModel:
        """Restore the model, with identical answers; BadArtefact when a file is missing, damaged or of another kind."""
        record = unpack_state("model", files)
        if record.get("format") not in READABLE_FORMATS:
            raise BadArtefact(
                f"the model has format {record.get('format')}, this program reads {BUNDLE_FORMAT}; train a new one"
            )
        try:
            models = {name: ModalityModel.from_files(name, names, files) for name, names in record["parts"].items()}
            floors = NoveltyFloors(record.get("floors", {}))
            return cls(
                level=int(record["level"]),
                categories=tuple(record["categories"]),
                text=models.get(Modality.TEXT.value),
                image=models.get(Modality.IMAGE.value),
                fusion=_fusion(record) if record["fused"] else None,
                thresholds=Thresholds(float(record["target"]), dict(record["thresholds"]), floors),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadArtefact(f"the model's files do not fit together: {error!r}") from error


def _fusion(record: Mapping[str, Any]) -> Fusion:
    sum_pool = Pool(record["sum_slopes"], record["sum_bias"]) if "share" in record else None
    return Fusion(Pool(record["slopes"], record["bias"]), sum_pool, float(record.get("share", 0.0)))
