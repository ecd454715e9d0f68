"""A pen that draws smooth shapes in unit coordinates (x right, y down; an object fills about [-1, 1] squared).

Every shape is a polygon, so that one affine map sets an object's position, size, tilt and mirroring. Photos are drawn
``OVERSAMPLING`` times larger than their final size and then reduced, which makes edges smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

PHOTO_SIZE = 256  # pixels, in both directions
OVERSAMPLING = 3

Point = tuple[float, float]
Colour = tuple[int, int, int]
Fill = Colour | tuple[int, int, int, int]


def tint(colour: Colour, amount: float) -> Colour:
    """Mix with white for a positive ``amount`` (up to 1), with black for a negative one (down to -1)."""
    target = 255 if amount > 0 else 0
    red, green, blue = (round(channel + (target - channel) * abs(amount)) for channel in colour)
    return red, green, blue


def round_shades(colour: Colour, strength: float = 1.0) -> tuple[Colour, ...]:
    """Gradient colours of a round object lit from the upper left."""
    amounts = (-0.12, 0.22, 0.06, -0.14, -0.34, -0.24)
    return tuple(tint(colour, amount * strength) for amount in amounts)


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0) -> list[Point]:
    """Points of an ellipse, or of its arc from ``start`` to ``end`` degrees (0 is right, 90 is below)."""
    steps = max(8, round(abs(end - start) / 8))
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> list[Point]:
    """A rectangle, its corners rounded by ``radius``."""
    if radius <= 0:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    corners = (
        (right - radius, bottom - radius, 0),
        (left + radius, bottom - radius, 90),
        (left + radius, top + radius, 180),
        (right - radius, top + radius, 270),
    )
    return [point for x, y, start in corners for point in ellipse(x, y, radius, radius, start, start + 90)]


def curve(points: Sequence[Point], *, closed: bool = False, steps: int = 8) -> list[Point]:
    """A smooth line through all points: a Catmull-Rom spline (Catmull and Rom 1974)."""
    n_points = len(points)
    n_segments = n_points if closed else n_points - 1
    line: list[Point] = []
    for segment in range(n_segments):
        indices = (segment - 1, segment, segment + 1, segment + 2)
        a, b, c, d = (points[i % n_points] if closed else points[min(max(i, 0), n_points - 1)] for i in indices)
        for step in range(steps):
            t = step / steps
            line.append((_interpolate(a[0], b[0], c[0], d[0], t), _interpolate(a[1], b[1], c[1], d[1], t)))
    if not closed:
        line.append(points[-1])
    return line


def _interpolate(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of an object in a photo.

    ``x`` and ``y`` are its centre (0 to 1), ``scale`` is half its size relative to the photo, ``tilt`` is in degrees,
    ``squeeze`` is a factor of its width.
    """

    x: float = 0.5
    y: float = 0.5
    scale: float = 0.35
    tilt: float = 0.0
    mirrored: bool = False
    squeeze: float = 1.0


class Pen:
    """Draws on one image, in the coordinates of one pose."""

    def __init__(self, image: Image.Image, pose: Pose) -> None:
        self.image = image
        self.pose = pose
        self._draw = ImageDraw.Draw(image, "RGBA")
        unit = pose.scale * image.width
        angle = math.radians(pose.tilt)
        self._unit = unit
        mirror = -1.0 if pose.mirrored else 1.0
        self._row_x = (unit * math.cos(angle) * mirror * pose.squeeze, -unit * math.sin(angle))
        self._row_y = (unit * math.sin(angle) * mirror * pose.squeeze, unit * math.cos(angle))
        self._origin = (pose.x * image.width, pose.y * image.height)

    def moved(self, dx: float, dy: float, size: float = 1.0, tilt: float = 0.0, *, mirrored: bool = False) -> Pen:
        """A pen for a second object, moved by ``dx`` and ``dy`` in this pen's units, with ``size`` relative to it."""
        ((x, y),) = self._pixels([(dx, dy)])
        pose = self.pose
        moved_pose = Pose(
            x / self.image.width,
            y / self.image.height,
            pose.scale * size,
            pose.tilt + tilt,
            pose.mirrored != mirrored,
            pose.squeeze,
        )
        return Pen(self.image, moved_pose)

    def fill(self, points: Sequence[Point], colour: Fill) -> None:
        """Fill a shape with one colour, which may be translucent."""
        self._draw.polygon(self._pixels(points), fill=colour)

    def line(self, points: Sequence[Point], width: float, colour: Fill) -> None:
        """Draw a line with round joints and ends; ``width`` is in units of the pose."""
        pixels = self._pixels(points)
        pixel_width = max(1, round(width * self._unit))
        self._draw.line(pixels, fill=colour, width=pixel_width, joint="curve")
        if pixel_width > 4:
            for x, y in (pixels[0], pixels[-1]):
                self._draw.ellipse(
                    (x - pixel_width / 2, y - pixel_width / 2, x + pixel_width / 2, y + pixel_width / 2), fill=colour
                )

    def shade(self, points: Sequence[Point], stops: Sequence[Colour], *, downwards: bool = False) -> None:
        """Fill a shape with a gradient through ``stops``, from left to right or downwards."""
        pixels = self._pixels(points)
        left, top = (math.floor(min(pixel[axis] for pixel in pixels)) for axis in (0, 1))
        right, bottom = (math.ceil(max(pixel[axis] for pixel in pixels)) + 1 for axis in (0, 1))
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.image.width), min(bottom, self.image.height)
        if right <= left or bottom <= top:
            return
        mask = Image.new("1", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in pixels], fill=1)
        if self.pose.mirrored and not downwards:
            stops = stops[::-1]
        ramp = Image.new("RGB", (1, len(stops)) if downwards else (len(stops), 1))
        ramp.putdata(list(stops))
        self.image.paste(ramp.resize(mask.size, Image.Resampling.BILINEAR), (left, top), mask)

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        (xx, xy), (yx, yy), (ox, oy) = self._row_x, self._row_y, self._origin
        return [(ox + x * xx + y * xy, oy + x * yx + y * yy) for x, y in points]
