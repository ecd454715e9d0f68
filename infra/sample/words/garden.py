"""Shelves of the garden."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Verdelune", "Mossgate", "Jardin Clair", "Thornby", "Halden House", "Rosamund")

PLANTS = Shelf(
    "Garden >> Plants", 1.15, (7, 65), BRANDS, ("ceramic", "ceramic", "plastic", "zinc"), ("12 cm", "14 cm", "40 cm",
        "60 cm"),
    {
        "en": Wording(
            ("potted plant", "fern", "cactus", "succulent", "snake plant", "monstera", "house plant", "orchid",
            "aloe vera"),
            ("indoor", "easy care", "with pot", "evergreen", "air purifying", "artificial", "flowering"),
            ("Likes bright places without direct sun.", "Water once a week, less in winter.",
            "Delivered in its {colour} pot of {material}.", "Pot {size}, grows slowly.",
             "Cleans the air in the bedroom or the office.", "Perfect for beginners, forgives a forgotten watering.",
             "Flowers from May to September.", "A touch of green for the window sill.")),
        "fr": Wording(
            ("plante verte", "cactus", "fougère", "plante grasse", "monstera", "orchidée"), ("d'intérieur",
            "facile d'entretien", "avec pot", "artificielle"),
            ("Aime la lumière sans soleil direct.", "Arroser une fois par semaine.",
            "Livrée avec son pot en {material}.", "Hauteur {size}, pousse lente.")),
        "de": Wording(("Zimmerpflanze", "Kaktus", "Farn"), ("pflegeleicht", "mit Topf"),
            ("Mag helle Plätze ohne direkte Sonne.", "Einmal pro Woche gießen.")),
        "es": Wording(("planta", "cactus", "helecho"), ("de interior", "con maceta"),
            ("Le gusta la luz sin sol directo.", "Regar una vez por semana.")),
        "it": Wording(("pianta", "cactus", "felce"), ("da interno", "con vaso"), ("Ama la luce senza sole diretto.",
            "Annaffiare una volta alla settimana.")),
    },
)  # fmt: skip

WATERING_CANS = Shelf(
    "Garden >> Watering Cans", 0.8, (9, 55), BRANDS, ("zinc", "enamel", "plastic", "steel", "brass"), ("1 l",
        "1.5 l", "5 l", "10 l"),
    {
        "en": Wording(
            ("watering can", "can", "plant watering can", "indoor watering can", "garden can", "sprinkler can"),
            ("long spout", "with rose", "indoor", "retro", "large", "galvanised", "for house plants"),
            ("Long spout reaches every pot.", "Removable rose for seedlings and flower beds.",
            "Holds {size}, well balanced when full.", "Rust free {material}, may stay outside.",
             "Waters house plants without dripping.", "For the balcony, the garden or the window sill.",
             "Precise spout, pours without dripping.", "Wide opening, easy to fill.")),
        "fr": Wording(
            ("arrosoir", "arrosoir de jardin", "petit arrosoir"), ("d'intérieur", "long bec", "avec pomme", "rétro"),
            ("Long bec pour atteindre tous les pots.", "Pomme amovible pour les semis.",
            "Contenance {size}, bien équilibré.", "Pour le balcon, le jardin ou les plantes d'intérieur.")),
        "de": Wording(("Gießkanne", "Blumengießkanne"), ("mit Brause", "lang"), ("Erreicht jeden Topf.",
            "Inhalt {size}, rostfrei.")),
        "es": Wording(("regadera", "regadera de jardín"), ("de interior", "larga"), ("Llega a todas las macetas.",
            "Capacidad {size}, no se oxida.")),
        "it": Wording(("annaffiatoio", "innaffiatoio"), ("da interno", "lungo"), ("Raggiunge ogni vaso.",
            "Capacità {size}, antiruggine.")),
    },
)  # fmt: skip
