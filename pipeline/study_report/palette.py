"""Colours and marks: safe for colour-blind readers, and distinct in shape as well.

The colours of groups are Okabe and Ito's (https://jfly.uni-koeln.de/color/), with indigo and wine of Tol's "muted"
scheme (https://personal.sron.nl/~pault/) in place of yellow and black, which vanish on white or on dark paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pipeline.domain.prediction import Modality

GREY = "kg"
# By name, on light and on dark paper. The names are custom properties of the page's style sheet.
COLOURS: Mapping[str, tuple[str, str]] = {
    "k0": ("#0072b2", "#4ea3dd"),
    "k1": ("#d55e00", "#f5813a"),
    "k2": ("#009e73", "#2cc296"),
    "k3": ("#c0649a", "#e6a0c8"),
    "k4": ("#dd9500", "#f6bb45"),
    "k5": ("#45a5dc", "#a5d8f7"),
    "k6": ("#882255", "#c95590"),
    "k7": ("#4b3fa7", "#9c90f2"),
    GREY: ("#9aa29f", "#6f7b77"),
    "text": ("#0072b2", "#4ea3dd"),
    "image": ("#d55e00", "#f5813a"),
    "fused": ("#00825f", "#2cc296"),
}
GROUP_COLOURS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7")


class Shape(Enum):
    """The shape of a mark."""

    CIRCLE = 0
    SQUARE = 1
    TRIANGLE = 2
    DIAMOND = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """How a point is drawn: ``colour`` is a name of COLOURS; a hollow mark is an outline."""

    colour: str
    shape: Shape
    hollow: bool = False


MODALITY_MARKS: Mapping[Modality, Mark] = {
    Modality.TEXT: Mark("text", Shape.CIRCLE),
    Modality.IMAGE: Mark("image", Shape.SQUARE),
    Modality.FUSED: Mark("fused", Shape.DIAMOND),
}


def css_colours() -> str:
    """The colours as custom properties of the page's style sheet, for light and for dark paper."""
    light, dark = (" ".join(f"--{name}: {shades[index]};" for name, shades in COLOURS.items()) for index in (0, 1))
    scope = ".report, .rayon-file"
    return f"{scope} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {scope} {{ {dark} }} }}\n"
