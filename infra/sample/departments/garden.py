"""The categories of the garden department: their vocabularies, and functions that draw their products."""

from __future__ import annotations

import math
from random import Random

from infra.sample.drawing_pen import Colour, Pen, Point, curve, ellipse, round_shades, tint
from infra.sample.vocabulary import CategoryVocabulary, Wording

BRANDS = ("Verdelune", "Mossgate", "Jardin Clair", "Thornby", "Halden House", "Rosamund")

PLANTS = CategoryVocabulary(
    category="Garden >> Plants",
    weight=1.15,
    prices=(7, 65),
    brands=BRANDS,
    materials=("ceramic", "ceramic", "plastic", "zinc"),
    sizes=("12 cm", "14 cm", "40 cm", "60 cm"),
    wordings={
        "en": Wording(
            nouns=(
                "potted plant", "fern", "cactus", "succulent", "snake plant", "monstera", "house plant", "orchid",
                "aloe vera",
            ),
            traits=("indoor", "easy care", "with pot", "evergreen", "air purifying", "artificial", "flowering"),
            sentences=(
                "Likes bright places without direct sun.", "Water once a week, less in winter.",
                "Delivered in its {colour} pot of {material}.", "Pot {size}, grows slowly.",
                "Cleans the air in the bedroom or the office.", "Perfect for beginners, forgives a forgotten watering.",
                "Flowers from May to September.", "A touch of green for the window sill.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "plante verte", "cactus", "fougère", "plante grasse", "monstera", "orchidée", "plante en pot",
                "aloe vera",
            ),
            traits=("d'intérieur", "facile d'entretien", "avec pot", "artificielle", "dépolluante", "fleurie"),
            sentences=(
                "Aime la lumière sans soleil direct.", "Arroser une fois par semaine, moins en hiver.",
                "Livrée avec son pot en {material}.", "Hauteur {size}, pousse lente.",
                "Purifie l'air de la chambre ou du bureau.", "Parfaite pour débuter, pardonne un arrosage oublié.",
                "Fleurit de mai à septembre.", "Une touche de verdure sur le rebord de la fenêtre.",
            ),
        ),
        "de": Wording(
            nouns=("Zimmerpflanze", "Kaktus", "Farn"),
            traits=("pflegeleicht", "mit Topf"),
            sentences=("Mag helle Plätze ohne direkte Sonne.", "Einmal pro Woche gießen."),
        ),
        "es": Wording(
            nouns=("planta", "cactus", "helecho"),
            traits=("de interior", "con maceta"),
            sentences=("Le gusta la luz sin sol directo.", "Regar una vez por semana."),
        ),
        "it": Wording(
            nouns=("pianta", "cactus", "felce"),
            traits=("da interno", "con vaso"),
            sentences=("Ama la luce senza sole diretto.", "Annaffiare una volta alla settimana."),
        ),
    },
)  # fmt: skip

WATERING_CANS = CategoryVocabulary(
    category="Garden >> Watering Cans",
    weight=0.8,
    prices=(9, 55),
    brands=BRANDS,
    materials=("zinc", "enamel", "plastic", "steel", "brass"),
    sizes=("1 l", "1.5 l", "5 l", "10 l"),
    wordings={
        "en": Wording(
            nouns=("watering can", "can", "plant watering can", "indoor watering can", "garden can", "sprinkler can"),
            traits=("long spout", "with rose", "indoor", "retro", "large", "galvanised", "for house plants"),
            sentences=(
                "Long spout reaches every pot.", "Removable rose for seedlings and flower beds.",
                "Holds {size}, well balanced when full.", "Rust free {material}, may stay outside.",
                "Waters house plants without dripping.", "For the balcony, the garden or the window sill.",
                "Precise spout, pours without dripping.", "Wide opening, easy to fill.",
            ),
        ),
        "fr": Wording(
            nouns=("arrosoir", "arrosoir de jardin", "petit arrosoir", "arrosoir d'intérieur", "arrosoir à long bec"),
            traits=(
                "d'intérieur", "long bec", "avec pomme", "rétro", "grande capacité", "galvanisé",
                "pour plantes vertes",
            ),
            sentences=(
                "Long bec pour atteindre tous les pots.", "Pomme amovible pour les semis et les massifs.",
                "Contenance {size}, bien équilibré même plein.",
                "Pour le balcon, le jardin ou les plantes d'intérieur.",
                "En {material}, ne rouille pas et peut rester dehors.", "Verse avec précision, sans goutter.",
                "Large ouverture, facile à remplir.", "Arrose les plantes vertes sans éclabousser.",
            ),
        ),
        "de": Wording(
            nouns=("Gießkanne", "Blumengießkanne"),
            traits=("mit Brause", "lang"),
            sentences=("Erreicht jeden Topf.", "Inhalt {size}, rostfrei."),
        ),
        "es": Wording(
            nouns=("regadera", "regadera de jardín"),
            traits=("de interior", "larga"),
            sentences=("Llega a todas las macetas.", "Capacidad {size}, no se oxida."),
        ),
        "it": Wording(
            nouns=("annaffiatoio", "innaffiatoio"),
            traits=("da interno", "lungo"),
            sentences=("Raggiunge ogni vaso.", "Capacità {size}, antiruggine."),
        ),
    },
)  # fmt: skip


