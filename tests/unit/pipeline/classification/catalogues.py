"""A made-up catalogue with drawn photos: three kinds of products on two levels; and a stand-in for extractors."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw

from pipeline.domain.listing import Evidence, Example
from pipeline.features.extractor import State

KINDS = {
    "Home >> Curtains": ("curtain drape window fabric rings", "stripes"),
    "Home >> Lamps": ("lamp light bulb shade desk", "circles"),
    "Wear >> Watches": ("watch strap dial steel wrist", "cross"),
}


def photo(kind: str, seed: int) -> bytes:
    """A PNG of 96 x 96 pixels with the pattern of a kind, different for each seed."""
    rng = random.Random(f"{kind}{seed}")
    image = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(image)
    colour = (rng.randrange(200), rng.randrange(200), rng.randrange(200))
    shift = rng.randrange(8)
    if kind == "stripes":
        for x in range(shift, 96, 10):
            draw.rectangle((x, 4, x + 4, 92), fill=colour)
    elif kind == "circles":
        for x, y in [(24, 24), (66, 30), (40, 68)]:
            draw.ellipse((x - 16, y - 16 + shift, x + 16, y + 16), outline=colour, width=4)
    else:
        draw.line((10, 10 + shift, 86, 86), fill=colour, width=6)
        draw.line((86, 10, 10 + shift, 86), fill=colour, width=6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def catalogue(each: int = 14, *, texts: bool = True, photos: bool = True, seed: int = 0) -> list[Example]:
    """``each`` listings of every kind."""
    rng = random.Random(seed)
    examples = []
    for category, (vocabulary, pattern) in KINDS.items():
        for number in range(each):
            name = f"{rng.choice(['Blue', 'Red', 'Old', 'Fine'])} {' '.join(rng.sample(vocabulary.split(), 3))}"
            description = (
                f"Model nr {number}x of {rng.choice(['Lyon', 'Delhi', 'Brest'])}, {rng.choice(vocabulary.split())}"
            )
            picture = photo(pattern, 1000 * seed + number) if photos else None
            evidence = Evidence(name if texts else "", description if texts else "", {}, picture)
            examples.append(Example(f"{category} {number}", evidence, category))
    return examples


class NoExtractor:
    """Loaded in the place of an extractor by tests whose vectors are given."""

    @classmethod
    def from_state(cls, _state: State) -> NoExtractor:
        return cls()
