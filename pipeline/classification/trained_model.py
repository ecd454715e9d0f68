"""TrainedModel: the bundle that predicts and decides; it loads without scikit-learn and without tensorflow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Pool
from pipeline.classification.category_tree import CategoryTree
from pipeline.classification.class_ranking import ClassRanking
from pipeline.classification.decision_policy import PathDown, Thresholds, decide
from pipeline.classification.evidence_views import photo_features
from pipeline.classification.fusion import Fusion, ModalityProbabilities, fuse
from pipeline.classification.lower_levels import LowerCase, LowerLevels
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.novelty import MaxScores, NoveltyFloors
from pipeline.classification.photo_reader import DecodedListing, DescribedListing, PhotoReader
from pipeline.domain.decision import Decision
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality, Prediction
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.extractor import Floats, ImageExtractor, Mask, pack_state, unpack_state

BUNDLE_FORMAT = 4
SINGLE_LEVEL_FORMAT = 3  # still written for a model of a single level, which earlier programs can read
READABLE_FORMATS = (2, SINGLE_LEVEL_FORMAT, BUNDLE_FORMAT)  # 2 had neither subcategories nor term weights
LOWER_LEVELS = "lower_levels"


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
    """Calibrated probabilities (n, categories) by text, image and both, and the maximum scores behind them.

    ``classes``, by modality, are probabilities (n, classes) of the classes below; None where the categories of the main
    level are the classes.
    """

    text: Floats
    image: Floats
    fused: Floats
    max_scores: MaxScores
    classes: Mapping[Modality, Floats] | None = None

    @property
    def has_text(self) -> Mask:
        """The listings with a usable text, (n,)."""
        return self.max_scores.has_text

    @property
    def has_image(self) -> Mask:
        """The listings with a usable photo, (n,)."""
        return self.max_scores.has_image

    def class_probabilities(self, modality: Modality) -> Floats:
        """The probabilities of all classes of the model, (n, classes)."""
        if self.classes is not None:
            return self.classes[modality]
        return {Modality.TEXT: self.text, Modality.IMAGE: self.image, Modality.FUSED: self.fused}[modality]

    def subset(self, mask: Mask) -> ScoredListings:
        """The scores of the listings in ``mask``, (n,)."""
        classes = self.classes and {modality: rows[mask] for modality, rows in self.classes.items()}
        max_scores = self.max_scores.subset(mask)
        return ScoredListings(self.text[mask], self.image[mask], self.fused[mask], max_scores, classes)

    def with_classes(
        self, lower: LowerLevels | None, text: Sequence[Floats], image: Sequence[Floats]
    ) -> ScoredListings:
        """A copy with the probabilities of the classes; ``text`` and ``image`` are score matrices of the classes."""
        if lower is None:
            return self
        fused = lower.fused_class_probabilities(self.fused, text, image, self.has_text, self.has_image)
        classes = {
            Modality.TEXT: lower.class_probabilities(LowerCase.TEXT, self.text, text),
            Modality.IMAGE: lower.class_probabilities(LowerCase.IMAGE, self.image, image),
            Modality.FUSED: fused,
        }
        return replace(self, classes=classes)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Scores and embeddings of n listings, and the seconds per listing that each stage took."""

    scored: ScoredListings
    embeddings: Mapping[str, Floats]
    seconds: Mapping[str, float]


