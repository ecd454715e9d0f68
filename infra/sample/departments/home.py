"""The categories of the home department: their vocabularies, and functions that draw their products."""

from __future__ import annotations

import math
from random import Random

from infra.sample.drawing_pen import Colour, Pen, Point, box, curve, ellipse, round_shades, tint
from infra.sample.vocabulary import CategoryVocabulary, Wording

BRANDS = ("Lumarel", "Fjellby", "Maison Duvet", "Tisserand", "Halden House", "Ostrana")

LAMPS = CategoryVocabulary(
    category="Home >> Lamps",
    weight=1.1,
    prices=(22, 180),
    brands=BRANDS,
    materials=("brass", "ceramic", "glass", "wood", "steel", "linen"),
    sizes=("35 cm", "45 cm", "150 cm", "E27", "E14"),
    wordings={
        "en": Wording(
            nouns=("lamp", "table lamp", "floor lamp", "desk lamp", "bedside light", "pendant light", "reading lamp"),
            traits=("dimmable", "LED", "with fabric shade", "adjustable", "scandinavian", "industrial", "touch"),
            sentences=(
                "Warm light for the living room or the bedroom.", "Bulb E27 not included, max 40 W.",
                "Switch on the cable, cable length 1.5 m.", "The shade of {material} spreads a soft light.",
                "The arm turns and bends to where you read.", "Three levels of brightness by touch.",
                "Creates a cosy mood in the evening.", "Height {size}, stands firmly.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "lampe", "lampe de table", "lampadaire", "lampe de bureau", "suspension", "lampe de chevet",
                "liseuse", "applique",
            ),
            traits=(
                "à intensité variable", "LED", "orientable", "style scandinave", "tactile", "industrielle",
                "avec abat-jour en tissu",
            ),
            sentences=(
                "Une lumière douce pour le salon ou la chambre.", "Ampoule E27 non fournie, 40 W max.",
                "Interrupteur sur le câble, longueur 1,5 m.", "Abat-jour en {material}, hauteur {size}.",
                "Le bras se tourne et se plie selon vos lectures.",
                "Trois niveaux de luminosité, d'une simple pression.", "Crée une ambiance chaleureuse le soir.",
                "Socle lourd, bien stable.",
            ),
        ),
        "de": Wording(
            nouns=("Tischlampe", "Stehlampe", "Leuchte"),
            traits=("dimmbar", "LED"),
            sentences=("Warmes Licht für Wohn- und Schlafzimmer.", "Leuchtmittel nicht enthalten."),
        ),
        "es": Wording(
            nouns=("lámpara", "lámpara de mesa"),
            traits=("regulable", "LED"),
            sentences=("Luz cálida para el salón o el dormitorio.", "Bombilla no incluida."),
        ),
        "it": Wording(
            nouns=("lampada", "lampada da tavolo"),
            traits=("dimmerabile", "LED"),
            sentences=("Luce calda per il soggiorno.", "Lampadina non inclusa."),
        ),
    },
)  # fmt: skip

CURTAINS = CategoryVocabulary(
    category="Home >> Curtains",
    weight=1.0,
    prices=(18, 90),
    brands=BRANDS,
    materials=("cotton", "linen", "velvet", "polyester"),
    sizes=("140 x 245 cm", "110 x 213 cm", "135 x 260 cm", "45 x 120 cm"),
    wordings={
        "en": Wording(
            nouns=(
                "curtains", "curtain panel", "blackout curtain", "drapes", "voile", "eyelet curtains", "door curtain",
            ),
            traits=("blackout", "thermal", "sheer", "with eyelets", "floral", "striped", "washable", "pair of"),
            sentences=(
                "Keeps out light, noise and cold.", "Eight eyelets, ready to hang on any rod.",
                "Soft fabric of {material}, falls in even folds.", "Machine washable at 30 °C, iron on low heat.",
                "Two panels of {size} each.", "Lets the daylight in and keeps curious eyes out.",
                "For the living room, the bedroom or the nursery.", "Can be shortened, hem tape included.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "rideau", "paire de rideaux", "voilage", "rideau occultant", "rideau à œillets", "rideau de porte",
                "double rideau",
            ),
            traits=("occultant", "thermique", "à œillets", "à rayures", "lavable", "à fleurs", "tamisant"),
            sentences=(
                "Protège de la lumière, du bruit et du froid.", "Huit œillets, prêt à poser sur la tringle.",
                "Tissu {material}, lavable à 30 °C.", "Dimensions par panneau {size}.",
                "Laisse entrer le jour, pas les regards.", "Pour le salon, la chambre ou la chambre d'enfant.",
                "Se raccourcit facilement, ruban à ourlet fourni.", "Un beau tombé, des plis réguliers.",
            ),
        ),
        "de": Wording(
            nouns=("Vorhang", "Gardine", "Verdunkelungsvorhang"),
            traits=("blickdicht", "mit Ösen"),
            sentences=("Hält Licht und Kälte ab.", "Maschinenwaschbar, {size}."),
        ),
        "es": Wording(
            nouns=("cortina", "cortinas"),
            traits=("opaca", "con ojales"),
            sentences=("Protege de la luz y del frío.", "Lavable a máquina, {size}."),
        ),
        "it": Wording(
            nouns=("tenda", "tende"),
            traits=("oscurante", "con occhielli"),
            sentences=("Protegge dalla luce e dal freddo.", "Lavabile in lavatrice, {size}."),
        ),
    },
)  # fmt: skip

