"""Shelves of fashion."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Velmora", "Astrava", "Corvane", "Quillon", "Hedra", "Solvane")

SHOES = Shelf(
    "Fashion >> Shoes", 1.25, (25, 160), BRANDS, ("leather", "leather", "suede", "canvas", "cotton", "polyester"),
        ("EU 37", "EU 38", "EU 40", "EU 42", "EU 44", "UK 7"),
    {
        "en": Wording(
            ("sneakers", "shoes", "ankle boots", "pumps", "trainers", "running shoes", "heels", "boots"),
            ("for women", "for men", "unisex", "casual", "waterproof", "with laces", "lightweight", "sport"),
            ("Soft padded insole, comfortable all day long.", "True to size, take one up for wide feet.",
            "Grippy rubber sole, light cushioning.",
             "Upper of {material}, breathable lining.", "From the street to the office.",
             "These {noun} go with jeans and dresses alike.",
             "Heel height about 4 cm.", "For running, walking or the gym.")),
        "fr": Wording(
            ("baskets", "chaussures", "bottines", "escarpins", "chaussures de sport"), ("pour femme", "pour homme",
            "à lacets", "confort"),
            ("Semelle intérieure souple, confort toute la journée.", "Taille normalement, pointure {size}.",
            "Semelle en caoutchouc antidérapante.", "Dessus {material}, doublure respirante.")),
        "de": Wording(("Sneaker", "Stiefel", "Schuhe"), ("für Damen", "für Herren"),
            ("Weiche Innensohle, bequem den ganzen Tag.", "Rutschfeste Sohle, Größe {size}.")),
        "es": Wording(("zapatillas", "botas", "zapatos"), ("de mujer", "de hombre"),
            ("Plantilla blanda, cómodos todo el día.", "Suela antideslizante, talla {size}.")),
        "it": Wording(("scarpe", "stivaletti", "scarpe da ginnastica"), ("da donna", "da uomo"),
            ("Soletta morbida, comode tutto il giorno.", "Suola antiscivolo, misura {size}.")),
    },
)  # fmt: skip

WATCHES = Shelf(
    "Fashion >> Watches", 1.1, (35, 320), (*BRANDS, "Kastrel", "Zephrin"), ("steel", "leather", "leather",
        "silicone", "brass"), ("36 mm", "38 mm", "40 mm", "42 mm"),
    {
        "en": Wording(
            ("watch", "wristwatch", "chronograph", "quartz watch", "timepiece", "sports watch", "analogue watch"),
            ("for men", "for women", "automatic", "water resistant", "minimalist", "unisex", "vintage", "with date"),
            ("Japanese quartz movement, mineral glass.", "Water resistant to 5 ATM.",
            "Case of {size}, strap of {material}.", "Luminous hands and date at three o'clock.",
             "The strap can be changed without tools.", "Delivered in a gift box with a two year battery.",
             "An elegant companion from the office to the evening.",
             "Scratch resistant crystal, fits slim wrists too.")),
        "fr": Wording(
            ("montre", "montre à quartz", "chronographe", "montre bracelet"), ("pour homme", "pour femme", "étanche",
            "automatique"),
            ("Mouvement à quartz, verre minéral.", "Boîtier de {size}, bracelet en {material}.",
            "Étanche 5 ATM, aiguilles lumineuses.", "Livrée dans son écrin.")),
        "de": Wording(("Armbanduhr", "Uhr", "Chronograph"), ("für Herren", "für Damen"), ("Quarzwerk, Mineralglas.",
            "Gehäuse {size}, wasserdicht 5 ATM.")),
        "es": Wording(("reloj", "reloj de pulsera"), ("de hombre", "de mujer"),
            ("Movimiento de cuarzo, cristal mineral.", "Caja de {size}, resistente al agua.")),
        "it": Wording(("orologio", "orologio da polso"), ("da uomo", "da donna"),
            ("Movimento al quarzo, vetro minerale.", "Cassa di {size}, resistente all'acqua.")),
    },
)  # fmt: skip
