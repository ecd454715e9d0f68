"""The categories of the kitchen department: their vocabularies, and functions that draw their products."""

from __future__ import annotations

from random import Random

from infra.sample.drawing_pen import Colour, Pen, Point, box, curve, ellipse, round_shades, tint
from infra.sample.vocabulary import CategoryVocabulary, Wording

BRANDS = ("Brumel", "Hearthly", "Cuvanne", "Dunmarch", "Potager & Fils", "Skovlund")

MUGS = CategoryVocabulary(
    category="Kitchen >> Mugs",
    weight=1.15,
    prices=(6, 28),
    brands=BRANDS,
    materials=("ceramic", "ceramic", "enamel", "glass", "steel"),
    sizes=("250 ml", "350 ml", "0.4 l", "12 oz"),
    wordings={
        "en": Wording(
            nouns=("mug", "coffee mug", "cup", "tea mug", "travel mug", "espresso cup", "beaker"),
            traits=("hand painted", "dishwasher safe", "large", "funny", "double wall", "retro", "stackable"),
            sentences=(
                "Keeps your coffee or tea warm a little longer.", "Safe for the microwave and the dishwasher.",
                "Holds {size}, with a comfortable handle.", "Perfect for breakfast or a break at the office.",
                "This {noun} makes every morning better.", "Printed on both sides, the print does not fade.",
                "For hot chocolate, latte or soup.", "Glazed inside and out, food safe {material}.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "mug", "tasse à café", "grande tasse", "tasse", "mug à thé", "gobelet", "tasse à expresso",
                "mug isotherme",
            ),
            traits=(
                "peint à la main", "passe au lave-vaisselle", "double paroi", "vintage", "humoristique",
                "grand format", "empilable",
            ),
            sentences=(
                "Pour le café, le thé ou le chocolat chaud.", "Compatible micro-ondes et lave-vaisselle.",
                "Contenance {size}, anse confortable.", "Idéal pour le petit-déjeuner ou la pause au bureau.",
                "Garde votre boisson au chaud un peu plus longtemps.",
                "Imprimé des deux côtés, le motif ne s'efface pas.", "Émaillé à l'intérieur comme à l'extérieur.",
                "De quoi commencer chaque matin du bon pied.",
            ),
        ),
        "de": Wording(
            nouns=("Kaffeetasse", "Becher", "Tasse"),
            traits=("spülmaschinenfest", "groß"),
            sentences=("Für Kaffee, Tee oder Kakao.", "Mikrowellengeeignet, Inhalt {size}."),
        ),
        "es": Wording(
            nouns=("taza", "taza de café"),
            traits=("apta para lavavajillas", "grande"),
            sentences=("Para café, té o chocolate.", "Apta para microondas, capacidad {size}."),
        ),
        "it": Wording(
            nouns=("tazza", "tazza da caffè"),
            traits=("lavabile in lavastoviglie", "grande"),
            sentences=("Per caffè, tè o cioccolata.", "Adatta al microonde, capacità {size}."),
        ),
    },
)  # fmt: skip

