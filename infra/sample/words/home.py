"""Shelves of the home."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Lumarel", "Fjellby", "Maison Duvet", "Tisserand", "Halden House", "Ostrana")

LAMPS = Shelf(
    "Home >> Lamps", 1.1, (22, 180), BRANDS, ("brass", "ceramic", "glass", "wood", "steel", "linen"), ("35 cm",
        "45 cm", "150 cm", "E27", "E14"),
    {
        "en": Wording(
            ("lamp", "table lamp", "floor lamp", "desk lamp", "bedside light", "pendant light", "reading lamp"),
            ("dimmable", "LED", "with fabric shade", "adjustable", "scandinavian", "industrial", "touch"),
            ("Warm light for the living room or the bedroom.", "Bulb E27 not included, max 40 W.",
            "Switch on the cable, cable length 1.5 m.",
             "The shade of {material} spreads a soft light.", "The arm turns and bends to where you read.",
             "Three levels of brightness by touch.",
             "Creates a cosy mood in the evening.", "Height {size}, stands firmly.")),
        "fr": Wording(
            ("lampe", "lampe de table", "lampadaire", "lampe de bureau", "suspension"), ("à intensité variable",
            "LED", "orientable", "style scandinave"),
            ("Une lumière douce pour le salon ou la chambre.", "Ampoule E27 non fournie, 40 W max.",
            "Interrupteur sur le câble.", "Abat-jour en {material}, hauteur {size}.")),
        "de": Wording(("Tischlampe", "Stehlampe", "Leuchte"), ("dimmbar", "LED"),
            ("Warmes Licht für Wohn- und Schlafzimmer.", "Leuchtmittel nicht enthalten.")),
        "es": Wording(("lámpara", "lámpara de mesa"), ("regulable", "LED"),
            ("Luz cálida para el salón o el dormitorio.", "Bombilla no incluida.")),
        "it": Wording(("lampada", "lampada da tavolo"), ("dimmerabile", "LED"), ("Luce calda per il soggiorno.",
            "Lampadina non inclusa.")),
    },
)  # fmt: skip

CURTAINS = Shelf(
    "Home >> Curtains", 1.0, (18, 90), BRANDS, ("cotton", "linen", "velvet", "polyester"), ("140 x 245 cm",
        "110 x 213 cm", "135 x 260 cm", "45 x 120 cm"),
    {
        "en": Wording(
            ("curtains", "curtain panel", "blackout curtain", "drapes", "voile", "eyelet curtains", "door curtain"),
            ("blackout", "thermal", "sheer", "with eyelets", "floral", "striped", "washable", "pair of"),
            ("Keeps out light, noise and cold.", "Eight eyelets, ready to hang on any rod.",
            "Soft fabric of {material}, falls in even folds.", "Machine washable at 30 °C, iron on low heat.",
             "Two panels of {size} each.", "Lets the daylight in and keeps curious eyes out.",
             "For the living room, the bedroom or the nursery.", "Can be shortened, hem tape included.")),
        "fr": Wording(
            ("rideau", "paire de rideaux", "voilage", "rideau occultant"), ("occultant", "thermique", "à œillets",
            "à rayures"),
            ("Protège de la lumière et du froid.", "Huit œillets, prêt à poser sur la tringle.",
            "Tissu {material}, lavable à 30 °C.", "Dimensions par panneau {size}.")),
        "de": Wording(("Vorhang", "Gardine", "Verdunkelungsvorhang"), ("blickdicht", "mit Ösen"),
            ("Hält Licht und Kälte ab.", "Maschinenwaschbar, {size}.")),
        "es": Wording(("cortina", "cortinas"), ("opaca", "con ojales"), ("Protege de la luz y del frío.",
            "Lavable a máquina, {size}.")),
        "it": Wording(("tenda", "tende"), ("oscurante", "con occhielli"), ("Protegge dalla luce e dal freddo.",
            "Lavabile in lavatrice, {size}.")),
    },
)  # fmt: skip

CUSHIONS = Shelf(
    "Home >> Cushions", 0.95, (9, 48), BRANDS, ("cotton", "linen", "velvet", "polyester", "suede"), ("40 x 40 cm",
        "45 x 45 cm", "50 x 50 cm", "30 x 50 cm"),
    {
        "en": Wording(
            ("cushion", "throw pillow", "cushion cover", "scatter cushion", "decorative pillow", "sofa cushion"),
            ("floral", "striped", "washable", "with piping", "embroidered", "set of 2", "soft"),
            ("Soft fabric of {material}, hidden zip.", "Cover machine washable at 30 °C.",
            "A splash of colour for the sofa or the bed.", "Filling included, keeps its shape.",
             "Size {size}, without filling.", "Matches the throws of the same series.",
             "For the living room, the bedroom or the nursery.", "Printed on the front, plain on the back.")),
        "fr": Wording(
            ("coussin", "housse de coussin", "coussin déco"), ("à rayures", "brodé", "déhoussable", "avec passepoil"),
            ("Tissu {material}, fermeture invisible.", "Housse lavable à 30 °C.",
            "Pour réveiller le canapé ou le lit.", "Garnissage compris, {size}.")),
        "de": Wording(("Kissen", "Kissenbezug", "Zierkissen"), ("gestreift", "bestickt"),
            ("Bezug waschbar, verdeckter Reißverschluss.", "Für Sofa und Bett, {size}.")),
        "es": Wording(("cojín", "funda de cojín"), ("a rayas", "bordado"), ("Funda lavable, cremallera oculta.",
            "Para el sofá o la cama, {size}.")),
        "it": Wording(("cuscino", "federa per cuscino"), ("a righe", "ricamato"),
            ("Fodera lavabile, cerniera nascosta.", "Per divano e letto, {size}.")),
    },
)  # fmt: skip