GREENS: tuple[Colour, ...] = ((70, 130, 70), (96, 150, 70), (52, 104, 70), (130, 160, 90), (80, 140, 110))
PETALS: tuple[Colour, ...] = ((226, 92, 130), (244, 196, 70), (240, 240, 236), (160, 110, 200), (230, 110, 60))


def plant(pen: Pen, rng: Random, colour: Colour) -> None:
    """A plant in a pot of the given colour: broad leaves, upright blades, a cactus, a fern or flowers."""
    green = rng.choice(GREENS)
    rng.choice((_broad, _broad, _blades, _cactus, _fern, _flowers))(pen, rng, green)
    _pot(pen, rng, colour)


def _pot(pen: Pen, rng: Random, colour: Colour) -> None:
    half_width, base_half_width = rng.uniform(0.38, 0.56), rng.uniform(0.26, 0.46)
    top = rng.uniform(0.2, 0.34)
    pen.shade(
        [(-half_width, top), *ellipse(0, 0.94, base_half_width, 0.09, 180, 0), (half_width, top)], round_shades(colour)
    )
    if rng.random() < 0.6:
        pen.shade(
            [
                (-half_width * 1.08, top - 0.06),
                (half_width * 1.08, top - 0.06),
                (half_width * 1.06, top + 0.12),
                (-half_width * 1.06, top + 0.12),
            ],
            round_shades(tint(colour, 0.1)),
        )
    elif rng.random() < 0.5:
        pen.line(
            curve([(-half_width * 0.9, top + 0.3), (0, top + 0.36), (half_width * 0.9, top + 0.3)]),
            0.08,
            (*tint(colour, 0.5), 200),
        )


def _leaf(pen: Pen, start: Point, angle: float, length: float, width: float, green: Colour) -> None:
    """A leaf that grows from ``start`` towards ``angle`` (radians, 0 is up)."""
    x, y = start
    along, across = (math.sin(angle), -math.cos(angle)), (math.cos(angle), math.sin(angle))

    def leaf_point(length_share: float, side: float) -> Point:
        point_x = x + along[0] * length_share * length + across[0] * side * width
        point_y = y + along[1] * length_share * length + across[1] * side * width
        return point_x, point_y

    pen.fill(
        curve(
            [
                leaf_point(0, 0),
                leaf_point(0.35, 0.9),
                leaf_point(0.7, 0.7),
                leaf_point(1, 0),
                leaf_point(0.7, -0.7),
                leaf_point(0.35, -0.9),
            ],
            closed=True,
            steps=5,
        ),
        green,
    )
    pen.fill(
        curve([leaf_point(0, 0), leaf_point(0.35, 0.9), leaf_point(0.7, 0.7), leaf_point(1, 0)], steps=5),
        tint(green, 0.12),
    )
    pen.line([leaf_point(0, 0), leaf_point(0.95, 0)], 0.02, tint(green, -0.25))


def _broad(pen: Pen, rng: Random, green: Colour) -> None:
    for _ in range(rng.randint(6, 10)):
        angle = rng.uniform(-1.25, 1.25)
        stem = rng.uniform(0.4, 0.85)
        x, y = math.sin(angle) * stem * 0.8, 0.25 - math.cos(angle) * stem
        pen.line(curve([(0, 0.3), (x * 0.4, y * 0.4 + 0.1), (x, y)]), 0.03, tint(green, -0.2))
        _leaf(
            pen,
            (x, y),
            angle * 1.25,
            rng.uniform(0.35, 0.55),
            rng.uniform(0.13, 0.22),
            tint(green, rng.uniform(-0.25, 0.2)),
        )


def _blades(pen: Pen, rng: Random, green: Colour) -> None:
    for _ in range(rng.randint(7, 11)):
        lean = rng.uniform(-0.45, 0.45)
        shade = tint(green, rng.uniform(-0.25, 0.2))
        top = rng.uniform(-1.0, -0.4)
        start = rng.uniform(-0.25, 0.25)
        pen.fill(
            curve(
                [
                    (start - 0.07, 0.3),
                    (start + lean * 0.5 - 0.09, -0.2),
                    (start + lean, top),
                    (start + lean * 0.5 + 0.09, -0.2),
                    (start + 0.07, 0.3),
                ]
            ),
            shade,
        )
        pen.line(
            curve([(start + 0.05, 0.3), (start + lean * 0.5 + 0.06, -0.2), (start + lean, top)]), 0.025, (222, 220, 130)
        )


