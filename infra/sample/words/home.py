"""Shelves of the home."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Lumarel", "Fjellby", "Maison Duvet", "Tisserand", "Halden House", "Ostrana")

LAMPS = Shelf(
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
            nouns=("lampe", "lampe de table", "lampadaire", "lampe de bureau", "suspension"),
            traits=("à intensité variable", "LED", "orientable", "style scandinave"),
            sentences=(
                "Une lumière douce pour le salon ou la chambre.", "Ampoule E27 non fournie, 40 W max.",
                "Interrupteur sur le câble.", "Abat-jour en {material}, hauteur {size}.",
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

CURTAINS = Shelf(
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
            nouns=("rideau", "paire de rideaux", "voilage", "rideau occultant"),
            traits=("occultant", "thermique", "à œillets", "à rayures"),
            sentences=(
                "Protège de la lumière et du froid.", "Huit œillets, prêt à poser sur la tringle.",
                "Tissu {material}, lavable à 30 °C.", "Dimensions par panneau {size}.",
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

CUSHIONS = Shelf(
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
            nouns=("coussin", "housse de coussin", "coussin déco"),
            traits=("à rayures", "brodé", "déhoussable", "avec passepoil"),
            sentences=(
                "Tissu {material}, fermeture invisible.", "Housse lavable à 30 °C.",
                "Pour réveiller le canapé ou le lit.", "Garnissage compris, {size}.",
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
