"""TrainedModel: all that a model version needs to answer; it loads without scikit-learn and without tensorflow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, Pool
from pipeline.classification.decision_policy import decide
from pipeline.classification.evidence_views import photo_features, text_features
from pipeline.classification.fusion import Fusion, fuse
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.novelty import Floors, MaxScores
from pipeline.classification.photo_reader import DecodedListing, DescribedListing, PhotoReader
from pipeline.classification.thresholds import Thresholds
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Decision, Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features import extractor as artefacts
from pipeline.features.extractor import ImageExtractor

FORMAT = 3
READABLE = (2, FORMAT)  # 2 knew neither divisions nor emphasis
RANKED = 5


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model says of one listing. ``embeddings`` are float32 unit vectors by extractor; ``seconds`` by stage.

    ``image_problem`` says why a photo that is there is no picture, else it is None.
    """

    text: Prediction | None
    image: Prediction | None
    fused: Prediction | None
    image_problem: Reason | None
    decision: Decision
    embeddings: Mapping[str, NDArray[np.float32]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ModalityProbabilities:
    """Calibrated probabilities of shape (n, categories) each, and what they rest on."""

    text: Floats
    image: Floats
    fused: Floats
    familiarity: MaxScores

    @property
    def has_text(self) -> NDArray[np.bool_]:
        """Which listings have a text that can be judged, (n,)."""
        return self.familiarity.has_text

    @property
    def has_image(self) -> NDArray[np.bool_]:
        """Which listings have a photo that can be judged, (n,)."""
        return self.familiarity.has_image

    def rows(self, chosen: NDArray[np.bool_]) -> ModalityProbabilities:
        """The same of some listings; ``chosen`` has shape (n,)."""
        return ModalityProbabilities(
            self.text[chosen], self.image[chosen], self.fused[chosen], self.familiarity.rows(chosen)
        )


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

    def open(self, evidence: Evidence) -> DecodedListing:
        """Decode the photo of a listing to ask about, in any thread; its bytes are let go."""
        return self.reader.open(evidence)

    def answer(self, listings: Iterable[Evidence | DecodedListing]) -> list[ModelAnswer]:
        """One answer a listing, in order. Bad photos and empty texts give partial answers, never an error.

        Each is looked at as it comes, so that others may be fetched and opened meanwhile.
        """
        readings = [
            self.reader.look(each if isinstance(each, DecodedListing) else self.open(each)) for each in listings
        ]
        if not readings:
            return []
        scored, embeddings, stages = self._judged(readings)
        strange = self.thresholds.floors.below(scored.familiarity)
        answers = []
        for at, reading in enumerate(readings):
            seconds = {"decode": 0.0, "image": 0.0, **reading.seconds}
            seconds = {stage: seconds.get(stage, 0.0) + share for stage, share in stages.items()}
            mine = {name: rows[at] for name, rows in embeddings.items() if rows[at].any()}
            answers.append(self._answer(scored, at, bool(strange[at]), reading, mine, seconds))
        return answers

    def score(self, readings: Sequence[DescribedListing]) -> ModalityProbabilities:
        """Probabilities only, for evaluation, of listings whose photos were read before."""
        return self._judged(readings)[0]

    def _judged(
        self, readings: Sequence[DescribedListing]
    ) -> tuple[ModalityProbabilities, dict[str, Floats], dict[str, float]]:
        count = len(readings)
        nothing = np.zeros((count, len(self.categories)), np.float32)
        texts, images = nothing, nothing
        embeddings: dict[str, Floats] = {}
        has_text = has_image = np.zeros(count, bool)
        familiar_text = familiar_image = np.zeros(count, np.float32)
        begun = time.perf_counter()
        if self.text:
            seen = text_features(self.text.extractors, [reading.evidence for reading in readings], self.text.split)
            (texts, familiar_text), has_text = self.text.judge(seen), seen.usable
            embeddings |= self.text.embeddings(seen)
        text_done = time.perf_counter()
        if self.image:
            seen = photo_features(self.image.extractors, readings)
            has_image = seen.usable
            if has_image.any():
                images, familiar_image = self.image.judge(seen)
                embeddings |= self.image.embeddings(seen)
        image_done = time.perf_counter()
        fused = fuse(self.fusion, texts, images, has_text, has_image)
        scored = ModalityProbabilities(
            texts, images, fused, MaxScores(familiar_text, familiar_image, has_text, has_image)
        )
        stages = {
            "decode": 0.0,
            "text": (text_done - begun) / count,
            "image": (image_done - text_done) / count,
            "fuse": (time.perf_counter() - image_done) / count,
        }
        return scored, embeddings, stages

    def _answer(
        self,
        scored: ModalityProbabilities,
        at: int,
        strange: bool,
        reading: DescribedListing,
        embeddings: dict[str, Floats],
        seconds: dict[str, float],
    ) -> ModelAnswer:
        has_text, has_image = bool(scored.has_text[at]), bool(scored.has_image[at])
        text = self._ranked(Modality.TEXT, scored.text[at]) if has_text else None
        image = self._ranked(Modality.IMAGE, scored.image[at]) if has_image else None
        fused = self._ranked(Modality.FUSED, scored.fused[at]) if has_text or has_image else None
        text_problem = None if has_text else self._text_problem(reading)
        decision = decide(
            fused, self.thresholds, text_problem=text_problem, photo_problem=reading.problem, novel=strange
        )
        return ModelAnswer(
            text, image, fused, reading.problem if reading.broken else None, decision, embeddings, seconds
        )

    def _text_problem(self, reading: DescribedListing) -> Reason:
        if not reading.evidence.has_text:
            return Reason(ReasonCode.NO_TEXT)
        return Reason(ReasonCode.NO_KNOWN_WORD if self.text else ReasonCode.PHOTO_MODEL)

    def _ranked(self, modality: Modality, probabilities: Floats) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:RANKED]
        return Prediction(modality, tuple(Ranked(self.categories[i], float(probabilities[i])) for i in order))

    def files(self) -> dict[str, bytes]:
        """The bundle as named files: arrays and JSON."""
        parts = {Modality.TEXT.value: self.text, Modality.IMAGE.value: self.image}
        top: dict[str, Any] = {
            "format": FORMAT,
            "level": self.level,
            "categories": list(self.categories),
            "target": self.thresholds.target,
            "thresholds": self.thresholds.by_category,
            "floors": dict(self.thresholds.floors.by_evidence),
            "parts": {name: list(part.extractors) for name, part in parts.items() if part},
            "fused": self.fusion is not None,
        }
        if self.fusion:
            top |= {"slopes": self.fusion.product.slopes, "bias": self.fusion.product.bias}
            if self.fusion.sum:
                top |= {"sum_slopes": self.fusion.sum.slopes, "sum_bias": self.fusion.sum.bias}
                top |= {"share": self.fusion.share}
        files = artefacts.pack_state("model", top)
        for name, part in parts.items():
            if part:
                files |= artefacts.pack_state(name, part.state())
                for extractor_name, extractor in part.extractors.items():
                    files |= artefacts.pack_state(f"extractor_{extractor_name}", extractor.state())
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> TrainedModel:
        """The bundle again, with identical answers; BadArtefact when a file is missing, damaged or of another kind."""
        top = artefacts.unpack_state("model", files)
        if top.get("format") not in READABLE:
            raise BadArtefact(f"the model has format {top.get('format')}, this program reads {FORMAT}; train a new one")
        try:
            parts = {name: ModalityModel.from_files(name, names, files) for name, names in top["parts"].items()}
            return cls(
                level=int(top["level"]),
                categories=tuple(top["categories"]),
                text=parts.get(Modality.TEXT.value),
                image=parts.get(Modality.IMAGE.value),
                fusion=_fusion(top) if top["fused"] else None,
                thresholds=Thresholds(float(top["target"]), dict(top["thresholds"]), Floors(top.get("floors", {}))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadArtefact(f"the model's files do not fit together: {error!r}") from error


def _fusion(top: Mapping[str, Any]) -> Fusion:
    summed = Pool(top["sum_slopes"], top["sum_bias"]) if "share" in top else None
    return Fusion(Pool(top["slopes"], top["bias"]), summed, float(top.get("share", 0.0)))