def _cactus(pen: Pen, rng: Random, green: Colour) -> None:
    half_width, top = rng.uniform(0.2, 0.34), rng.uniform(-0.9, -0.4)
    pen.line(curve([(0, 0.0), (0.5, -0.05), (0.52, -0.4)]), 0.2, tint(green, -0.1))
    if rng.random() < 0.6:
        pen.line(curve([(0, -0.15), (-0.48, -0.2), (-0.5, -0.55)]), 0.18, tint(green, -0.15))
    pen.shade(
        [*ellipse(0, top + half_width, half_width, half_width, 180, 360), (half_width, 0.35), (-half_width, 0.35)],
        round_shades(green),
    )
    for column in (-0.5, 0.0, 0.5):
        for step in range(6):
            y = top + 0.2 + step * (0.1 - top) / 6
            pen.line([(column * half_width, y), (column * half_width + 0.03, y - 0.05)], 0.018, (244, 240, 214))
    if rng.random() < 0.5:
        pen.fill(ellipse(0, top, 0.1, 0.07), rng.choice(PETALS))


def _fern(pen: Pen, rng: Random, green: Colour) -> None:
    for _ in range(rng.randint(7, 10)):
        tip_x, rise = rng.uniform(-0.95, 0.95), rng.uniform(-0.7, -0.1)
        stem = curve([(0, 0.28), (tip_x * 0.45, rise - 0.2), (tip_x, rise + 0.3)])
        shade = tint(green, rng.uniform(-0.25, 0.2))
        pen.line(stem, 0.025, tint(shade, -0.2))
        for x, y in stem[3::2]:
            for side in (-1, 1):
                pen.line([(x, y), (x + 0.04 * side + 0.05, y + 0.13 * side)], 0.045, shade)


def _flowers(pen: Pen, rng: Random, green: Colour) -> None:
    petal = rng.choice(PETALS)
    for _ in range(5):
        _leaf(pen, (0, 0.25), rng.uniform(-1.3, 1.3), rng.uniform(0.4, 0.6), 0.1, tint(green, rng.uniform(-0.2, 0.2)))
    for _ in range(rng.randint(3, 6)):
        x, y = rng.uniform(-0.6, 0.6), rng.uniform(-0.95, -0.25)
        pen.line(curve([(0, 0.28), (x * 0.5, 0), (x, y)]), 0.03, tint(green, -0.15))
        size = rng.uniform(0.1, 0.16)
        for step in range(6):
            angle = step * math.pi / 3
            pen.fill(
                ellipse(x + size * math.cos(angle), y + size * math.sin(angle), size * 0.72, size * 0.72),
                tint(petal, 0.08 * (step % 2)),
            )
        pen.fill(ellipse(x, y, size * 0.5, size * 0.5), (236, 180, 60))


def watering_can(pen: Pen, rng: Random, colour: Colour) -> None:
    """A watering can with a long spout and a rose; round or tall."""
    half_width, top = rng.uniform(0.42, 0.55), rng.uniform(-0.35, -0.05)
    tip_x, tip_y = rng.uniform(-1.15, -0.95), rng.uniform(-0.62, -0.35)
    grip = tint(colour, -0.3)
    if rng.random() < 0.5:
        pen.line(
            curve(
                [
                    (half_width * 0.6, top),
                    (half_width + 0.42, top - 0.1),
                    (half_width + 0.35, 0.4),
                    (half_width * 0.95, 0.6),
                ]
            ),
            0.09,
            grip,
        )
    else:
        pen.line(
            curve([(-half_width * 0.7, top), (0, top - 0.62), (half_width + 0.3, top - 0.2), (half_width, 0.45)]),
            0.08,
            grip,
        )
    pen.shade(
        [
            (-half_width * 0.8, 0.7),
            (tip_x - 0.02, tip_y + 0.04),
            (tip_x + 0.1, tip_y - 0.06),
            (-half_width * 0.7, 0.25),
        ],
        round_shades(tint(colour, -0.1)),
    )
    if rng.random() < 0.7:
        pen.shade(
            [
                (tip_x - 0.16, tip_y + 0.04),
                (tip_x + 0.08, tip_y - 0.2),
                (tip_x + 0.12, tip_y - 0.04),
                (tip_x + 0.0, tip_y + 0.08),
            ],
            round_shades(tint(colour, 0.15)),
        )
    pen.shade(
        [(-half_width * 0.86, top), *ellipse(0, 0.78, half_width, 0.11, 180, 0), (half_width * 0.86, top)],
        round_shades(colour),
    )
    pen.fill(ellipse(0, top, half_width * 0.86, 0.11), tint(colour, 0.25))
    pen.fill([*ellipse(0, top, half_width * 0.7, 0.085)], tint(colour, -0.45))
    for y in (0.1, 0.55) if rng.random() < 0.5 else ():
        pen.line(curve([(-half_width * 0.92, y), (0, y + 0.1), (half_width * 0.92, y)]), 0.035, tint(colour, -0.25))