CUSHIONS = CategoryVocabulary(
    category="Home >> Cushions",
    weight=0.95,
    prices=(9, 48),
    brands=BRANDS,
    materials=("cotton", "linen", "velvet", "polyester", "suede"),
    sizes=("40 x 40 cm", "45 x 45 cm", "50 x 50 cm", "30 x 50 cm"),
    wordings={
        "en": Wording(
            nouns=("cushion", "throw pillow", "cushion cover", "scatter cushion", "decorative pillow", "sofa cushion"),
            traits=("floral", "striped", "washable", "with piping", "embroidered", "set of 2", "soft"),
            sentences=(
                "Soft fabric of {material}, hidden zip.", "Cover machine washable at 30 °C.",
                "A splash of colour for the sofa or the bed.", "Filling included, keeps its shape.",
                "Size {size}, without filling.", "Matches the throws of the same series.",
                "For the living room, the bedroom or the nursery.", "Printed on the front, plain on the back.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "coussin", "housse de coussin", "coussin déco", "coussin de canapé", "coussin carré",
                "coussin d'extérieur",
            ),
            traits=("à rayures", "brodé", "déhoussable", "avec passepoil", "à fleurs", "lavable", "moelleux"),
            sentences=(
                "Tissu {material}, fermeture invisible.", "Housse lavable à 30 °C.",
                "Pour réveiller le canapé ou le lit.", "Garnissage compris, {size}.",
                "Garde sa forme au fil du temps.", "S'accorde avec les plaids de la même collection.",
                "Imprimé devant, uni au dos.", "Pour le salon, la chambre ou la terrasse.",
            ),
        ),
        "de": Wording(
            nouns=("Kissen", "Kissenbezug", "Zierkissen"),
            traits=("gestreift", "bestickt"),
            sentences=("Bezug waschbar, verdeckter Reißverschluss.", "Für Sofa und Bett, {size}."),
        ),
        "es": Wording(
            nouns=("cojín", "funda de cojín"),
            traits=("a rayas", "bordado"),
            sentences=("Funda lavable, cremallera oculta.", "Para el sofá o la cama, {size}."),
        ),
        "it": Wording(
            nouns=("cuscino", "federa per cuscino"),
            traits=("a righe", "ricamato"),
            sentences=("Fodera lavabile, cerniera nascosta.", "Per divano e letto, {size}."),
        ),
    },
)  # fmt: skip


WOODS: tuple[Colour, ...] = (
    (150, 104, 66),
    (196, 152, 104),
    (92, 64, 46),
    (60, 60, 62),
    (206, 206, 204),
    (200, 164, 84),
)


def lamp(pen: Pen, rng: Random, colour: Colour) -> None:
    """A table lamp, a floor lamp, a desk lamp with an arm, or a pendant; some are lit."""
    lit = rng.random() < 0.5
    rng.choice((_table_lamp, _table_lamp, _floor_lamp, _desk_lamp, _pendant))(pen, rng, colour, lit=lit)


def _glow(pen: Pen, x: float, y: float, radius: float) -> None:
    for step in range(6):
        size = radius * (1 - step * 0.14)
        pen.fill(ellipse(x, y, size, size), (255, 232, 160, 18))


def _shade(
    pen: Pen, x: float, span: tuple[float, float], widths: tuple[float, float], colour: Colour, *, lit: bool
) -> None:
    (top, bottom), (top_half_width, half_width) = span, widths
    outline = [
        (x - top_half_width, top),
        (x + top_half_width, top),
        (x + half_width, bottom),
        *ellipse(x, bottom, half_width, half_width * 0.14, 0, 180),
    ]
    if lit:
        warm = (255, 236, 176)
        pen.shade(outline, (tint(colour, 0.1), tint(warm, 0.2), tint(colour, 0.2), tint(colour, -0.1)))
    else:
        pen.shade(outline, round_shades(colour, 0.8))
    pen.line([(x - top_half_width, top), (x + top_half_width, top)], 0.03, tint(colour, -0.3))


