"""Look up the weights of pretrained extractors: the installed file, or an error with the commands that install it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# The local path of an extractor's installed weights, by its name; Unavailable when there are none.
WeightsPath = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class CheckedWeights:
    """A weights file to store; ``published``: whether it equals the publisher's byte for byte, None if unknown."""

    path: Path
    published: bool | None = None


class PretrainedExtractorClass(Protocol):
    """The class of an extractor with weights, whose constructor takes ``weights``."""

    @classmethod
    def check_weights(cls, location: str, folder: Path) -> CheckedWeights:
        """Check the weights at ``location`` (a path, or what else the extractor accepts) and convert them to one file.

        The constructor's ``weights`` accepts that file. ``folder`` is an empty folder to write into. Raises BadArtefact
        for anything but weights of this extractor, Unavailable when they cannot be fetched or checked here.
        """
        ...


def find_weights(name: str, weights_path: WeightsPath) -> str | None:
    """The local path of an extractor's installed weights, from the registry's ``weights_path``.

    None when it takes none, and when none are installed: the extractor's own error then gives the commands.
    """
    if not extractor_spec(name).takes_weights:
        return None
    try:
        return str(weights_path(name))
    except Unavailable:
        return None


def missing_weights(name: str, code: ReasonCode, placeholder: str = "FILE", **parameters: str) -> Unavailable:
    """The error for an extractor without weights, with the commands that install them.

    ``placeholder`` names the argument of the command that adds weights by hand; published weights can also be fetched.
    ``parameters`` are those of the code's message.
    """
    reason = Reason.of(code, extractor=name, **parameters)
    return Unavailable(reason.with_further(extractor_spec(name).remedy(placeholder)))


def local_weights(name: str, weights: str | None, placeholder: str = "FILE") -> Path:
    """The path that ``weights=`` names, else that of the weights that came with the installation.

    Unavailable when there are neither, or when the path does not exist.
    """
    if weights is None and (bundled := bundled_weights(name)) is not None:
        return bundled.path
    if weights is None:
        raise missing_weights(name, ReasonCode.WEIGHTS_MISSING, placeholder)
    path = Path(weights)
    if not path.exists():
        raise missing_weights(name, ReasonCode.WEIGHTS_NOT_FOUND, placeholder, place=str(path))
    return path
