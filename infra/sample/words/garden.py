"""Shelves of the garden."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Verdelune", "Mossgate", "Jardin Clair", "Thornby", "Halden House", "Rosamund")

PLANTS = Shelf(
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
            nouns=("plante verte", "cactus", "fougère", "plante grasse", "monstera", "orchidée"),
            traits=("d'intérieur", "facile d'entretien", "avec pot", "artificielle"),
            sentences=(
                "Aime la lumière sans soleil direct.", "Arroser une fois par semaine.",
                "Livrée avec son pot en {material}.", "Hauteur {size}, pousse lente.",
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

WATERING_CANS = Shelf(
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
            nouns=("arrosoir", "arrosoir de jardin", "petit arrosoir"),
            traits=("d'intérieur", "long bec", "avec pomme", "rétro"),
            sentences=(
                "Long bec pour atteindre tous les pots.", "Pomme amovible pour les semis.",
                "Contenance {size}, bien équilibré.", "Pour le balcon, le jardin ou les plantes d'intérieur.",
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
