"""Colours and marks of charts: suitable for colour-blind readers, and also distinct in shape.

The colours of groups are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), with indigo and wine of Tol's
"muted" scheme (https://personal.sron.nl/~pault/) in place of yellow and black, which are hardly visible on a white or
dark background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pipeline.domain.prediction import Modality

GROUP_PREFIX = "group-"
GREY = f"{GROUP_PREFIX}grey"
# By name, on a light and on a dark background. The names are those of custom properties in the page's style sheet.
COLOURS: Mapping[str, tuple[str, str]] = {
    "group-0": ("#0072b2", "#4ea3dd"),
    "group-1": ("#d55e00", "#f5813a"),
    "group-2": ("#009e73", "#2cc296"),
    "group-3": ("#c0649a", "#e6a0c8"),
    "group-4": ("#dd9500", "#f6bb45"),
    "group-5": ("#45a5dc", "#a5d8f7"),
    "group-6": ("#882255", "#c95590"),
    "group-7": ("#4b3fa7", "#9c90f2"),
    GREY: ("#9aa29f", "#6f7b77"),
    "text": ("#0072b2", "#4ea3dd"),
    "image": ("#d55e00", "#f5813a"),
    "fused": ("#00825f", "#2cc296"),
}
GROUP_COLOURS = tuple(f"{GROUP_PREFIX}{number}" for number in range(8))


class Shape(Enum):
    """The shape of a mark."""

    CIRCLE = 0
    SQUARE = 1
    TRIANGLE = 2
    DIAMOND = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """The appearance of a point: ``colour`` is a name in COLOURS; a hollow mark is an outline."""

    colour: str
    shape: Shape
    hollow: bool = False


MODALITY_MARKS: Mapping[Modality, Mark] = {
    Modality.TEXT: Mark("text", Shape.CIRCLE),
    Modality.IMAGE: Mark("image", Shape.SQUARE),
    Modality.FUSED: Mark("fused", Shape.DIAMOND),
}


def css_colours() -> str:
    """The colours as custom properties of the page's style sheet, for light and dark backgrounds."""
    light, dark = (" ".join(f"--{name}: {shades[index]};" for name, shades in COLOURS.items()) for index in (0, 1))
    scope = ".report, .rayon-file"
    return f"{scope} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {scope} {{ {dark} }} }}\n"
