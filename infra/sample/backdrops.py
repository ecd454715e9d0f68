"""What stands behind an object: studio paper, a wall and a table, planks, tiles, a coloured wall."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from infra.sample.drawing_pen import Colour, Pose, tint

WALLS: tuple[Colour, ...] = (
    (236, 230, 220),
    (214, 224, 226),
    (226, 214, 206),
    (204, 212, 196),
    (232, 214, 190),
    (190, 198, 210),
)
VIVID: tuple[Colour, ...] = (
    (242, 196, 170),
    (168, 206, 214),
    (246, 218, 134),
    (196, 186, 224),
    (176, 208, 160),
    (228, 150, 140),
)
TABLES: tuple[Colour, ...] = (
    (176, 134, 94),
    (206, 172, 130),
    (122, 92, 70),
    (226, 224, 220),
    (150, 146, 142),
    (92, 98, 108),
)


def studio(side: int, rng: Random) -> Image.Image:
    """White or pale paper that darkens a little downwards."""
    grey = rng.randint(236, 255)
    return _ramp(side, (grey, grey, grey), tint((grey, grey, grey), -rng.uniform(0.0, 0.1)))


def coloured(side: int, rng: Random) -> Image.Image:
    """A coloured wall in soft light."""
    colour = rng.choice(VIVID)
    return _ramp(side, tint(colour, 0.25), tint(colour, -0.08))


def room(side: int, rng: Random) -> Image.Image:
    """A wall and a table or a floor."""
    wall, table = rng.choice(WALLS), rng.choice(TABLES)
    image = _ramp(side, tint(wall, 0.1), tint(wall, -0.12))
    horizon = round(side * rng.uniform(0.56, 0.76))
    floor = _ramp(side, tint(table, -0.12), tint(table, 0.14))
    image.paste(floor.crop((0, 0, side, side - horizon)), (0, horizon))
    return image


def planks(side: int, rng: Random) -> Image.Image:
    """Boards seen from above."""
    wood = rng.choice(TABLES)
    image = Image.new("RGB", (side, side), wood)
    draw = ImageDraw.Draw(image, "RGBA")
    count = rng.randint(4, 7)
    for board in range(count):
        left, right = board * side // count, (board + 1) * side // count
        draw.rectangle((left, 0, right, side), fill=tint(wood, rng.uniform(-0.12, 0.14)))
        for _ in range(5):
            x = rng.randint(left, right)
            draw.line((x, 0, x + rng.randint(-8, 8), side), fill=(*tint(wood, -0.3), 60), width=2)
        draw.line((left, 0, left, side), fill=tint(wood, -0.4), width=3)
    return image


def tiles(side: int, rng: Random) -> Image.Image:
    """A tiled or checked ground."""
    wall = rng.choice(WALLS)
    image = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(image)
    step = side // rng.randint(4, 7)
    for row in range(side // step + 1):
        for column in range(side // step + 1):
            draw.rectangle(
                (column * step + 2, row * step + 2, (column + 1) * step - 2, (row + 1) * step - 2),
                fill=tint(wall, rng.uniform(0.05, 0.3)),
            )
    return image


def blurred(side: int, rng: Random) -> Image.Image:
    """Patches of colour out of focus, as in a snapshot."""
    small = Image.new("RGB", (48, 48), rng.choice(WALLS))
    draw = ImageDraw.Draw(small)
    for _ in range(9):
        x, y, size = rng.randint(-10, 48), rng.randint(-10, 48), rng.randint(6, 22)
        draw.rectangle((x, y, x + size, y + size), fill=rng.choice((*WALLS, *VIVID, *TABLES)))
    return small.filter(ImageFilter.GaussianBlur(4)).resize((side, side), Image.Resampling.BILINEAR)


BACKDROPS: tuple[Callable[[int, Random], Image.Image], ...] = (
    *(studio, studio, studio, studio, studio),
    *(coloured, coloured, room, room, room, planks, tiles, blurred),
)


def cast_shadow(image: Image.Image, pose: Pose, foot: float, rng: Random) -> None:
    """A soft shadow, ``foot`` units of the pose below the middle of the object."""
    mask = Image.new("L", (64, 64))
    x, y = pose.x * 64 + rng.uniform(-3, 3), (pose.y + pose.scale * foot) * 64
    wide, flat = pose.scale * 60, pose.scale * 60 * rng.uniform(0.14, 0.3)
    ImageDraw.Draw(mask).ellipse((x - wide, y - flat, x + wide, y + flat), fill=rng.randint(70, 130))
    mask = mask.filter(ImageFilter.GaussianBlur(3)).resize(image.size, Image.Resampling.BICUBIC)
    image.paste((40, 36, 34), (0, 0), mask)


def _ramp(side: int, top: Colour, bottom: Colour) -> Image.Image:
    ramp = Image.new("RGB", (1, 2))
    ramp.putdata([top, bottom])
    return ramp.resize((side, side), Image.Resampling.BILINEAR)
