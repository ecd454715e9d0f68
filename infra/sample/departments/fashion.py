"""The categories of the fashion department: their vocabularies, and functions that draw their products."""

from __future__ import annotations

import math
from random import Random

from infra.sample.drawing_pen import Colour, Pen, Point, box, curve, ellipse, round_shades, tint
from infra.sample.vocabulary import CategoryVocabulary, Wording

BRANDS = ("Velmora", "Astrava", "Corvane", "Quillane", "Hedralis", "Solvane")

SHOES = CategoryVocabulary(
    category="Fashion >> Shoes",
    weight=1.25,
    prices=(25, 160),
    brands=BRANDS,
    materials=("leather", "leather", "suede", "canvas", "cotton", "polyester"),
    sizes=("EU 37", "EU 38", "EU 40", "EU 42", "EU 44", "UK 7"),
    wordings={
        "en": Wording(
            nouns=("sneakers", "shoes", "ankle boots", "pumps", "trainers", "running shoes", "heels", "boots"),
            traits=("for women", "for men", "unisex", "casual", "waterproof", "with laces", "lightweight", "sport"),
            sentences=(
                "Soft padded insole, comfortable all day long.", "True to size, take one up for wide feet.",
                "Grippy rubber sole, light cushioning.", "Upper of {material}, breathable lining.",
                "From the street to the office.", "These {noun} go with jeans and dresses alike.",
                "Heel height about 4 cm.", "For running, walking or the gym.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "baskets", "chaussures", "bottines", "escarpins", "chaussures de sport", "chaussures de course",
                "bottes", "mocassins",
            ),
            traits=(
                "pour femme", "pour homme", "à lacets", "confort", "imperméables", "légères", "de ville", "unisexe",
            ),
            sentences=(
                "Semelle intérieure souple, confort toute la journée.", "Taille normalement, pointure {size}.",
                "Semelle en caoutchouc antidérapante.", "Dessus {material}, doublure respirante.",
                "De la rue au bureau sans changer de chaussures.", "Se portent avec un jean comme avec une robe.",
                "Hauteur du talon : environ 4 cm.", "Pour courir, marcher ou aller à la salle.",
            ),
        ),
        "de": Wording(
            nouns=("Sneaker", "Stiefel", "Schuhe"),
            traits=("für Damen", "für Herren"),
            sentences=("Weiche Innensohle, bequem den ganzen Tag.", "Rutschfeste Sohle, Größe {size}."),
        ),
        "es": Wording(
            nouns=("zapatillas", "botas", "zapatos"),
            traits=("de mujer", "de hombre"),
            sentences=("Plantilla blanda, cómodos todo el día.", "Suela antideslizante, talla {size}."),
        ),
        "it": Wording(
            nouns=("scarpe", "stivaletti", "scarpe da ginnastica"),
            traits=("da donna", "da uomo"),
            sentences=("Soletta morbida, comode tutto il giorno.", "Suola antiscivolo, misura {size}."),
        ),
    },
)  # fmt: skip

WATCHES = CategoryVocabulary(
    category="Fashion >> Watches",
    weight=1.1,
    prices=(35, 320),
    brands=(*BRANDS, "Kastrel", "Zephrin"),
    materials=("steel", "leather", "leather", "silicone", "brass"),
    sizes=("36 mm", "38 mm", "40 mm", "42 mm"),
    wordings={
        "en": Wording(
            nouns=("watch", "wristwatch", "chronograph", "quartz watch", "timepiece", "sports watch", "analogue watch"),
            traits=(
                "for men", "for women", "automatic", "water resistant", "minimalist", "unisex", "vintage", "with date",
            ),
            sentences=(
                "Japanese quartz movement, mineral glass.", "Water resistant to 5 ATM.",
                "Case of {size}, strap of {material}.", "Luminous hands and date at three o'clock.",
                "The strap can be changed without tools.", "Delivered in a gift box with a two year battery.",
                "An elegant companion from the office to the evening.",
                "Scratch resistant crystal, fits slim wrists too.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "montre", "montre à quartz", "chronographe", "montre bracelet", "montre analogique",
                "montre de plongée",
            ),
            traits=(
                "pour homme", "pour femme", "étanche", "automatique", "minimaliste", "vintage", "avec date",
                "unisexe",
            ),
            sentences=(
                "Mouvement à quartz, verre minéral.", "Boîtier de {size}, bracelet en {material}.",
                "Étanche 5 ATM, aiguilles lumineuses.", "Livrée dans son écrin.", "Le bracelet se change sans outil.",
                "Affichage de la date à trois heures.", "Élégante, du bureau à la soirée.",
                "Verre résistant aux rayures, convient aux poignets fins.",
            ),
        ),
        "de": Wording(
            nouns=("Armbanduhr", "Uhr", "Chronograph"),
            traits=("für Herren", "für Damen"),
            sentences=("Quarzwerk, Mineralglas.", "Gehäuse {size}, wasserdicht 5 ATM."),
        ),
        "es": Wording(
            nouns=("reloj", "reloj de pulsera"),
            traits=("de hombre", "de mujer"),
            sentences=("Movimiento de cuarzo, cristal mineral.", "Caja de {size}, resistente al agua."),
        ),
        "it": Wording(
            nouns=("orologio", "orologio da polso"),
            traits=("da uomo", "da donna"),
            sentences=("Movimento al quarzo, vetro minerale.", "Cassa di {size}, resistente all'acqua."),
        ),
    },
)  # fmt: skip


