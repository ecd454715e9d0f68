"""Words that all departments share (colours, materials, brands, phrases), and the classes of category vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one category in one language.

    Sentences may use {noun}, {brand}, {model}, {colour}, {material} and {size}.
    """

    nouns: tuple[str, ...]
    traits: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CategoryVocabulary:
    """The vocabulary of one leaf category.

    ``weight`` is its frequency relative to other categories, ``prices`` are the minimum and maximum in euros, and
    ``materials`` are keys of ``MATERIALS``.
    """

    category: str
    weight: float
    prices: tuple[int, int]
    brands: tuple[str, ...]
    materials: tuple[str, ...]
    sizes: tuple[str, ...]
    wordings: Mapping[str, Wording]


# The share of listings by language.
LANGUAGES: Mapping[str, float] = {"en": 0.845, "fr": 0.12, "de": 0.015, "es": 0.01, "it": 0.01}

# RGB values, then the name by language.
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

# The names for colour, material, size and brand.
ATTRIBUTE_NAMES: Mapping[str, tuple[str, str, str, str]] = {
    "en": ("Colour", "Material", "Size", "Brand"),
    "fr": ("Couleur", "Matière", "Taille", "Marque"),
    "de": ("Farbe", "Material", "Größe", "Marke"),
    "es": ("Color", "Material", "Tamaño", "Marca"),
    "it": ("Colore", "Materiale", "Misura", "Marca"),
}

# Names that do not say what the product is.
VAGUE_NAMES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Great gift for her", "Set of 2, {colour}", "{brand} {material} {colour}", "New, never used!! see photo",
        "Designer piece {colour}", "Clearance item {model}", "{brand} special edition", "Lot of 3 {colour} {material}",
        "Birthday present idea",
    ),
    "fr": (
        "Idée cadeau", "Lot de 2 {colour}", "{brand} {material} {colour}", "Neuf, voir photo",
        "Article de déco {colour}", "Fin de série {model}", "Jamais servi, à saisir !", "{brand} édition limitée",
        "Cadeau d'anniversaire",
    ),
    "de": ("Geschenkidee {colour}", "Neu, siehe Foto"),
    "es": ("Idea de regalo {colour}", "Nuevo, ver foto"),
    "it": ("Idea regalo {colour}", "Nuovo, vedi foto"),
}  # fmt: skip

# Sentences that fit any product.
PRAISE: Mapping[str, tuple[str, ...]] = {
    "en": (
        "A timeless design that fits every home.", "Light, solid and easy to clean.",
        "Made of high quality {material}.", "Colour: {colour}.",
        "The {model} series by {brand} combines style and everyday comfort.",
        "A lovely gift for birthdays and house warmings.", "Dimensions: {size}.",
        "Finished by hand, small irregularities are part of its charm.", "Wipe with a damp cloth.",
        "Our customers' favourite of the season.", "Colours may differ slightly from the photo.",
        "Brings a touch of {colour} to your day.",
    ),
    "fr": (
        "Un design intemporel qui plaît à tous.", "Léger, solide et facile à nettoyer.",
        "Fabriqué en {material} de qualité.", "Coloris : {colour}.",
        "La gamme {model} de {brand} allie style et confort.", "Une belle idée de cadeau.", "Dimensions : {size}.",
        "Fini à la main, de petites irrégularités en font le charme.", "Se nettoie avec un chiffon humide.",
        "Le coup de cœur de nos clients cette saison.", "La couleur peut différer légèrement de la photo.",
        "Une touche de {colour} pour tous les jours.",
    ),
    "de": ("Zeitloses Design, leicht zu reinigen.", "Aus hochwertigem Material: {material}.", "Farbe: {colour}."),
    "es": ("Diseño atemporal, fácil de limpiar.", "Material: {material}, de alta calidad.", "Color: {colour}."),
    "it": ("Design senza tempo, facile da pulire.", "Materiale: {material}, di alta qualità.", "Colore: {colour}."),
}  # fmt: skip

# Sentences that a shop adds to every product.
BOILERPLATE: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Free shipping on orders over 50 euros, 30 days return policy.",
        "Buy now at the best price, only genuine products, cash on delivery.",
        "Ships within 24 hours from our own warehouse.", "100% satisfaction or your money back, see shop conditions.",
        "Follow our shop to get 10% off your next order!", "Secure payment, invoice included, 2 year warranty.",
    ),
    "fr": (
        "Livraison offerte dès 50 euros, retours sous 30 jours.", "Expédié sous 24 h depuis notre entrepôt.",
        "Paiement sécurisé, facture fournie, garantie 2 ans.", "Satisfait ou remboursé, voir conditions en boutique.",
        "Abonnez-vous à la boutique : 10 % sur la prochaine commande !",
        "Produits d'origine, au meilleur prix, paiement en trois fois possible.",
    ),
    "de": ("Kostenloser Versand ab 50 Euro, 30 Tage Rückgabe.", "Versand innerhalb von 24 Stunden."),
    "es": ("Envío gratis a partir de 50 euros, devolución en 30 días.", "Enviamos en 24 horas."),
    "it": ("Spedizione gratuita da 50 euro, reso entro 30 giorni.", "Spediamo entro 24 ore."),
}  # fmt: skip

CROSS_SALE: Mapping[str, str] = {
    "en": "Looks great next to our {model} {other}, sold separately.",
    "fr": "S'accorde avec notre {other} {model}, vendu à part.",
    "de": "Passt zu {other} {model} aus unserem Shop.",
    "es": "Combina con {other} {model}, se vende aparte.",
    "it": "Si abbina a {other} {model}, venduto a parte.",
}
