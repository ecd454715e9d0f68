"""The categories of the electronics department: their vocabularies, and functions that draw their products."""

from __future__ import annotations

from random import Random

from infra.sample.departments.fashion import strap
from infra.sample.drawing_pen import Colour, Pen, box, curve, ellipse, round_shades, tint
from infra.sample.vocabulary import CategoryVocabulary, Wording

BRANDS = ("Kastrel", "Sonoryx", "Zephrin", "Voltane", "Auralis Nine", "Brightmoor")

HEADPHONES = CategoryVocabulary(
    category="Electronics >> Headphones",
    weight=1.05,
    prices=(15, 280),
    brands=BRANDS,
    materials=("plastic", "aluminium", "silicone", "leather"),
    sizes=("40 mm", "190 g", "20 h", "one size"),
    wordings={
        "en": Wording(
            nouns=("headphones", "earbuds", "headset", "earphones", "in-ear headphones", "over-ear headphones"),
            traits=(
                "wireless", "noise cancelling", "Bluetooth 5.3", "with microphone", "foldable", "sport", "waterproof",
                "true wireless",
            ),
            sentences=(
                "Deep bass and clear voices.", "Up to 30 hours of battery life, charges over USB-C.",
                "Built-in microphone for calls.", "Pairs with your phone in seconds over Bluetooth.",
                "Soft ear pads of {material}, comfortable for hours.", "Sweat proof, for running or the gym.",
                "The charging case fits in every pocket.", "Folds flat for travel.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "casque audio", "écouteurs", "casque", "écouteurs sans fil", "écouteurs intra-auriculaires",
                "micro-casque",
            ),
            traits=("sans fil", "Bluetooth 5.3", "à réduction de bruit", "avec micro", "pliable", "sport", "étanche"),
            sentences=(
                "Basses profondes et voix claires.", "Jusqu'à 30 heures d'autonomie, recharge USB-C.",
                "Micro intégré pour les appels.", "Coussinets doux en {material}, confortable des heures.",
                "Se connecte au téléphone en quelques secondes.",
                "Résiste à la transpiration, pour courir ou s'entraîner.",
                "Le boîtier de charge tient dans toutes les poches.", "Se plie à plat pour voyager.",
            ),
        ),
        "de": Wording(
            nouns=("Kopfhörer", "Ohrhörer", "Headset"),
            traits=("kabellos", "Bluetooth"),
            sentences=("Tiefe Bässe, klare Stimmen.", "Bis zu 30 Stunden Akku, USB-C."),
        ),
        "es": Wording(
            nouns=("auriculares", "cascos"),
            traits=("inalámbricos", "Bluetooth"),
            sentences=("Graves profundos y voces claras.", "Hasta 30 horas de batería, USB-C."),
        ),
        "it": Wording(
            nouns=("cuffie", "auricolari"),
            traits=("senza fili", "Bluetooth"),
            sentences=("Bassi profondi e voci chiare.", "Fino a 30 ore di batteria, USB-C."),
        ),
    },
)  # fmt: skip

SMARTWATCHES = CategoryVocabulary(
    category="Electronics >> Smartwatches",
    weight=0.9,
    prices=(39, 350),
    brands=BRANDS,
    materials=("aluminium", "silicone", "steel", "plastic", "leather"),
    sizes=("40 mm", "42 mm", "44 mm", "1.4 inch"),
    wordings={
        "en": Wording(
            nouns=(
                "smartwatch", "fitness watch", "watch", "connected watch", "sports watch", "activity tracker",
                "smart band",
            ),
            traits=(
                "GPS", "Bluetooth 5.3", "water resistant", "for women", "for men", "unisex", "with heart rate",
                "AMOLED",
            ),
            sentences=(
                "Measures heart rate, steps and sleep.", "Up to 10 days of battery life, charges over USB.",
                "Shows calls and messages of your phone.", "Water resistant to 5 ATM.",
                "Built-in GPS for running and cycling.", "The strap can be changed without tools.",
                "Bright touch screen with 100 faces.", "Case of {size}, strap of {material}.",
            ),
        ),
        "fr": Wording(
            nouns=(
                "montre connectée", "montre de sport", "bracelet connecté", "montre", "montre GPS",
                "traqueur d'activité",
            ),
            traits=(
                "GPS", "étanche", "pour femme", "pour homme", "Bluetooth 5.3", "AMOLED", "avec cardiofréquencemètre",
            ),
            sentences=(
                "Mesure le rythme cardiaque, les pas et le sommeil.", "Jusqu'à 10 jours d'autonomie, recharge USB.",
                "Affiche les appels et les messages du téléphone.", "Boîtier de {size}, bracelet en {material}.",
                "GPS intégré pour la course et le vélo.", "Étanche 5 ATM.",
                "Écran tactile lumineux, 100 cadrans au choix.", "Le bracelet se change sans outil.",
            ),
        ),
        "de": Wording(
            nouns=("Smartwatch", "Fitnessuhr", "Sportuhr"),
            traits=("GPS", "wasserdicht"),
            sentences=("Misst Puls, Schritte und Schlaf.", "Bis zu 10 Tage Akku."),
        ),
        "es": Wording(
            nouns=("reloj inteligente", "reloj deportivo"),
            traits=("GPS", "resistente al agua"),
            sentences=("Mide el pulso, los pasos y el sueño.", "Hasta 10 días de batería."),
        ),
        "it": Wording(
            nouns=("smartwatch", "orologio sportivo"),
            traits=("GPS", "resistente all'acqua"),
            sentences=("Misura battito, passi e sonno.", "Fino a 10 giorni di batteria."),
        ),
    },
)  # fmt: skip