PANS = CategoryVocabulary(
    category="Kitchen >> Pans",
    weight=1.05,
    prices=(15, 120),
    brands=BRANDS,
    materials=("aluminium", "iron", "steel", "ceramic", "enamel"),
    sizes=("20 cm", "24 cm", "28 cm", "2.5 l", "3 l"),
    wordings={
        "en": Wording(
            nouns=("frying pan", "saucepan", "skillet", "casserole", "wok", "crepe pan", "pan"),
            traits=("non-stick", "induction", "oven safe", "with lid", "professional", "stackable", "deep"),
            sentences=(
                "Suitable for all hobs including induction.", "Non-stick coating free of PFOA, cooks with less oil.",
                "Heats evenly, keeps warm for long.", "The handle stays cool while you cook.",
                "For eggs, pancakes, vegetables or a stew.", "Oven safe up to 220 °C, dishwasher safe.",
                "A {noun} of {size} for the whole family.", "Thick base, pouring rim on both sides.",
            ),
        ),
        "fr": Wording(
            nouns=("poêle", "casserole", "sauteuse", "cocotte", "crêpière", "faitout", "wok", "poêle à frire"),
            traits=(
                "antiadhésive", "tous feux", "induction", "avec couvercle", "passe au four", "à poignée amovible",
                "profonde",
            ),
            sentences=(
                "Compatible tous feux dont induction.",
                "Revêtement antiadhésif sans PFOA, cuisine avec peu de matière grasse.",
                "La queue reste froide pendant la cuisson.", "Pour cuire, saisir et mijoter, {size}.",
                "Chauffe vite et répartit bien la chaleur.",
                "Pour les œufs, les crêpes, les légumes ou un bon ragoût.",
                "Passe au four jusqu'à 220 °C et au lave-vaisselle.", "Fond épais, bec verseur des deux côtés.",
            ),
        ),
        "de": Wording(
            nouns=("Bratpfanne", "Kochtopf", "Pfanne"),
            traits=("beschichtet", "induktionsgeeignet"),
            sentences=("Für alle Herdarten, auch Induktion.", "Der Griff bleibt kühl, {size}."),
        ),
        "es": Wording(
            nouns=("sartén", "cazo", "cacerola"),
            traits=("antiadherente", "para inducción"),
            sentences=("Apta para todas las cocinas, también inducción.", "Cocina con menos aceite, {size}."),
        ),
        "it": Wording(
            nouns=("padella", "casseruola"),
            traits=("antiaderente", "per induzione"),
            sentences=("Per tutti i piani cottura, anche induzione.", "Il manico resta freddo, {size}."),
        ),
    },
)  # fmt: skip

KETTLES = CategoryVocabulary(
    category="Kitchen >> Kettles",
    weight=0.9,
    prices=(18, 95),
    brands=BRANDS,
    materials=("steel", "enamel", "glass", "plastic", "iron"),
    sizes=("1 l", "1.2 l", "1.7 l", "2 l"),
    wordings={
        "en": Wording(
            nouns=("kettle", "tea kettle", "electric kettle", "water boiler", "whistling kettle", "teapot"),
            traits=("cordless", "retro", "2200 W", "fast boil", "induction", "with thermometer", "gooseneck"),
            sentences=(
                "Boils {size} in less than four minutes.", "Switches itself off, with boil dry protection.",
                "Whistles when the water boils.", "Suitable for all hobs including induction.",
                "Precise spout, pours without dripping.", "For tea, filter coffee or instant soup.",
                "Removable lime filter, easy to fill.", "The handle stays cool, the lid opens wide.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "bouilloire", "bouilloire électrique", "théière", "bouilloire sifflante", "bouilloire à thé",
                "bouilloire col de cygne",
            ),
            traits=(
                "sans fil", "2200 W", "rétro", "tous feux", "à chauffe rapide", "avec thermomètre", "à induction",
            ),
            sentences=(
                "Porte {size} à ébullition en quatre minutes.", "Arrêt automatique, filtre anticalcaire amovible.",
                "Bec verseur précis, ne goutte pas.", "Pour le thé, le café filtre ou les infusions.",
                "Siffle dès que l'eau bout.", "Protection contre la chauffe à vide.",
                "La poignée reste froide, le couvercle s'ouvre en grand.", "Compatible tous feux dont induction.",
            ),
        ),
        "de": Wording(
            nouns=("Wasserkocher", "Teekessel", "Flötenkessel"),
            traits=("kabellos", "2200 W"),
            sentences=("Kocht {size} in vier Minuten.", "Automatische Abschaltung, Kalkfilter."),
        ),
        "es": Wording(
            nouns=("hervidor", "tetera", "hervidor de agua"),
            traits=("inalámbrico", "2200 W"),
            sentences=("Hierve {size} en cuatro minutos.", "Apagado automático, filtro antical."),
        ),
        "it": Wording(
            nouns=("bollitore", "teiera"),
            traits=("senza fili", "2200 W"),
            sentences=("Bolle {size} in quattro minuti.", "Spegnimento automatico, filtro anticalcare."),
        ),
    },
)  # fmt: skip


