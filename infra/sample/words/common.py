"""What sellers of every department say: colours, materials, brands, attribute names.

Every brand is invented.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES: Mapping[str, float] = {"en": 0.845, "fr": 0.12, "de": 0.015, "es": 0.01, "it": 0.01}

# Red, green and blue, then the name by language.
COLOURS: Mapping[str, tuple[tuple[int, int, int], Mapping[str, str]]] = {
    "red": ((194, 58, 54), {"en": "red", "fr": "rouge", "de": "rot", "es": "rojo", "it": "rosso"}),
    "navy": (
        (42, 82, 144),
        {"en": "navy blue", "fr": "bleu marine", "de": "marineblau", "es": "azul marino", "it": "blu"},
    ),
    "green": ((62, 128, 92), {"en": "green", "fr": "vert", "de": "grün", "es": "verde", "it": "verde"}),
    "white": ((236, 232, 224), {"en": "white", "fr": "blanc", "de": "weiß", "es": "blanco", "it": "bianco"}),
    "black": ((44, 44, 50), {"en": "black", "fr": "noir", "de": "schwarz", "es": "negro", "it": "nero"}),
    "mustard": ((226, 174, 62), {"en": "mustard", "fr": "moutarde", "de": "senfgelb", "es": "mostaza", "it": "senape"}),
    "taupe": ((150, 122, 96), {"en": "taupe", "fr": "taupe", "de": "taupe", "es": "topo", "it": "tortora"}),
    "rose": ((214, 142, 160), {"en": "pink", "fr": "rose", "de": "rosa", "es": "rosa", "it": "rosa"}),
    "teal": ((92, 158, 168), {"en": "teal", "fr": "bleu canard", "de": "petrol", "es": "turquesa", "it": "ottanio"}),
    "plum": ((122, 82, 142), {"en": "purple", "fr": "prune", "de": "lila", "es": "morado", "it": "viola"}),
    "grey": ((138, 142, 148), {"en": "grey", "fr": "gris", "de": "grau", "es": "gris", "it": "grigio"}),
    "terracotta": (
        (198, 108, 76),
        {"en": "terracotta", "fr": "terre cuite", "de": "terrakotta", "es": "terracota", "it": "terracotta"},
    ),
    "sand": ((214, 192, 156), {"en": "beige", "fr": "sable", "de": "beige", "es": "arena", "it": "sabbia"}),
}

MATERIALS: Mapping[str, Mapping[str, str]] = {
    "ceramic": {"en": "ceramic", "fr": "céramique", "de": "Keramik", "es": "cerámica", "it": "ceramica"},
    "enamel": {
        "en": "enamelled steel",
        "fr": "acier émaillé",
        "de": "Emaille",
        "es": "acero esmaltado",
        "it": "acciaio smaltato",
    },
    "steel": {"en": "stainless steel", "fr": "inox", "de": "Edelstahl", "es": "acero inoxidable", "it": "acciaio inox"},
    "aluminium": {"en": "aluminium", "fr": "aluminium", "de": "Aluminium", "es": "aluminio", "it": "alluminio"},
    "iron": {"en": "cast iron", "fr": "fonte", "de": "Gusseisen", "es": "hierro fundido", "it": "ghisa"},
    "zinc": {"en": "galvanised zinc", "fr": "zinc", "de": "Zink", "es": "zinc", "it": "zinco"},
    "brass": {"en": "brass", "fr": "laiton", "de": "Messing", "es": "latón", "it": "ottone"},
    "glass": {"en": "glass", "fr": "verre", "de": "Glas", "es": "vidrio", "it": "vetro"},
    "wood": {"en": "oak wood", "fr": "chêne", "de": "Eiche", "es": "roble", "it": "rovere"},
    "plastic": {
        "en": "recycled plastic",
        "fr": "plastique recyclé",
        "de": "Kunststoff",
        "es": "plástico",
        "it": "plastica",
    },
    "leather": {"en": "leather", "fr": "cuir", "de": "Leder", "es": "cuero", "it": "pelle"},
    "suede": {"en": "suede", "fr": "daim", "de": "Wildleder", "es": "ante", "it": "camoscio"},
    "canvas": {"en": "canvas", "fr": "toile", "de": "Canvas", "es": "lona", "it": "tela"},
    "silicone": {"en": "silicone", "fr": "silicone", "de": "Silikon", "es": "silicona", "it": "silicone"},
    "cotton": {"en": "cotton", "fr": "coton", "de": "Baumwolle", "es": "algodón", "it": "cotone"},
    "linen": {"en": "linen", "fr": "lin", "de": "Leinen", "es": "lino", "it": "lino"},
    "velvet": {"en": "velvet", "fr": "velours", "de": "Samt", "es": "terciopelo", "it": "velluto"},
    "polyester": {"en": "polyester", "fr": "polyester", "de": "Polyester", "es": "poliéster", "it": "poliestere"},
}

BRANDS = ("Orvelle", "Tamsin & Rowe", "Noordvik", "Casa Lirio", "Pinquist", "Marovia", "Everday")
SERIES = (
    "Alba", "Nova", "Oslo", "Terra", "Luna", "Vega", "Mira", "Fjord", "Sienna", "Atlas", "Juno", "Kyoto", "Lagoon",
    "Bento", "Cedar", "Orbit", "Classic", "Urban", "Heritage", "Breeze", "Studio", "Pebble", "Halo", "Nomad",
)  # fmt: skip

# Colour, material, size, brand.
ATTRIBUTE_NAMES: Mapping[str, tuple[str, str, str, str]] = {
    "en": ("Colour", "Material", "Size", "Brand"),
    "fr": ("Couleur", "Matière", "Taille", "Marque"),
    "de": ("Farbe", "Material", "Größe", "Marke"),
    "es": ("Color", "Material", "Tamaño", "Marca"),
    "it": ("Colore", "Materiale", "Misura", "Marca"),
}