def _table_lamp(pen: Pen, rng: Random, colour: Colour, *, lit: bool) -> None:
    base = rng.choice((*WOODS, tint(colour, -0.3)))
    if lit:
        _glow(pen, 0, -0.4, 1.0)
    belly = rng.uniform(0.12, 0.42)
    pen.line([(0, -0.1), (0, 0.8)], 0.07, tint(base, -0.2))
    pen.shade(
        curve([(-0.05, 0.0), (-belly, 0.45), (-0.12, 0.85), (0.12, 0.85), (belly, 0.45), (0.05, 0.0)]),
        round_shades(base),
    )
    pen.shade(ellipse(0, 0.88, rng.uniform(0.24, 0.4), 0.08), round_shades(base))
    half_width = rng.uniform(0.5, 0.74)
    _shade(
        pen, 0, (rng.uniform(-0.98, -0.75), -0.05), (half_width * rng.uniform(0.4, 1.0), half_width), colour, lit=lit
    )


def _floor_lamp(pen: Pen, rng: Random, colour: Colour, *, lit: bool) -> None:
    base = rng.choice(WOODS)
    if lit:
        _glow(pen, 0, -0.85, 0.8)
    if rng.random() < 0.5:
        for x in (-0.42, 0.06, 0.42):
            pen.line([(0, -0.5), (x, 1.1)], 0.06, tint(base, -0.1))
    else:
        pen.line([(0, -0.6), (0, 1.05)], 0.06, base)
        pen.shade(ellipse(0, 1.06, 0.34, 0.08), round_shades(base))
    _shade(pen, 0, (-1.15, -0.55), (rng.uniform(0.2, 0.4), rng.uniform(0.4, 0.5)), colour, lit=lit)


def _desk_lamp(pen: Pen, rng: Random, colour: Colour, *, lit: bool) -> None:
    elbow: Point = (rng.uniform(-0.62, -0.4), rng.uniform(-0.3, 0.0))
    head: Point = (0.3, rng.uniform(-0.8, -0.6))
    if lit:
        _glow(pen, head[0] + 0.3, head[1] + 0.4, 0.6)
    pen.shade(ellipse(0, 0.86, 0.46, 0.11), round_shades(tint(colour, -0.1)))
    pen.line([(0, 0.84), elbow, head], 0.07, tint(colour, -0.25))
    pen.fill(ellipse(elbow[0], elbow[1], 0.07, 0.07), tint(colour, 0.2))
    x, y = head
    pen.shade(
        [(x - 0.08, y - 0.14), (x + 0.14, y - 0.12), (x + 0.56, y + 0.22), (x + 0.04, y + 0.42), (x - 0.12, y + 0.06)],
        round_shades(colour),
    )
    pen.fill(ellipse(x + 0.32, y + 0.33, 0.13, 0.09), (255, 240, 180) if lit else (230, 230, 226))


def _pendant(pen: Pen, rng: Random, colour: Colour, *, lit: bool) -> None:
    if lit:
        _glow(pen, 0, 0.4, 1.0)
    pen.line([(0, -2.2), (0, -0.2)], 0.03, (50, 50, 52))
    if rng.random() < 0.5:
        pen.shade([*ellipse(0, 0.4, 0.8, 0.7, 180, 360), *ellipse(0, 0.4, 0.8, 0.12, 0, 180)], round_shades(colour))
        pen.fill(ellipse(0, 0.4, 0.8, 0.12), (255, 238, 184) if lit else tint(colour, 0.5))
    else:
        pen.shade(ellipse(0, 0.3, 0.62, 0.62), round_shades((255, 236, 190) if lit else colour, 0.6))
        pen.fill(box(-0.12, -0.42, 0.12, -0.26, 0.03), (70, 66, 60))


def curtain(pen: Pen, rng: Random, colour: Colour) -> None:
    """Curtains on a rod: a pair beside a window, or one closed panel; plain, striped or with dots."""
    rod = rng.choice(WOODS)
    if rng.random() < 0.65:
        if rng.random() < 0.7:
            _window(pen, rng)
        gap = rng.uniform(0.25, 0.5)
        state = rng.getstate()
        for side in (-1, 1):
            rng.setstate(state)
            _panel(pen, rng, colour, side * gap, side * 1.08, tied=rng.random() < 0.3)
    else:
        _panel(pen, rng, colour, -0.8, 0.8, tied=False)
    pen.line([(-1.2, -1.0), (1.2, -1.0)], 0.06, rod)
    for end in (-1.22, 1.22):
        pen.fill(ellipse(end, -1.0, 0.08, 0.08), rod)