STEEL: Colour = (176, 180, 186)
COAL: Colour = (46, 46, 50)


def mug(pen: Pen, rng: Random, colour: Colour) -> None:
    """One mug, or a pair, with a handle and some decoration."""
    if rng.random() < 0.2:
        state = rng.getstate()
        _draw_mug(pen.moved(0.62, -0.2, 0.72, mirrored=rng.random() < 0.5), rng, colour)
        rng.setstate(state)
        _draw_mug(pen.moved(-0.45, 0.18, 0.8), rng, colour)
    else:
        _draw_mug(pen, rng, colour)


def _draw_mug(pen: Pen, rng: Random, colour: Colour) -> None:
    half_height = rng.uniform(0.55, 0.95)
    half_width = rng.uniform(0.55, 0.72)
    base_half_width = half_width * rng.choice((0.72, 0.88, 1.0))
    rim_half_height = rng.uniform(0.1, 0.2)
    grip = rng.uniform(0.3, 0.46)
    pen.line(
        curve(
            [
                (half_width * 0.9, -half_height * 0.55),
                (half_width + grip, -half_height * 0.4),
                (half_width + grip, half_height * 0.2),
                (base_half_width, half_height * 0.6),
            ]
        ),
        rng.uniform(0.12, 0.2),
        tint(colour, -0.22),
    )
    outline = [
        (-half_width, -half_height),
        *ellipse(0, half_height, base_half_width, rim_half_height * 0.8, 180, 0),
        (half_width, -half_height),
    ]
    pen.shade(outline, round_shades(colour))
    _decorate(pen, rng, colour, half_width, base_half_width, half_height)
    pen.fill(ellipse(0, -half_height, half_width, rim_half_height), tint(colour, 0.35))
    drink = rng.choice(((92, 56, 30), (150, 96, 40), tint(colour, -0.35), (238, 232, 222)))
    pen.fill(ellipse(0, -half_height + 0.02, half_width * 0.9, rim_half_height * 0.82), tint(colour, -0.3))
    pen.fill(ellipse(0, -half_height + 0.045, half_width * 0.84, rim_half_height * 0.66), drink)
    if rng.random() < 0.2:
        for x in (-0.2, 0.15):
            pen.line(
                curve([(x, -half_height - 0.12), (x + 0.1, -half_height - 0.3), (x - 0.05, -half_height - 0.45)]),
                0.04,
                (255, 255, 255, 110),
            )


def _decorate(
    pen: Pen, rng: Random, colour: Colour, half_width: float, base_half_width: float, half_height: float
) -> None:
    accent = rng.choice((tint(colour, 0.6), tint(colour, -0.5), (250, 246, 236), (214, 84, 72)))
    style = rng.choice(("plain", "band", "dots", "heart", "dip", "stripes"))
    narrow_half_width = min(half_width, base_half_width)
    if style in ("band", "stripes"):
        for step in range(1 if style == "band" else 3):
            y = -half_height * 0.2 + step * 0.26
            pen.line(
                curve([(-narrow_half_width, y), (0, y + 0.1), (narrow_half_width, y)]),
                0.16 if style == "band" else 0.07,
                (*accent, 210),
            )
    elif style == "dots":
        for x, y in ((-0.3, -0.2), (0.05, -0.35), (0.32, -0.05), (-0.1, 0.1), (-0.34, 0.35), (0.2, 0.4)):
            pen.fill(ellipse(x, y * half_height + 0.08, 0.075, 0.075), (*accent, 230))
    elif style == "heart":
        heart: list[Point] = [(0, 0.28), (-0.28, -0.02), (-0.16, -0.22), (0, -0.1), (0.16, -0.22), (0.28, -0.02)]
        pen.fill(curve(heart, closed=True), (*accent, 235))
    elif style == "dip":
        pen.shade(
            [
                (-narrow_half_width, half_height * 0.35),
                *ellipse(0, half_height, base_half_width * 0.995, 0.1, 180, 0),
                (narrow_half_width, half_height * 0.35),
            ],
            round_shades(accent),
        )