WHITE: Colour = (246, 245, 240)
METALS: tuple[Colour, ...] = ((190, 193, 198), (212, 176, 96), (208, 152, 128), (58, 58, 64))


def shoe(pen: Pen, rng: Random, colour: Colour) -> None:
    """A sneaker, a boot or a heeled shoe from the side; often a pair."""
    style = rng.choice((_sneaker, _sneaker, _boot, _heel))
    if rng.random() < 0.45:
        state = rng.getstate()
        style(pen.moved(0.16, -0.3, 0.88), rng, tint(colour, -0.18))
        rng.setstate(state)
        style(pen.moved(-0.08, 0.16, 0.92), rng, colour)
    else:
        style(pen, rng, colour)


def _sneaker(pen: Pen, rng: Random, colour: Colour) -> None:
    collar_y = rng.uniform(-0.5, -0.3)
    sole = rng.choice((WHITE, WHITE, (60, 58, 58), (196, 150, 100)))
    accent = rng.choice((WHITE, tint(colour, -0.5), tint(colour, 0.5), (232, 96, 70)))
    upper = curve(
        [
            (-0.95, 0.36),
            (-0.98, 0.0),
            (-0.86, collar_y),
            (-0.62, collar_y + 0.1),
            (-0.36, collar_y - 0.02),
            (0.1, -0.02),
            (0.6, 0.1),
            (0.93, 0.24),
            (0.98, 0.38),
        ]
    )
    pen.shade(upper, (tint(colour, 0.14), colour, tint(colour, -0.22)), downwards=True)
    pen.fill(curve([(0.55, 0.12), (0.8, 0.16), (0.97, 0.34), (0.5, 0.38)], closed=True), tint(accent, -0.08))
    pen.fill(ellipse(-0.62, collar_y + 0.05, 0.24, 0.09), tint(colour, -0.5))
    pen.line(curve([(-0.55, 0.3), (-0.3, 0.05), (0.1, 0.22)]), 0.1, accent)
    for step in range(4):
        x = -0.3 + step * 0.15
        pen.line(
            [(x, collar_y + 0.16 + step * 0.08), (x + 0.14, collar_y + 0.04 + step * 0.1)],
            0.045,
            WHITE if accent != WHITE else tint(colour, -0.6),
        )
    pen.fill(
        curve(
            [(-1.0, 0.34), (-0.5, 0.36), (0.4, 0.36), (1.02, 0.34), (1.0, 0.52), (0, 0.55), (-0.98, 0.54)], closed=True
        ),
        sole,
    )
    pen.line([(-0.95, 0.45), (0.97, 0.44)], 0.025, tint(sole, -0.3))


def _boot(pen: Pen, rng: Random, colour: Colour) -> None:
    top = rng.uniform(-0.95, -0.7)
    outline: list[Point] = [
        (-0.72, 0.5),
        (-0.68, 0.0),
        (-0.7, top),
        (-0.08, top),
        (-0.06, -0.1),
        (0.3, 0.1),
        (0.78, 0.2),
        (0.88, 0.5),
    ]
    pen.shade(curve(outline), (tint(colour, 0.16), colour, tint(colour, -0.25)))
    pen.fill(ellipse(-0.39, top, 0.31, 0.09), tint(colour, -0.5))
    pen.fill(
        [(-0.74, 0.48), (0.9, 0.48), (0.9, 0.6), (-0.2, 0.62), (-0.26, 0.76), (-0.74, 0.76)],
        tint((70, 48, 34), rng.uniform(-0.4, 0.3)),
    )
    if rng.random() < 0.5:
        for step in range(5):
            y = top + 0.16 + step * 0.14
            pen.line([(-0.2, y), (-0.02, y + 0.05)], 0.035, tint(colour, 0.6))
    else:
        pen.fill(box(-0.6, top + 0.25, -0.32, 0.1), tint(colour, -0.35))