def _window(pen: Pen, rng: Random) -> None:
    sky = rng.choice(((186, 216, 240), (210, 226, 236), (250, 222, 180), (120, 140, 180)))
    pen.shade(box(-0.8, -0.85, 0.8, 0.5), (sky, tint(sky, 0.5)), downwards=True)
    for points in ([(-0.8, -0.2), (0.8, -0.2)], [(0, -0.85), (0, 0.5)], [(-0.8, 0.5), (0.8, 0.5)]):
        pen.line(points, 0.05, (250, 250, 248))


def _panel(pen: Pen, rng: Random, colour: Colour, inner: float, outer: float, *, tied: bool) -> None:
    folds = rng.randint(4, 7)
    style = rng.choice(("plain", "plain", "hem", "dots", "stripes"))
    accent = rng.choice((tint(colour, 0.55), tint(colour, -0.4), (250, 246, 236)))
    for fold in range(folds):
        edges = [inner + (outer - inner) * (fold + part) / folds for part in (0, 1)]
        middle = [outer + (edge - outer) * 0.45 if tied else edge for edge in edges]
        wave = 0.03 * math.sin(fold * 2.1)
        shape = [
            (edges[0], -1.0),
            (edges[1], -1.0),
            (middle[1], 0.3),
            (edges[1], 1.0 + wave),
            (edges[0], 1.0 - wave),
            (middle[0], 0.3),
        ]
        fabric = accent if style == "stripes" and fold % 2 else colour
        pen.shade(shape, (tint(fabric, -0.26), tint(fabric, 0.14), fabric, tint(fabric, -0.3)))
        if style == "dots":
            for step in range(5):
                pen.fill(
                    ellipse((edges[0] + edges[1]) / 2, -0.75 + step * 0.4 + 0.2 * (fold % 2), 0.05, 0.06),
                    (*accent, 220),
                )
        if style == "hem":
            pen.fill([(edges[0], 0.72), (edges[1], 0.72), (edges[1], 0.86), (edges[0], 0.86)], (*accent, 190))


def cushion(pen: Pen, rng: Random, colour: Colour) -> None:
    """A square or oblong cushion with pinched corners, or two of them."""
    if rng.random() < 0.25:
        _draw_cushion(pen.moved(0.4, -0.22, 0.75, tilt=8), rng, tint(colour, -0.25))
        pen = pen.moved(-0.25, 0.18, 0.85, tilt=-6)
    _draw_cushion(pen, rng, colour)


def _draw_cushion(pen: Pen, rng: Random, colour: Colour) -> None:
    half_height = rng.choice((0.85, 0.85, 0.55))
    outline = curve(
        [
            (-0.92, -half_height),
            (0, -half_height * 0.91),
            (0.92, -half_height),
            (0.85, 0),
            (0.92, half_height),
            (0, half_height * 0.92),
            (-0.92, half_height),
            (-0.85, 0),
        ],
        closed=True,
    )
    pen.shade(outline, (tint(colour, 0.18), colour, colour, tint(colour, -0.28)), downwards=True)
    accent = rng.choice((tint(colour, 0.6), tint(colour, -0.45), (250, 246, 236), (222, 170, 80)))
    style = rng.choice(("plain", "stripes", "grid", "dots", "diamond", "button"))
    for step in (-2, -1, 0, 1, 2):
        if style in ("stripes", "grid"):
            pen.line(
                curve([(step * 0.3, -half_height * 0.82), (step * 0.33, 0), (step * 0.3, half_height * 0.84)]),
                0.07,
                (*accent, 170),
            )
        if style == "grid":
            pen.line(
                curve([(-0.76, step * half_height * 0.33), (0.76, step * half_height * 0.33)]), 0.07, (*accent, 130)
            )
        if style == "dots":
            for column in (-2, -1, 0, 1, 2):
                pen.fill(ellipse(column * 0.32, step * half_height * 0.35, 0.07, 0.07), (*accent, 220))
    if style == "diamond":
        for size in (0.6, 0.36):
            pen.line(
                [(0, -size * half_height), (size, 0), (0, size * half_height), (-size, 0), (0, -size * half_height)],
                0.07,
                (*accent, 220),
            )
    if style == "button":
        pen.fill(ellipse(0, 0, 0.09, 0.09), tint(colour, -0.4))
        for x, y in ((-0.5, -0.4), (0.5, -0.4), (-0.5, 0.4), (0.5, 0.4)):
            pen.line([(x * 0.25, y * 0.25), (x, y * half_height)], 0.025, (*tint(colour, -0.4), 120))
    pen.line([*outline, outline[0]], 0.03, tint(colour, -0.35))
