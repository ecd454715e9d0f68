"""TrainingRequest: how a model version is to be trained, as a job carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What was asked of a training; everything may be left out.

    ``level`` None is the deepest level with enough listings a category. ``image_extractors`` describe photos, none
    means as the settings and the latest study say; with ``choose`` sets of them are tried and one is chosen: the
    ``fastest``, the ``best``, or the best within a number of milliseconds a photo. ``views`` of each photo, and with
    ``finetune`` a fine-tuned network, are kept where they help. ``afresh`` does not build on the photo features of the
    active version. ``promote`` makes the version active even if another one is.
    """

    level: int | None = None
    image_extractors: tuple[str, ...] = ()
    choose: str | None = None
    views: int = 0
    finetune: bool = False
    seed: int = 0
    afresh: bool = False
    promote: bool = False

    def as_json(self) -> dict[str, Any]:
        """The request as a job carries it; ``of_json`` reads it back."""
        fields = asdict(self)
        if not self.image_extractors:
            del fields["image_extractors"]
        return fields

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> TrainingRequest:
        """The request of a job; what is missing, as in jobs of before, has its default."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if fields.get(name) is not None}
        return cls(**known | {"image_extractors": tuple(known.get("image_extractors", ()))})
