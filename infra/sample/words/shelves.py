"""Every shelf of the sample catalogue, in one table."""

from __future__ import annotations

from infra.sample.words.electronics import HEADPHONES, SMARTWATCHES
from infra.sample.words.fashion import SHOES, WATCHES
from infra.sample.words.garden import PLANTS, WATERING_CANS
from infra.sample.words.home import CURTAINS, CUSHIONS, LAMPS
from infra.sample.words.kitchen import KETTLES, MUGS, PANS
from infra.sample.words.shelf import Shelf

SHELVES: tuple[Shelf, ...] = (
    *(MUGS, PANS, KETTLES),
    *(SHOES, WATCHES),
    *(LAMPS, CURTAINS, CUSHIONS),
    *(HEADPHONES, SMARTWATCHES),
    *(PLANTS, WATERING_CANS),
)