def pan(pen: Pen, rng: Random, colour: Colour) -> None:
    """A frying pan from above, a saucepan from the side, or a casserole with two grips."""
    style = rng.choice(("above", "above", "side", "side", "casserole"))
    if style == "above":
        _pan_above(pen, rng, colour)
    else:
        _pan_side(pen, rng, colour, two_grips=style == "casserole")


def _pan_above(pen: Pen, rng: Random, colour: Colour) -> None:
    foreshortening = rng.uniform(0.45, 0.95)
    grip = rng.choice((COAL, tint(colour, -0.3), (150, 100, 62), STEEL))
    grip_end: Point = (1.35, -0.55 * foreshortening)
    pen.line([(0.3, -0.12 * foreshortening), grip_end], 0.19, tint(grip, -0.15))
    pen.line([(0.35, -0.16 * foreshortening), grip_end], 0.11, tint(grip, 0.15))
    pen.fill(ellipse(grip_end[0] - 0.02, grip_end[1] + 0.01, 0.035, 0.035), (240, 240, 240))
    pen.shade(ellipse(-0.25, 0.14, 0.78, 0.78 * foreshortening), round_shades(tint(colour, -0.25)))
    pen.shade(ellipse(-0.25, 0.04, 0.8, 0.8 * foreshortening), round_shades(colour))
    inside = rng.choice((COAL, COAL, (96, 92, 90), (205, 200, 190)))
    pen.shade(
        ellipse(-0.25, 0.06, 0.7, 0.7 * foreshortening),
        (tint(inside, -0.3), inside, tint(inside, 0.12)),
        downwards=True,
    )
    pen.shade(ellipse(-0.25, 0.12, 0.58, 0.56 * foreshortening), (tint(inside, 0.16), inside), downwards=True)
    if rng.random() < 0.25:
        pen.fill(
            curve(
                [
                    (-0.55, 0.1),
                    (-0.3, -0.15 * foreshortening),
                    (0.1, 0.05),
                    (0, 0.35 * foreshortening),
                    (-0.4, 0.3 * foreshortening),
                ],
                closed=True,
            ),
            (250, 250, 246),
        )
        pen.fill(ellipse(-0.22, 0.1, 0.15, 0.15 * foreshortening), (246, 190, 52))


def _pan_side(pen: Pen, rng: Random, colour: Colour, *, two_grips: bool) -> None:
    half_height, half_width = rng.uniform(0.22, 0.5), rng.uniform(0.66, 0.8)
    grip = rng.choice((COAL, STEEL, (150, 100, 62), tint(colour, -0.2)))
    centre_x = 0.0 if two_grips else -0.35
    if two_grips:
        for side in (-1, 1):
            pen.line(
                curve(
                    [
                        (side * half_width, -half_height * 0.5),
                        (side * (half_width + 0.24), -half_height * 0.45),
                        (side * half_width, half_height * 0.1),
                    ]
                ),
                0.1,
                tint(grip, -0.1),
            )
    else:
        pen.line([(0.2, -half_height * 0.7), (1.3, -half_height * 0.7 - rng.uniform(0, 0.3))], 0.16, tint(grip, -0.05))
    body = [
        (-half_width + centre_x, -half_height),
        *ellipse(centre_x, half_height, half_width * 0.94, 0.17, 180, 0),
        (half_width + centre_x, -half_height),
    ]
    pen.shade(body, round_shades(colour, 1.1))
    pen.fill(ellipse(centre_x, -half_height, half_width, 0.2), tint(colour, 0.3))
    pen.fill(ellipse(centre_x, -half_height + 0.02, half_width * 0.93, 0.165), tint(COAL, 0.15))
    if rng.random() < 0.5:
        pen.shade(
            [
                *ellipse(centre_x, -half_height - 0.02, half_width * 0.97, 0.38, 180, 360),
                *ellipse(centre_x, -half_height - 0.02, half_width * 0.97, 0.18, 0, 180),
            ],
            round_shades(rng.choice((colour, (206, 220, 226)))),
        )
        pen.shade(ellipse(centre_x, -half_height - 0.42, 0.11, 0.09), round_shades(grip))


