"""Trainings: the request, as stored in its job, and the options of the training itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_record import JsonObject

TEXT_EXTRACTOR = "tfidf"
TEXT_ENCODER = "use"
PHOTO_EXTRACTOR = "fisher"  # needs no weights
DEFAULT_PHOTO_EXTRACTORS = (PHOTO_EXTRACTOR, "efficientnet")  # each is left out where held-out figures do not gain
PRECISION_TARGET = 0.95
AUTOMATIC_PRECISION = "auto"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of a training; the same options and listings give the same model.

    ``level`` is the only level to answer at, 1 at the top; None means whole paths: as deep as is sure. Answers of such
    a model above ``min_level``, the least useful level, go to review. ``text_encoder`` is a pretrained text extractor
    that is used beside ``text_extractor`` if it improves the results on held-out listings; if it is None or not
    installed, none is used. ``weights`` are local paths by extractor. ``augmented_views`` is the number of augmented
    copies of each photo to train on as well, and ``fine_tune`` fine-tunes a network that is the only photo extractor;
    each is kept only if it improves the results on held-out photos. ``network_precision`` is the number format of
    networks: int8, bf16, fp32, or ``auto`` for the fastest one that keeps the results on held-out photos.
    ``precision_target`` is the target precision of assigned listings. ``embeddings`` is whether the model computes
    embeddings. ``prune_extractors`` leaves out the photo extractors that do not improve the results on held-out photos.
    """

    level: int | None = None
    text_extractor: str | None = TEXT_EXTRACTOR
    text_encoder: str | None = TEXT_ENCODER
    image_extractors: tuple[str, ...] = (PHOTO_EXTRACTOR,)
    weights: Mapping[str, str] = field(default_factory=dict)
    augmented_views: int = 0
    fine_tune: bool = False
    network_precision: str = AUTOMATIC_PRECISION
    precision_target: float = PRECISION_TARGET
    embeddings: bool = True
    prune_extractors: bool = False
    seed: int = 0
    min_level: int = 1


def check_levels(level: int | None, min_level: int) -> None:
    """Raise InvalidInput for a least useful level where a model answers at one level only."""
    if level is not None and min_level > 1:
        raise InvalidInput("a model of one level has no least useful level: leave out --level or --min-level")


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A requested training, as stored in its job; every field has a default.

    ``level``, ``min_level``, ``views`` (``augmented_views``), ``finetune`` (``fine_tune``) and ``seed`` are those of
    TrainingOptions. Without ``image_extractors``, those of the settings are used, else the default ones and the best of
    the latest study, as far as each of them improves the results on held-out photos. ``choose`` compares sets of photo
    extractors and selects one instead: ``fastest``, ``best``, or the best one within a number of milliseconds per
    photo. ``afresh`` fits all photo extractors from scratch instead of continuing from those of the active version.
    ``promote`` makes the new version active even if there is an active one.
    """

    level: int | None = None
    image_extractors: tuple[str, ...] = ()
    choose: str | None = None
    views: int = 0
    finetune: bool = False
    seed: int = 0
    afresh: bool = False
    promote: bool = False
    min_level: int = 1

    def options(
        self,
        image_extractors: tuple[str, ...],
        *,
        precision_target: float,
        network_precision: str,
        prune_extractors: bool = False,
    ) -> TrainingOptions:
        """The options of the training with these photo extractors, or with the useful ones of them."""
        return TrainingOptions(
            level=self.level,
            min_level=self.min_level,
            image_extractors=image_extractors,
            augmented_views=self.views,
            fine_tune=self.finetune,
            network_precision=network_precision,
            precision_target=precision_target,
            prune_extractors=prune_extractors,
            seed=self.seed,
        )

    def as_json(self) -> JsonObject:
        """The JSON object that the job stores; ``of_json`` reads it."""
        fields = asdict(self)
        if not self.image_extractors:
            del fields["image_extractors"]
        return fields

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> TrainingRequest:
        """The request in a job's JSON object; fields that are missing, as in older jobs, get their defaults."""
        values = {name: fields[name] for name in cls.__dataclass_fields__ if fields.get(name) is not None}
        return cls(**values | {"image_extractors": tuple(values.get("image_extractors", ()))})
