"""Every shelf of the sample catalogue, in one table."""

from __future__ import annotations

from infra.sample.departments.electronics import HEADPHONES, SMARTWATCHES
from infra.sample.departments.fashion import SHOES, WATCHES
from infra.sample.departments.garden import PLANTS, WATERING_CANS
from infra.sample.departments.home import CURTAINS, CUSHIONS, LAMPS
from infra.sample.departments.kitchen import KETTLES, MUGS, PANS
from infra.sample.vocabulary import CategoryVocabulary

CATEGORIES: tuple[CategoryVocabulary, ...] = (
    *(MUGS, PANS, KETTLES),
    *(SHOES, WATCHES),
    *(LAMPS, CURTAINS, CUSHIONS),
    *(HEADPHONES, SMARTWATCHES),
    *(PLANTS, WATERING_CANS),
)