def _heel(pen: Pen, rng: Random, colour: Colour) -> None:
    lift = rng.uniform(0.0, 0.35)
    pen.fill([(-0.9, -0.2 + lift), (-0.66, -0.1 + lift), (-0.76, 0.62), (-0.84, 0.62)], tint(colour, -0.35))
    body = curve(
        [
            (-0.95, -0.42 + lift),
            (-0.7, -0.26 + lift),
            (-0.3, 0.12),
            (0.25, 0.28),
            (0.6, 0.24),
            (0.98, 0.5),
            (0.9, 0.6),
            (0.3, 0.58),
            (-0.35, 0.4),
            (-0.7, 0.02 + lift),
            (-0.94, -0.08 + lift),
        ],
        closed=True,
    )
    pen.shade(body, (tint(colour, 0.2), colour, tint(colour, -0.2)), downwards=True)
    pen.line([(0.35, 0.61), (0.92, 0.62)], 0.05, tint((80, 52, 38), -0.2))
    if rng.random() < 0.5:
        pen.line(curve([(-0.6, -0.2 + lift), (-0.35, -0.35 + lift), (-0.2, 0.16)]), 0.06, tint(colour, -0.15))


def strap(pen: Pen, rng: Random, colour: Colour, half_width: float) -> None:
    """The strap of a watch: smooth, stitched, or a bracelet of links."""
    style = rng.choice(("smooth", "stitched", "links"))
    pen.shade(
        [(-half_width, -0.3), (-half_width * 0.8, -1.25), (half_width * 0.8, -1.25), (half_width, -0.3)],
        round_shades(colour, 0.8),
    )
    pen.shade(
        [(-half_width, 0.3), (-half_width * 0.75, 1.3), (half_width * 0.75, 1.3), (half_width, 0.3)],
        round_shades(colour, 0.8),
    )
    for step in range(6):
        y = 0.55 + step * 0.13
        for side in (-1, 1):
            if style == "links":
                pen.line([(-half_width, side * y), (half_width, side * y)], 0.03, tint(colour, -0.4))
            elif style == "stitched":
                for edge in (-0.72, 0.72):
                    pen.line(
                        [(half_width * edge, side * y), (half_width * edge * 0.98, side * (y + 0.06))],
                        0.025,
                        tint(colour, 0.5),
                    )
            elif side == 1 and step > 1:
                pen.fill(ellipse(0, y, 0.04, 0.03), tint(colour, -0.5))


def watch(pen: Pen, rng: Random, colour: Colour) -> None:
    """A wrist watch with hands; most are round, some square, some with small dials."""
    metal = rng.choice(METALS)
    strap(pen, rng, rng.choice((colour, colour, metal)), rng.uniform(0.24, 0.34))
    dial = rng.choice((WHITE, WHITE, tint(colour, -0.55), (34, 36, 44), tint(colour, 0.6)))
    ink = (40, 40, 44) if sum(dial) > 380 else WHITE
    pen.fill(box(0.5, -0.08, 0.68, 0.08, 0.03), tint(metal, -0.2))
    if rng.random() < 0.2:
        pen.shade(box(-0.52, -0.56, 0.52, 0.56, 0.12), round_shades(metal))
        pen.fill(box(-0.42, -0.46, 0.42, 0.46, 0.08), dial)
    else:
        pen.shade(ellipse(0, 0, 0.6, 0.6), round_shades(metal))
        pen.fill(ellipse(0, 0, 0.5, 0.5), tint(metal, -0.35))
        pen.fill(ellipse(0, 0, 0.48, 0.48), dial)
    if rng.random() < 0.35:
        for x, y in ((-0.2, 0.04), (0.2, 0.04), (0, 0.22)):
            pen.fill(ellipse(x, y, 0.11, 0.11), tint(dial, -0.12 if sum(dial) > 380 else 0.2))
    for hour in range(0, 12, rng.choice((1, 1, 3))):
        angle = math.radians(hour * 30)
        x, y = math.sin(angle), -math.cos(angle)
        pen.line([(x * 0.36, y * 0.36), (x * 0.43, y * 0.43)], 0.035 if hour % 3 else 0.055, ink)
    for length, width in ((0.24, 0.05), (0.36, 0.035)):
        angle = rng.uniform(0, 2 * math.pi)
        pen.line([(0, 0), (length * math.sin(angle), -length * math.cos(angle))], width, ink)
    pen.fill(ellipse(0, 0, 0.04, 0.04), rng.choice((ink, (206, 62, 50))))
