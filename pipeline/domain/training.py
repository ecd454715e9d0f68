"""Trainings: the request that a job carries, and the options of the training itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.domain.json_record import JsonObject

TEXT_EXTRACTOR = "tfidf"
PHOTO_EXTRACTOR = "fisher"  # needs no weights
PRECISION_TARGET = 0.95
AUTOMATIC_PRECISION = "auto"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of a training; the same options and listings give the same model.

    ``level`` of the categories, 1 at the top; None: the deepest at which most categories have enough listings.
    ``weights`` are local paths by extractor. ``augmented_views`` of each photo are learned from as well, and with
    ``fine_tune`` a network that is the only photo extractor is fine-tuned, each only where held-out photos gain by it.
    ``network_precision`` is the number format of networks: int8, bf16, fp32, or ``auto``, the fastest that held-out
    photos allow. ``precision_target`` is the precision wanted of assigned listings. Without ``embeddings`` the model
    makes none.
    """

    level: int | None = None
    text_extractor: str | None = TEXT_EXTRACTOR
    image_extractors: tuple[str, ...] = (PHOTO_EXTRACTOR,)
    weights: Mapping[str, str] = field(default_factory=dict)
    augmented_views: int = 0
    fine_tune: bool = False
    network_precision: str = AUTOMATIC_PRECISION
    precision_target: float = PRECISION_TARGET
    embeddings: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A requested training; every field has a default.

    ``level``, ``views`` (augmented ones of each photo), ``finetune`` and ``seed`` are those of the options.
    ``image_extractors`` describe photos, none means those of the settings and the latest study; with ``choose`` sets of
    them are compared and one is taken: the ``fastest``, the ``best``, or the best within a number of milliseconds a
    photo. ``afresh`` does not continue from the photo extractors of the active version. ``promote`` makes the version
    active even if another one is.
    """

    level: int | None = None
    image_extractors: tuple[str, ...] = ()
    choose: str | None = None
    views: int = 0
    finetune: bool = False
    seed: int = 0
    afresh: bool = False
    promote: bool = False

    def options(
        self, image_extractors: tuple[str, ...], *, precision_target: float, network_precision: str
    ) -> TrainingOptions:
        """The options of the training, with these photo extractors."""
        return TrainingOptions(
            level=self.level,
            image_extractors=image_extractors,
            augmented_views=self.views,
            fine_tune=self.finetune,
            network_precision=network_precision,
            precision_target=precision_target,
            seed=self.seed,
        )

    def as_json(self) -> JsonObject:
        """The request as a job carries it; ``of_json`` reads it back."""
        fields = asdict(self)
        if not self.image_extractors:
            del fields["image_extractors"]
        return fields

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> TrainingRequest:
        """The request of a job; what is missing, as in older jobs, has its default."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if fields.get(name) is not None}
        return cls(**known | {"image_extractors": tuple(known.get("image_extractors", ()))})