BLACK: Colour = (24, 25, 30)
BRIGHT: tuple[Colour, ...] = ((250, 86, 90), (120, 222, 90), (64, 190, 250), (250, 200, 60), (196, 120, 250))
# A seven-segment figure: its segments, and those that each digit lights.
_SEGMENTS = {
    "a": ((0.0, -0.2), (0.12, -0.2)),
    "b": ((0.12, -0.2), (0.12, -0.04)),
    "c": ((0.12, -0.04), (0.12, 0.12)),
    "d": ((0.0, 0.12), (0.12, 0.12)),
    "e": ((0.0, -0.04), (0.0, 0.12)),
    "f": ((0.0, -0.2), (0.0, -0.04)),
    "g": ((0.0, -0.04), (0.12, -0.04)),
}
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


def headphones(pen: Pen, rng: Random, colour: Colour) -> None:
    """Headphones with a band, a pair of earbuds in their case, or earphones on a cable."""
    rng.choice((_over_ear, _over_ear, _over_ear, _buds, _wired))(pen, rng, colour)


def _over_ear(pen: Pen, rng: Random, colour: Colour) -> None:
    band_half_width, cup_height = rng.uniform(0.66, 0.82), rng.uniform(0.32, 0.44)
    pad = rng.choice((BLACK, tint(colour, -0.5), (214, 204, 190)))
    band = curve(
        [
            (-band_half_width, 0.35),
            (-band_half_width * 1.02, -0.3),
            (-band_half_width * 0.6, -0.82),
            (0, -0.98),
            (band_half_width * 0.6, -0.82),
            (band_half_width * 1.02, -0.3),
            (band_half_width, 0.35),
        ]
    )
    pen.line(band, rng.uniform(0.1, 0.17), tint(colour, -0.18))
    pen.line(band[12:-12], 0.07, tint(colour, 0.22))
    for side in (-1, 1):
        pen.shade(ellipse(side * (band_half_width - 0.12), 0.42, cup_height * 0.62, cup_height), round_shades(pad, 0.7))
        pen.shade(
            ellipse(side * (band_half_width + 0.05), 0.42, cup_height * 0.55, cup_height * 0.94), round_shades(colour)
        )
        pen.fill(
            ellipse(side * (band_half_width + 0.08), 0.42, cup_height * 0.28, cup_height * 0.5),
            (*tint(colour, 0.35), 150),
        )
    if rng.random() < 0.25:
        pen.line(
            curve([(-band_half_width, 0.8), (-band_half_width + 0.1, 1.05), (-0.2, 0.95), (0.3, 1.15)]), 0.04, BLACK
        )


def _buds(pen: Pen, rng: Random, colour: Colour) -> None:
    pen.shade(box(-0.62, 0.05, 0.62, 0.85, 0.28), round_shades(colour))
    pen.shade(box(-0.62, -0.15, 0.62, 0.2, 0.16), round_shades(tint(colour, -0.15)))
    pen.fill(ellipse(0, 0.5, 0.05, 0.05), rng.choice(BRIGHT))
    for side in (-1, 1):
        lift = rng.uniform(-0.62, -0.4)
        pen.line([(side * 0.32, lift + 0.1), (side * 0.26, lift + 0.55)], 0.14, tint(colour, 0.1))
        pen.shade(ellipse(side * 0.34, lift, 0.24, 0.22), round_shades(tint(colour, 0.1)))
        pen.fill(ellipse(side * 0.46, lift - 0.02, 0.1, 0.13), BLACK)


