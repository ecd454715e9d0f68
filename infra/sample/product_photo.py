"""Draws a product photo: a backdrop, a product of a category in some pose, and the imperfections of a camera."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from infra.sample.categories import DRAWINGS
from infra.sample.drawing_pen import OVERSAMPLING, PHOTO_SIZE, Colour, Pen, Pose, tint

WALL_COLOURS: tuple[Colour, ...] = (
    (236, 230, 220),
    (214, 224, 226),
    (226, 214, 206),
    (204, 212, 196),
    (232, 214, 190),
    (190, 198, 210),
)
VIVID_COLOURS: tuple[Colour, ...] = (
    (242, 196, 170),
    (168, 206, 214),
    (246, 218, 134),
    (196, 186, 224),
    (176, 208, 160),
    (228, 150, 140),
)
TABLE_COLOURS: tuple[Colour, ...] = (
    (176, 134, 94),
    (206, 172, 130),
    (122, 92, 70),
    (226, 224, 220),
    (150, 146, 142),
    (92, 98, 108),
)


def studio(side: int, rng: Random) -> Image.Image:
    """White or pale grey paper, slightly darker towards the bottom."""
    grey = rng.randint(236, 255)
    return _vertical_gradient(side, (grey, grey, grey), tint((grey, grey, grey), -rng.uniform(0.0, 0.1)))


def coloured(side: int, rng: Random) -> Image.Image:
    """A coloured wall in soft light."""
    colour = rng.choice(VIVID_COLOURS)
    return _vertical_gradient(side, tint(colour, 0.25), tint(colour, -0.08))


def room(side: int, rng: Random) -> Image.Image:
    """A wall above a table or a floor."""
    wall, table = rng.choice(WALL_COLOURS), rng.choice(TABLE_COLOURS)
    image = _vertical_gradient(side, tint(wall, 0.1), tint(wall, -0.12))
    horizon = round(side * rng.uniform(0.56, 0.76))
    floor = _vertical_gradient(side, tint(table, -0.12), tint(table, 0.14))
    image.paste(floor.crop((0, 0, side, side - horizon)), (0, horizon))
    return image


def planks(side: int, rng: Random) -> Image.Image:
    """Wooden boards seen from above."""
    wood = rng.choice(TABLE_COLOURS)
    image = Image.new("RGB", (side, side), wood)
    draw = ImageDraw.Draw(image, "RGBA")
    n_boards = rng.randint(4, 7)
    for board in range(n_boards):
        left, right = board * side // n_boards, (board + 1) * side // n_boards
        draw.rectangle((left, 0, right, side), fill=tint(wood, rng.uniform(-0.12, 0.14)))
        for _ in range(5):
            x = rng.randint(left, right)
            draw.line((x, 0, x + rng.randint(-8, 8), side), fill=(*tint(wood, -0.3), 60), width=2)
        draw.line((left, 0, left, side), fill=tint(wood, -0.4), width=3)
    return image


def tiles(side: int, rng: Random) -> Image.Image:
    """A tiled surface."""
    wall = rng.choice(WALL_COLOURS)
    image = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(image)
    tile = side // rng.randint(4, 7)
    for row in range(side // tile + 1):
        for column in range(side // tile + 1):
            draw.rectangle(
                (column * tile + 2, row * tile + 2, (column + 1) * tile - 2, (row + 1) * tile - 2),
                fill=tint(wall, rng.uniform(0.05, 0.3)),
            )
    return image


def blurred(side: int, rng: Random) -> Image.Image:
    """Patches of colour out of focus, as in a snapshot."""
    small = Image.new("RGB", (48, 48), rng.choice(WALL_COLOURS))
    draw = ImageDraw.Draw(small)
    for _ in range(9):
        x, y, size = rng.randint(-10, 48), rng.randint(-10, 48), rng.randint(6, 22)
        draw.rectangle((x, y, x + size, y + size), fill=rng.choice((*WALL_COLOURS, *VIVID_COLOURS, *TABLE_COLOURS)))
    return small.filter(ImageFilter.GaussianBlur(4)).resize((side, side), Image.Resampling.BILINEAR)


BACKDROPS: tuple[Callable[[int, Random], Image.Image], ...] = (
    *(studio, studio, studio, studio, studio),
    *(coloured, coloured, room, room, room, planks, tiles, blurred),
)


def draw_shadow(image: Image.Image, pose: Pose, distance: float, rng: Random) -> None:
    """Draw a soft shadow, ``distance`` units of the pose below the centre of the object."""
    mask = Image.new("L", (64, 64))
    x, y = pose.x * 64 + rng.uniform(-3, 3), (pose.y + pose.scale * distance) * 64
    half_width, half_height = pose.scale * 60, pose.scale * 60 * rng.uniform(0.14, 0.3)
    ImageDraw.Draw(mask).ellipse(
        (x - half_width, y - half_height, x + half_width, y + half_height), fill=rng.randint(70, 130)
    )
    mask = mask.filter(ImageFilter.GaussianBlur(3)).resize(image.size, Image.Resampling.BICUBIC)
    image.paste((40, 36, 34), (0, 0), mask)


def _vertical_gradient(side: int, top: Colour, bottom: Colour) -> Image.Image:
    gradient = Image.new("RGB", (1, 2))
    gradient.putdata([top, bottom])
    return gradient.resize((side, side), Image.Resampling.BILINEAR)


SHOP_LOGO = "logo"
_LYING_CATEGORIES = frozenset(
    {"Fashion >> Watches", "Electronics >> Smartwatches", "Electronics >> Headphones", "Home >> Cushions"}
)
_HANGING_CATEGORIES = frozenset({"Home >> Curtains"})
# How far below its centre an object stands on the ground, in units of the pen; its shadow is drawn there.
_SHADOW_DISTANCES: Mapping[str, float] = {
    "Kitchen >> Pans": 0.42,
    "Fashion >> Shoes": 0.6,
    "Home >> Lamps": 0.95,
    "Garden >> Plants": 0.98,
}


@dataclass(frozen=True, slots=True)
class DrawnPhoto:
    """A photo drawn on demand; equal values give equal bytes. ``subject`` is a category of DRAWINGS, or SHOP_LOGO."""

    subject: str
    colour: Colour
    seed: str

    def jpeg(self) -> bytes:
        """Draw the photo; returns a JPEG of PHOTO_SIZE x PHOTO_SIZE pixels."""
        rng = Random(self.seed)
        image = _shop_logo(rng) if self.subject == SHOP_LOGO else _scene(self.subject, self.colour, rng)
        content = io.BytesIO()
        image.save(content, "JPEG", quality=rng.randint(72, 92))
        return content.getvalue()


def _scene(subject: str, colour: Colour, rng: Random) -> Image.Image:
    side = PHOTO_SIZE * OVERSAMPLING
    image = rng.choice(BACKDROPS)(side, rng)
    if rng.random() < 0.14:
        _draw_prop(image, subject, rng)
    lying, hanging = subject in _LYING_CATEGORIES, subject in _HANGING_CATEGORIES
    pose = Pose(
        x=rng.gauss(0.5, 0.035),
        y=rng.gauss(0.51, 0.03),
        scale=rng.uniform(0.24, 0.4) if rng.random() < 0.85 else rng.uniform(0.4, 0.52),
        tilt=rng.gauss(0, 22 if lying else 1.5 if hanging else 5),
        mirrored=rng.random() < 0.5,
        squeeze=rng.uniform(0.82, 1.08),
    )
    if not hanging:
        draw_shadow(image, pose, 0.2 if lying else _SHADOW_DISTANCES.get(subject, 0.82), rng)
    varied_colour = tint(colour, rng.uniform(-0.18, 0.22))
    DRAWINGS[subject](Pen(image, pose), rng, varied_colour)
    if rng.random() < 0.07:
        _draw_sticker(image, rng)
    return _photographed(image, rng)


def _draw_prop(image: Image.Image, subject: str, rng: Random) -> None:
    """Draw a small product of another category in the background."""
    prop_category = rng.choice([category for category in DRAWINGS if category != subject])
    x = rng.choice((0.16, 0.84))
    pose = Pose(x, rng.uniform(0.3, 0.55), rng.uniform(0.09, 0.15), rng.gauss(0, 5))
    DRAWINGS[prop_category](Pen(image, pose), rng, rng.choice(VIVID_COLOURS))


def _draw_sticker(image: Image.Image, rng: Random) -> None:
    """Draw a badge such as shops put on their photos."""
    draw = ImageDraw.Draw(image)
    side = image.width
    x, y, radius = side * rng.choice((0.15, 0.85)), side * rng.choice((0.15, 0.85)), side * 0.11
    draw.ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=rng.choice(((214, 40, 50), (30, 120, 90), (30, 60, 130)))
    )
    text = rng.choice(("-20%", "NEW", "PROMO", "-50%", "BIO", "TOP"))
    draw.text((x, y), text, fill=(255, 255, 255), font=ImageFont.load_default(side * 0.055), anchor="mm")


def _photographed(image: Image.Image, rng: Random) -> Image.Image:
    """Reduce the image to its final size, and add uneven light, a tint, grain, and sometimes blur."""
    image = image.reduce(OVERSAMPLING)
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.4)))
    axis = np.linspace(-1, 1, PHOTO_SIZE, dtype=np.float32)
    light = rng.uniform(-0.08, 0.08) * axis[:, None] + rng.uniform(-0.08, 0.08) * axis[None, :]
    light += rng.choice((1.0, 1.0, rng.uniform(0.78, 1.12)))
    warmth = rng.gauss(0, 0.025)
    white_balance = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    pixels = np.asarray(image, dtype=np.float32) * light[:, :, None] * white_balance
    noise_level = rng.choice((1.0, 2.0, 3.0, 8.0))
    noise = np.random.default_rng(rng.getrandbits(64)).standard_normal((PHOTO_SIZE, PHOTO_SIZE, 1), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + noise * noise_level, 0, 255).astype(np.uint8))


def _shop_logo(rng: Random) -> Image.Image:
    """The logo that a seller without a photo uploads."""
    side = PHOTO_SIZE * OVERSAMPLING
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
