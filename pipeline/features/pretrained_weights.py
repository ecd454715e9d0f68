"""Where an extractor that takes weights finds them, and how weights a person gives become one file to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.domain.errors import Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


@dataclass(frozen=True, slots=True)
class CheckedWeights:
    """One file fit to be kept; ``published``: whether it is the publisher's own, None where that cannot be told."""

    path: Path
    published: bool | None = None


class TakesWeights(Protocol):
    """What the class of every row that takes weights offers besides: its constructor's ``weights``, and this."""

    @classmethod
    def keepable(cls, given: str, folder: Path) -> CheckedWeights:
        """Check what a person gave and make one file of it, which ``weights=`` accepts as it is.

        ``folder`` is empty and there to write in. Raises BadArtefact for anything that is no weights of this
        extractor, Unavailable when it cannot be had or judged here.
        """
        ...


def find_weights(name: str, weights_path: Callable[[str], Path]) -> str | None:
    """The local path of an extractor's weights, from the registry's ``weights_path``.

    None when it takes none, and when none were added: the extractor then says for itself what it lacks and what to do.
    """
    if not extractor_spec(name).takes_weights:
        return None
    try:
        return str(weights_path(name))
    except Unavailable:
        return None


def missing_weights(name: str, code: ReasonCode, given: str = "FILE", **parameters: str) -> Unavailable:
    """The error of an extractor without its weights, with the commands that get them.

    ``given`` is what can be added by hand; what has a published file can be fetched, too. ``parameters`` are those of
    the code's message besides the name.
    """
    reason = Reason.of(code, extractor=name, **parameters)
    return Unavailable(reason.but(extractor_spec(name).remedy(given)))


def local_weights(name: str, weights: str | None, given: str = "FILE") -> Path:
    """The path that ``weights=`` names; Unavailable when it names none, or nothing is there."""
    if weights is None:
        raise missing_weights(name, ReasonCode.WEIGHTS_MISSING, given)
    path = Path(weights)
    if not path.exists():
        raise missing_weights(name, ReasonCode.WEIGHTS_NOT_FOUND, given, place=str(path))
    return path