def _wired(pen: Pen, rng: Random, colour: Colour) -> None:
    join_y = rng.uniform(0.1, 0.35)
    for side in (-1, 1):
        cable = curve([(side * 0.5, -0.6), (side * 0.62, -0.1), (side * 0.2, join_y), (0, join_y + 0.3)])
        pen.line(cable, 0.05, tint(colour, -0.2))
        pen.line([(side * 0.5, -0.62), (side * 0.52, -0.32)], 0.12, colour)
        pen.shade(ellipse(side * 0.44, -0.7, 0.2, 0.18), round_shades(colour))
        pen.fill(ellipse(side * 0.3, -0.72, 0.1, 0.13), BLACK)
    pen.line(
        curve([(0, join_y + 0.3), (0.1, 0.75), (-0.35, 0.9), (-0.5, 0.65), (0.2, 0.7), (0.6, 0.95)]),
        0.05,
        tint(colour, -0.2),
    )
    pen.line([(0.6, 0.95), (0.78, 1.0)], 0.08, (200, 170, 80))


def smartwatch(pen: Pen, rng: Random, colour: Colour) -> None:
    """A watch with a screen: most are square with rings or figures, some round and close to a common watch."""
    strap(pen, rng, rng.choice((colour, colour, BLACK)), rng.uniform(0.28, 0.38))
    case = rng.choice((BLACK, (188, 192, 198), tint(colour, -0.4)))
    pen.fill(box(0.5, -0.16, 0.66, 0.06, 0.04), tint(case, -0.2))
    if rng.random() < 0.3:
        pen.shade(ellipse(0, 0, 0.6, 0.6), round_shades(case))
        pen.fill(ellipse(0, 0, 0.5, 0.5), BLACK)
    else:
        pen.shade(box(-0.54, -0.62, 0.54, 0.62, 0.2), round_shades(case))
        pen.fill(box(-0.46, -0.54, 0.46, 0.54, 0.15), BLACK)
    rng.choice((_rings, _figures, _bars, _hands))(pen, rng)
    if rng.random() < 0.4:
        pen.fill([(-0.4, -0.3), (-0.1, -0.45), (-0.3, 0.4), (-0.4, 0.2)], (255, 255, 255, 28))


def _rings(pen: Pen, rng: Random) -> None:
    for radius, colour in zip((0.34, 0.25, 0.16), rng.sample(BRIGHT, 3), strict=True):
        pen.line(ellipse(0, 0, radius, radius, -90, rng.uniform(60, 240)), 0.065, colour)


def _figures(pen: Pen, rng: Random) -> None:
    pen = pen.moved(0, 0, mirrored=pen.pose.mirrored)  # the time stays readable on a mirrored watch
    colour = rng.choice((*BRIGHT, (240, 240, 240)))
    time = f"{rng.randint(0, 23):02d}{rng.randint(0, 59):02d}"
    for x, digit in zip((-0.36, -0.18, 0.06, 0.24), time, strict=True):
        for segment in _LIT[int(digit)]:
            (x1, y1), (x2, y2) = _SEGMENTS[segment]
            pen.line([(x + x1, y1), (x + x2, y2)], 0.035, colour)
    for y in (-0.12, 0.02):
        pen.fill(ellipse(0, y, 0.022, 0.022), colour)
    pen.fill(ellipse(-0.12, 0.28, 0.08, 0.08), rng.choice(BRIGHT))
    pen.fill(ellipse(0.12, 0.28, 0.08, 0.08), rng.choice(BRIGHT))


def _bars(pen: Pen, rng: Random) -> None:
    colour = rng.choice(BRIGHT)
    for step in range(6):
        x = -0.3 + step * 0.11
        pen.fill(box(x, 0.25 - rng.uniform(0.05, 0.4), x + 0.07, 0.25), colour)
    pen.line(
        curve([(-0.3, -0.25), (-0.12, -0.3), (-0.04, -0.42), (0.04, -0.18), (0.12, -0.3), (0.3, -0.3)]),
        0.03,
        (240, 240, 240),
    )


def _hands(pen: Pen, rng: Random) -> None:
    colour = rng.choice(BRIGHT)
    for step in range(12):
        dot = ellipse(0, 0, 0.4, 0.4, -90, 270)[step * 45 // 12]
        pen.fill(ellipse(dot[0], dot[1], 0.025, 0.025), (220, 220, 224))
    for x, y in ((rng.uniform(-0.25, 0.25), -0.2), (0.25, rng.uniform(-0.2, 0.2))):
        pen.line([(0, 0), (x, y)], 0.04, colour)
