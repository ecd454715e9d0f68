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
from pipeline.classification.evidence_views import photo_features, text_features
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

FORMAT = 3
READABLE_FORMATS = (2, FORMAT)  # 2 had neither subcategories nor term weights
RANKED = 5  # categories of a prediction


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The predictions and the decision for one listing.

    ``image_problem`` says why a photo cannot be read, else it is None. ``embeddings`` are float32 unit vectors by
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
    """Calibrated probabilities (n, categories) by text, image and both, and the largest scores behind them."""

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

    def rows(self, chosen: Mask) -> ScoredListings:
        """The scores of some listings; ``chosen`` has shape (n,)."""
        return ScoredListings(self.text[chosen], self.image[chosen], self.fused[chosen], self.max_scores.rows(chosen))


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Scores and embeddings of n listings, and the seconds that each stage took for a listing."""

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
        """Decode the photo of a listing to be answered, in any thread; its bytes are dropped."""
        return self.reader.decode(evidence)

    def answer(self, listings: Iterable[Evidence | DecodedListing]) -> list[ModelAnswer]:
        """One answer a listing, in order. Bad photos and empty texts give partial answers, never an error.

        Each photo is described as it comes, while the next ones are fetched and decoded.
        """
        described = [
            self.reader.describe_decoded(each if isinstance(each, DecodedListing) else self.decode(each))
            for each in listings
        ]
        if not described:
            return []
        scoring = self._score(described)
        novel = self.thresholds.floors.below(scoring.scored.max_scores)
        return [self._answer(scoring, at, listing, novel=bool(novel[at])) for at, listing in enumerate(described)]

    def score(self, listings: Sequence[DescribedListing]) -> ScoredListings:
        """The probabilities alone, for evaluation."""
        return self._score(listings).scored

    def _score(self, listings: Sequence[DescribedListing]) -> _Scoring:
        count = len(listings)
        texts = images = np.zeros((count, len(self.categories)), np.float32)
        has_text = has_image = np.zeros(count, bool)
        max_text = max_image = np.zeros(count, np.float32)
        embeddings: dict[str, Floats] = {}
        begun = time.perf_counter()
        if self.text:
            evidences = [listing.evidence for listing in listings]
            features = text_features(self.text.extractors, evidences, split=self.text.split)
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
            "text": (text_done - begun) / count,
            "image": (image_done - text_done) / count,
            "fuse": (time.perf_counter() - image_done) / count,
        }
        return _Scoring(scored, embeddings, seconds)

    def _answer(self, scoring: _Scoring, at: int, listing: DescribedListing, *, novel: bool) -> ModelAnswer:
        scored = scoring.scored
        has_text, has_image = bool(scored.has_text[at]), bool(scored.has_image[at])
        text = self._ranked(Modality.TEXT, scored.text[at]) if has_text else None
        image = self._ranked(Modality.IMAGE, scored.image[at]) if has_image else None
        fused = self._ranked(Modality.FUSED, scored.fused[at]) if has_text or has_image else None
        text_problem = None if has_text else self._text_problem(listing)
        own = {"decode": 0.0, "image": 0.0, **listing.seconds}
        return ModelAnswer(
            text=text,
            image=image,
            fused=fused,
            image_problem=listing.problem if listing.broken else None,
            decision=decide(
                fused, self.thresholds, text_problem=text_problem, photo_problem=listing.problem, novel=novel
            ),
            embeddings={name: rows[at] for name, rows in scoring.embeddings.items() if rows[at].any()},
            seconds={stage: own.get(stage, 0.0) + share for stage, share in scoring.seconds.items()},
        )

    def _text_problem(self, listing: DescribedListing) -> Reason:
        if not listing.evidence.has_text:
            return Reason(ReasonCode.NO_TEXT)
        return Reason(ReasonCode.NO_KNOWN_WORD if self.text else ReasonCode.PHOTO_MODEL)

    def _ranked(self, modality: Modality, probabilities: Floats) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:RANKED]
        return Prediction(modality, tuple(Ranked(self.categories[i], float(probabilities[i])) for i in order))

    def files(self) -> dict[str, bytes]:
        """The bundle as named files: arrays and JSON."""
        models = {Modality.TEXT.value: self.text, Modality.IMAGE.value: self.image}
        top: dict[str, Any] = {
            "format": FORMAT,
            "level": self.level,
            "categories": list(self.categories),
            "target": self.thresholds.target,
            "thresholds": self.thresholds.by_category,
            "floors": dict(self.thresholds.floors.by_evidence),
            "parts": {name: list(model.extractors) for name, model in models.items() if model},
            "fused": self.fusion is not None,
        }
        if self.fusion:
            top |= {"slopes": self.fusion.product.slopes, "bias": self.fusion.product.bias}
            if self.fusion.sum:
                top |= {"sum_slopes": self.fusion.sum.slopes, "sum_bias": self.fusion.sum.bias}
                top |= {"share": self.fusion.share}
        files = pack_state("model", top)
        for name, model in models.items():
            if model:
                files |= model.files(name)
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> TrainedModel:
        """The bundle again, with identical answers; BadArtefact when a file is missing, damaged or of another kind."""
        top = unpack_state("model", files)
        if top.get("format") not in READABLE_FORMATS:
            raise BadArtefact(f"the model has format {top.get('format')}, this program reads {FORMAT}; train a new one")
        try:
            models = {name: ModalityModel.from_files(name, names, files) for name, names in top["parts"].items()}
            floors = NoveltyFloors(top.get("floors", {}))
            return cls(
                level=int(top["level"]),
                categories=tuple(top["categories"]),
                text=models.get(Modality.TEXT.value),
                image=models.get(Modality.IMAGE.value),
                fusion=_fusion(top) if top["fused"] else None,
                thresholds=Thresholds(float(top["target"]), dict(top["thresholds"]), floors),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadArtefact(f"the model's files do not fit together: {error!r}") from error


def _fusion(top: Mapping[str, Any]) -> Fusion:
    summed = Pool(top["sum_slopes"], top["sum_bias"]) if "share" in top else None
    return Fusion(Pool(top["slopes"], top["bias"]), summed, float(top.get("share", 0.0)))
