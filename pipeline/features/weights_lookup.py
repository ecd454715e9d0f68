"""Look up the weights of pretrained extractors: the installed file, or an error with the commands that install it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.domain.errors import Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# The local path of an extractor's installed weights, by its name; Unavailable when there are none.
WeightsPath = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class CheckedWeights:
    """One file to store; ``published``: whether it is byte for byte the publisher's, None where that is unknown."""

    path: Path
    published: bool | None = None


class PretrainedExtractorClass(Protocol):
    """The class of an extractor with weights, whose constructor takes ``weights``."""

    @classmethod
    def check_weights(cls, given: str, folder: Path) -> CheckedWeights:
        """Check given weights (a path, or another source that the extractor accepts) and make one file of them.

        ``weights=`` accepts that file as it is. ``folder`` is an empty one to write into. Raises BadArtefact for
        anything that is not weights of this extractor, Unavailable when it cannot be fetched or checked here.
        """
        ...


def find_weights(name: str, weights_path: WeightsPath) -> str | None:
    """The local path of an extractor's installed weights, from the registry's ``weights_path``.

    None when it takes none, and when none are installed: the extractor's own error then names the commands.
    """
    if not extractor_spec(name).takes_weights:
        return None
    try:
        return str(weights_path(name))
    except Unavailable:
        return None


def missing_weights(name: str, code: ReasonCode, given: str = "FILE", **parameters: str) -> Unavailable:
    """The error of an extractor without its weights, with the commands that install them.

    ``given`` stands for weights added by hand; weights with a published file can be fetched too. ``parameters``
    complete the code's message.
    """
    reason = Reason.of(code, extractor=name, **parameters)
    return Unavailable(reason.with_further(extractor_spec(name).remedy(given)))


def local_weights(name: str, weights: str | None, given: str = "FILE") -> Path:
    """The path that ``weights=`` names; Unavailable when it names none or does not exist."""
    if weights is None:
        raise missing_weights(name, ReasonCode.WEIGHTS_MISSING, given)
    path = Path(weights)
    if not path.exists():
        raise missing_weights(name, ReasonCode.WEIGHTS_NOT_FOUND, given, place=str(path))
    return path
