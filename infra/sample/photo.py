"""A photo: a backdrop, an object of some kind in some pose, and the faults of a camera."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from infra.sample.backdrops import BACKDROPS, VIVID, cast_shadow
from infra.sample.departments.electronics import headphones, smartwatch
from infra.sample.departments.fashion import shoe, watch
from infra.sample.departments.garden import plant, watering_can
from infra.sample.departments.home import curtain, cushion, lamp
from infra.sample.departments.kitchen import kettle, mug, pan
from infra.sample.drawing_pen import OVERSAMPLING, SIZE, Colour, Pen, Pose, tint

MOTIFS: Mapping[str, Callable[[Pen, Random, Colour], None]] = {
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
SHOP_LOGO = "logo"
_LYING = frozenset(
    {"Fashion >> Watches", "Electronics >> Smartwatches", "Electronics >> Headphones", "Home >> Cushions"}
)
_HANGING = frozenset({"Home >> Curtains"})
# How far below its centre an object ends, in units of the pen; the shadow falls there.
_FOOT: Mapping[str, float] = {
    "Kitchen >> Pans": 0.42,
    "Fashion >> Shoes": 0.6,
    "Home >> Lamps": 0.95,
    "Garden >> Plants": 0.98,
}


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo not drawn yet; equal photos give equal bytes. ``subject`` is a category of MOTIFS, or SHOP_LOGO."""

    subject: str
    colour: Colour
    seed: str

    def jpeg(self) -> bytes:
        """Draw it: the bytes of a JPEG of SIZE x SIZE pixels."""
        rng = Random(self.seed)
        image = _shop_logo(rng) if self.subject == SHOP_LOGO else _scene(self.subject, self.colour, rng)
        content = io.BytesIO()
        image.save(content, "JPEG", quality=rng.randint(72, 92))
        return content.getvalue()


def _scene(subject: str, colour: Colour, rng: Random) -> Image.Image:
    side = SIZE * OVERSAMPLING
    image = rng.choice(BACKDROPS)(side, rng)
    if rng.random() < 0.14:
        _prop(image, subject, rng)
    lying, hanging = subject in _LYING, subject in _HANGING
    pose = Pose(
        x=rng.gauss(0.5, 0.035),
        y=rng.gauss(0.51, 0.03),
        scale=rng.uniform(0.24, 0.4) if rng.random() < 0.85 else rng.uniform(0.4, 0.52),
        tilt=rng.gauss(0, 22 if lying else 1.5 if hanging else 5),
        mirrored=rng.random() < 0.5,
        squeeze=rng.uniform(0.82, 1.08),
    )
    if not hanging:
        cast_shadow(image, pose, 0.2 if lying else _FOOT.get(subject, 0.82), rng)
    worn = tint(colour, rng.uniform(-0.18, 0.22))
    MOTIFS[subject](Pen(image, pose), rng, worn)
    if rng.random() < 0.07:
        _sticker(image, rng)
    return _camera(image, rng)


def _prop(image: Image.Image, subject: str, rng: Random) -> None:
    """A small object of another kind in the background, out of the way."""
    other = rng.choice([category for category in MOTIFS if category != subject])
    corner = rng.choice((0.16, 0.84))
    pose = Pose(corner, rng.uniform(0.3, 0.55), rng.uniform(0.09, 0.15), rng.gauss(0, 5))
    MOTIFS[other](Pen(image, pose), rng, rng.choice(VIVID))


def _sticker(image: Image.Image, rng: Random) -> None:
    """A badge that a shop sticks on its photos."""
    draw = ImageDraw.Draw(image)
    side = image.width
    x, y, radius = side * rng.choice((0.15, 0.85)), side * rng.choice((0.15, 0.85)), side * 0.11
    draw.ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=rng.choice(((214, 40, 50), (30, 120, 90), (30, 60, 130)))
    )
    words = rng.choice(("-20%", "NEW", "PROMO", "-50%", "BIO", "TOP"))
    draw.text((x, y), words, fill=(255, 255, 255), font=ImageFont.load_default(side * 0.055), anchor="mm")


def _camera(image: Image.Image, rng: Random) -> Image.Image:
    """Reduce to the final size; uneven light, a tint, blur now and then, and grain."""
    image = image.reduce(OVERSAMPLING)
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.4)))
    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    light = rng.uniform(-0.08, 0.08) * axis[:, None] + rng.uniform(-0.08, 0.08) * axis[None, :]
    light += rng.choice((1.0, 1.0, rng.uniform(0.78, 1.12)))
    warmth = rng.gauss(0, 0.025)
    white = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    pixels = np.asarray(image, dtype=np.float32) * light[:, :, None] * white
    grain = rng.choice((1.0, 2.0, 3.0, 8.0))
    noise = np.random.default_rng(rng.getrandbits(64)).standard_normal((SIZE, SIZE, 1), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + noise * grain, 0, 255).astype(np.uint8))


def _shop_logo(rng: Random) -> Image.Image:
    """What a seller without a photo uploads: the shop's own mark."""
    side = SIZE * OVERSAMPLING
    colour = rng.choice(((30, 60, 110), (160, 40, 60), (40, 100, 80), (70, 70, 74)))
    image = Image.new("RGB", (side, side), rng.choice(((250, 250, 250), (238, 236, 230), tint(colour, 0.85))))
    draw = ImageDraw.Draw(image)
    middle = side / 2
    draw.ellipse((middle - 150, middle - 230, middle + 150, middle + 70), outline=colour, width=26)
    name = rng.choice(("Maison & Co", "Bazar Express", "Home Deals", "La Boutique", "Shop 24"))
    draw.text((middle, middle - 80), name[0], fill=colour, font=ImageFont.load_default(190), anchor="mm")
    draw.text((middle, middle + 150), name, fill=colour, font=ImageFont.load_default(76), anchor="mm")
    motto = rng.choice(("photo coming soon", "photo to follow", "since 2009"))
    draw.text((middle, middle + 235), motto, fill=(130, 130, 130), font=ImageFont.load_default(44), anchor="mm")
    return image.reduce(OVERSAMPLING)
