"""The numbers in the cells of a matrix can be read on every colour, by day and by night (WCAG: 4.5 to 1)."""

from __future__ import annotations

import re

import pytest

from pipeline.study_report.html_report import FOLDER

STYLE = (FOLDER / "report.css").read_text(encoding="utf-8")
PALETTES = dict(zip(("day", "night"), re.findall(r"--paper: .*?--heat: [\d ]+;", STYLE, re.DOTALL), strict=True))
Colour = tuple[float, ...]


def colour(palette: str, name: str) -> Colour:
    digits = re.search(rf"--{name}: (#[0-9a-f]+|[\d ]+);", PALETTES[palette])
    assert digits is not None
    value = digits[1]
    if not value.startswith("#"):
        return tuple(float(part) for part in value.split())
    pairs = [c * 2 for c in value[1:]] if len(value) == 4 else [value[n : n + 2] for n in (1, 3, 5)]
    return tuple(float(int(pair, 16)) for pair in pairs)


def luminance(one: Colour) -> float:
    shares = [part / 255 for part in one]
    linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", ["day", "night"])
@pytest.mark.parametrize("level", range(1, 11))
def test_a_cell_can_be_read(palette: str, level: int) -> None:
    found = re.search(rf"\.h{level} {{ background: rgb\(var\(--heat\)(?: / ([\d.]+))?\)", STYLE)
    assert found is not None
    alpha = float(found[1] or 1)
    ground = tuple(
        alpha * heat + (1 - alpha) * card
        for heat, card in zip(colour(palette, "heat"), colour(palette, "card"), strict=True)
    )
    on_dark = re.search(rf"td\.h{level}\b[^{{}}]*{{ color: var\(--on-accent\)", STYLE) is not None
    light, dark = sorted(map(luminance, (ground, colour(palette, "on-accent" if on_dark else "ink"))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