def kettle(pen: Pen, rng: Random, colour: Colour) -> None:
    """A kettle for the stove with an arched handle, or an electric one on its base."""
    grip = rng.choice((COAL, COAL, (150, 100, 62), tint(colour, -0.4)))
    if rng.random() < 0.55:
        _stove_kettle(pen, rng, colour, grip)
    else:
        _electric_kettle(pen, rng, colour, grip)


def _stove_kettle(pen: Pen, rng: Random, colour: Colour, grip: Colour) -> None:
    half_width, top = rng.uniform(0.68, 0.82), rng.uniform(-0.36, -0.15)
    pen.line(curve([(-0.5, top + 0.1), (-0.45, -0.72), (0, -0.92), (0.45, -0.72), (0.5, top + 0.1)]), 0.1, grip)
    pen.shade([(-0.5, 0.35), (-1.08, -0.25), (-0.96, -0.34), (-0.3, 0.0)], round_shades(tint(colour, -0.1)))
    body = curve(
        [
            (-0.3, top),
            (-half_width * 0.9, 0.15),
            (-half_width, 0.55),
            (-half_width * 0.85, 0.75),
            (half_width * 0.85, 0.75),
            (half_width, 0.55),
            (half_width * 0.9, 0.15),
            (0.3, top),
        ]
    )
    pen.shade(body, round_shades(colour))
    pen.fill(ellipse(0, top, 0.34, 0.09), tint(colour, 0.3))
    pen.shade(ellipse(0, top - 0.12, 0.09, 0.09), round_shades(grip))
    pen.line(curve([(-half_width * 0.6, 0.2), (-half_width * 0.7, 0.5)]), 0.07, (255, 255, 255, 130))


def _electric_kettle(pen: Pen, rng: Random, colour: Colour, grip: Colour) -> None:
    base_half_width, neck_half_width = rng.uniform(0.5, 0.62), rng.uniform(0.34, 0.46)
    pen.line(curve([(neck_half_width * 0.8, -0.72), (0.86, -0.68), (0.9, 0.1), (base_half_width, 0.5)]), 0.15, grip)
    pen.shade(
        [(-neck_half_width, -0.72), (-neck_half_width - 0.28, -0.66), (-neck_half_width * 1.1, -0.3)],
        round_shades(tint(colour, -0.08)),
    )
    pen.shade(
        [(-neck_half_width, -0.75), (neck_half_width, -0.75), *ellipse(0, 0.66, base_half_width, 0.1, 0, 180)],
        round_shades(colour),
    )
    pen.shade(
        [*ellipse(0, -0.74, neck_half_width, 0.17, 180, 360), (neck_half_width, -0.7), (-neck_half_width, -0.7)],
        round_shades(grip),
    )
    pen.shade(
        [
            *ellipse(0, 0.72, base_half_width * 1.08, 0.1, 180, 360),
            *ellipse(0, 0.82, base_half_width * 1.08, 0.1, 0, 180),
        ],
        round_shades(grip),
    )
    if rng.random() < 0.6:
        pen.fill(box(-0.1, -0.35, 0.06, 0.4, 0.06), (225, 240, 250, 190))
        pen.fill(box(-0.08, 0.0, 0.04, 0.38, 0.04), (110, 170, 214, 200))
