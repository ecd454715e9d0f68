"""The categories of the sample catalogue, with their vocabularies and the functions that draw their products."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Protocol

from infra.sample.departments.electronics import HEADPHONES, SMARTWATCHES, headphones, smartwatch
from infra.sample.departments.fashion import SHOES, WATCHES, shoe, watch
from infra.sample.departments.garden import PLANTS, WATERING_CANS, plant, watering_can
from infra.sample.departments.home import CURTAINS, CUSHIONS, LAMPS, curtain, cushion, lamp
from infra.sample.departments.kitchen import KETTLES, MUGS, PANS, kettle, mug, pan
from infra.sample.drawing_pen import Colour, Pen
from infra.sample.vocabulary import CategoryVocabulary

CATEGORIES: tuple[CategoryVocabulary, ...] = (
    *(MUGS, PANS, KETTLES),
    *(SHOES, WATCHES),
    *(LAMPS, CURTAINS, CUSHIONS),
    *(HEADPHONES, SMARTWATCHES),
    *(PLANTS, WATERING_CANS),
)


class DrawObject(Protocol):
    """A function that draws an object of one category."""

    def __call__(self, pen: Pen, rng: Random, colour: Colour) -> None:
        """Draw an object in the given colour; ``rng`` chooses its shape."""
        ...


DRAWINGS: Mapping[str, DrawObject] = {
    "Kitchen >> Mugs": mug,
    "Kitchen >> Pans": pan,
    "Kitchen >> Kettles": kettle,
    "Fashion >> Shoes": shoe,
    "Fashion >> Watches": watch,
    "Home >> Lamps": lamp,
    "Home >> Curtains": curtain,
    "Home >> Cushions": cushion,
    "Electronics >> Headphones": headphones,
    "Electronics >> Smartwatches": smartwatch,
    "Garden >> Plants": plant,
    "Garden >> Watering Cans": watering_can,
}