class TrainedModel:
    """The bundle of a model version; ``categories`` are canonical paths, cut to the main ``level``.

    ``tree`` has the classes and the levels at which the model answers, by default that level alone; ``lower`` tells
    the classes below the main level apart. Answers above ``min_level`` go to review.
    """

    def __init__(
        self,
        level: int,
        categories: tuple[str, ...],
        text: ModalityModel | None,
        image: ModalityModel | None,
        fusion: Fusion | None,
        thresholds: Thresholds,
        tree: CategoryTree | None = None,
        lower: LowerLevels | None = None,
        min_level: int = 1,
    ) -> None:
        self.level = level
        self.categories = categories
        self.text = text
        self.image = image
        self.fusion = fusion
        self.thresholds = thresholds
        self.tree = tree or CategoryTree(categories, (level,))
        self.lower = lower
        self.min_level = min_level
        self._ranking = ClassRanking(self.tree)
        self.reader = PhotoReader(cast(Mapping[str, ImageExtractor], image.extractors if image else {}))

    def decode(self, evidence: Evidence) -> DecodedListing:
        """Decode the photo of a listing for ``answer``, in any thread; its bytes are dropped."""
        return self.reader.decode(evidence)

    def answer(
        self, listings: Iterable[Evidence | DecodedListing], retired: frozenset[str] = frozenset()
    ) -> list[ModelAnswer]:
        """One answer per listing, in order. Bad photos and empty texts give partial answers, never an error.

        Each photo is described as ``listings`` yields it, while the next ones may be fetched and decoded. Categories
        at or below the ``retired`` paths are neither answered nor suggested.
        """
        described = [
            self.reader.describe_decoded(listing if isinstance(listing, DecodedListing) else self.decode(listing))
            for listing in listings
        ]
        if not described:
            return []
        scoring = self._score(described)
        scored = scoring.scored
        novel = self.thresholds.floors.below(scored.max_scores)
        if retired != self._ranking.retired:
            self._ranking = ClassRanking(self.tree, retired)
        ranking = self._ranking
        usable = {
            Modality.TEXT: scored.has_text,
            Modality.IMAGE: scored.has_image,
            Modality.FUSED: scored.has_text | scored.has_image,
        }
        predictions = {
            modality: ranking.predictions(modality, scored.class_probabilities(modality), usable[modality])
            for modality in Modality
        }
        paths = ranking.paths_down(scored.class_probabilities(Modality.FUSED), usable[Modality.FUSED])
        return [
            self._answer(
                listing,
                {modality: predictions[modality][row] for modality in Modality},
                paths[row],
                {name: vectors[row] for name, vectors in scoring.embeddings.items() if vectors[row].any()},
                scoring.seconds,
                novel=bool(novel[row]),
            )
            for row, listing in enumerate(described)
        ]

    def score(self, listings: Sequence[DescribedListing]) -> ScoredListings:
        """The probabilities alone, for evaluation."""
        return self._score(listings).scored

    def _score(self, listings: Sequence[DescribedListing]) -> _Scoring:
        n_listings = len(listings)
        texts = images = np.zeros((n_listings, len(self.categories)), np.float32)
        has_text = has_image = np.zeros(n_listings, bool)
        max_text = max_image = np.zeros(n_listings, np.float32)
        text_classes, image_classes = list[Floats](), list[Floats]()
        embeddings: dict[str, Floats] = {}
        started = time.perf_counter()
        if self.text:
            evidences = [listing.evidence for listing in listings]
            features = self.text.text_features(evidences)
            scores = self.text.score(features)
            texts, max_text, has_text = scores.probabilities, scores.max_scores, features.usable
            embeddings |= self.text.embeddings(features)
            text_classes = self.lower.score(LowerCase.TEXT, self.text, features) if self.lower else []
        text_done = time.perf_counter()
        if self.image:
            features = photo_features(self.image.extractors, listings)
            has_image = features.usable
            if has_image.any():
                scores = self.image.score(features)
                images, max_image = scores.probabilities, scores.max_scores
                embeddings |= self.image.embeddings(features)
                image_classes = self.lower.score(LowerCase.IMAGE, self.image, features) if self.lower else []
        image_done = time.perf_counter()
        fused = fuse(self.fusion, ModalityProbabilities(texts, images, has_text, has_image))
        scored = ScoredListings(texts, images, fused, MaxScores(max_text, max_image, has_text, has_image))
        scored = scored.with_classes(self.lower, text_classes, image_classes)
        seconds = {
            "decode": 0.0,
            "text": (text_done - started) / n_listings,
            "image": (image_done - text_done) / n_listings,
            "fuse": (time.perf_counter() - image_done) / n_listings,
        }
        return _Scoring(scored, embeddings, seconds)

    def _answer(
        self,
        listing: DescribedListing,
        predictions: Mapping[Modality, Prediction | None],
        path: PathDown | None,
        embeddings: Mapping[str, Floats],
        seconds: Mapping[str, float],
        *,
        novel: bool,
    ) -> ModelAnswer:
        fused = predictions[Modality.FUSED] if path is not None else None
        photo_seconds = {"decode": 0.0, "image": 0.0, **listing.seconds}
        return ModelAnswer(
            text=predictions[Modality.TEXT],
            image=predictions[Modality.IMAGE],
            fused=fused,
            image_problem=listing.problem if listing.broken else None,
            decision=decide(
                fused,
                self.thresholds,
                path=path,
                min_level=self.min_level,
                text_problem=None if predictions[Modality.TEXT] else self._text_problem(listing),
                photo_problem=listing.problem,
                novel=novel,
            ),
            embeddings=embeddings,
            seconds={stage: photo_seconds.get(stage, 0.0) + stage_seconds for stage, stage_seconds in seconds.items()},
        )

    def _text_problem(self, listing: DescribedListing) -> Reason:
        if not listing.evidence.has_text:
            return Reason(ReasonCode.NO_TEXT)
        return Reason(ReasonCode.NO_KNOWN_WORD if self.text else ReasonCode.PHOTO_MODEL)

    def files(self) -> dict[str, bytes]:
        """The bundle as named files: arrays and JSON."""
        models = {Modality.TEXT.value: self.text, Modality.IMAGE.value: self.image}
        record: dict[str, Any] = {
            "format": BUNDLE_FORMAT if self.tree.is_deep else SINGLE_LEVEL_FORMAT,
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
        if self.tree.is_deep:
            record |= {"classes": list(self.tree.classes), "levels": list(self.tree.levels)}
            record |= {"small": self.tree.small, "min_level": self.min_level, "lower": self.lower is not None}
        files = pack_state("model", record)
        if self.lower:
            files |= pack_state(LOWER_LEVELS, self.lower.state())
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
                tree=_tree(record),
                lower=LowerLevels.from_state(unpack_state(LOWER_LEVELS, files)) if record.get("lower") else None,
                min_level=int(record.get("min_level", 1)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadArtefact(f"the model's files do not fit together: {error!r}") from error


def _fusion(record: Mapping[str, Any]) -> Fusion:
    sum_pool = Pool(record["sum_slopes"], record["sum_bias"]) if "share" in record else None
    return Fusion(Pool(record["slopes"], record["bias"]), sum_pool, float(record.get("share", 0.0)))


def _tree(record: Mapping[str, Any]) -> CategoryTree | None:
    if "classes" not in record:
        return None
    return CategoryTree(tuple(record["classes"]), tuple(map(int, record["levels"])), record["small"])
