"""Phrases that sellers of every department use, by language: empty names, praise, the shop's own sentences."""

from __future__ import annotations

from collections.abc import Mapping

# Names that do not tell what the product is.
VAGUE_NAMES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Great gift for her", "Set of 2, {colour}", "{brand} {material} {colour}", "New, never used!! see photo",
        "Designer piece {colour}", "Clearance item {model}", "{brand} special edition", "Lot of 3 {colour} {material}",
        "Birthday present idea",
    ),
    "fr": (
        "Idée cadeau", "Lot de 2 {colour}", "{brand} {material} {colour}", "Neuf, voir photo",
        "Article de déco {colour}", "Fin de série {model}",
    ),
    "de": ("Geschenkidee {colour}", "Neu, siehe Foto"),
    "es": ("Idea de regalo {colour}", "Nuevo, ver foto"),
    "it": ("Idea regalo {colour}", "Nuovo, vedi foto"),
}  # fmt: skip

# Sentences that any product may carry.
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
        "Fini à la main.",
    ),
    "de": ("Zeitloses Design, leicht zu reinigen.", "Aus hochwertigem Material: {material}.", "Farbe: {colour}."),
    "es": ("Diseño atemporal, fácil de limpiar.", "Material: {material}, de alta calidad.", "Color: {colour}."),
    "it": ("Design senza tempo, facile da pulire.", "Materiale: {material}, di alta qualità.", "Colore: {colour}."),
}  # fmt: skip

# What the shop adds to whatever it sells.
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
