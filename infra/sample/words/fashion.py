"""Shelves of fashion."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Velmora", "Astrava", "Corvane", "Quillane", "Hedralis", "Solvane")

SHOES = Shelf(
    category="Fashion >> Shoes",
    weight=1.25,
    prices=(25, 160),
    brands=BRANDS,
    materials=("leather", "leather", "suede", "canvas", "cotton", "polyester"),
    sizes=("EU 37", "EU 38", "EU 40", "EU 42", "EU 44", "UK 7"),
    wordings={
        "en": Wording(
            nouns=("sneakers", "shoes", "ankle boots", "pumps", "trainers", "running shoes", "heels", "boots"),
            traits=("for women", "for men", "unisex", "casual", "waterproof", "with laces", "lightweight", "sport"),
            sentences=(
                "Soft padded insole, comfortable all day long.", "True to size, take one up for wide feet.",
                "Grippy rubber sole, light cushioning.", "Upper of {material}, breathable lining.",
                "From the street to the office.", "These {noun} go with jeans and dresses alike.",
                "Heel height about 4 cm.", "For running, walking or the gym.",
            ),
        ),
        "fr": Wording(
            nouns=("baskets", "chaussures", "bottines", "escarpins", "chaussures de sport"),
            traits=("pour femme", "pour homme", "à lacets", "confort"),
            sentences=(
                "Semelle intérieure souple, confort toute la journée.", "Taille normalement, pointure {size}.",
                "Semelle en caoutchouc antidérapante.", "Dessus {material}, doublure respirante.",
            ),
        ),
        "de": Wording(
            nouns=("Sneaker", "Stiefel", "Schuhe"),
            traits=("für Damen", "für Herren"),
            sentences=("Weiche Innensohle, bequem den ganzen Tag.", "Rutschfeste Sohle, Größe {size}."),
        ),
        "es": Wording(
            nouns=("zapatillas", "botas", "zapatos"),
            traits=("de mujer", "de hombre"),
            sentences=("Plantilla blanda, cómodos todo el día.", "Suela antideslizante, talla {size}."),
        ),
        "it": Wording(
            nouns=("scarpe", "stivaletti", "scarpe da ginnastica"),
            traits=("da donna", "da uomo"),
            sentences=("Soletta morbida, comode tutto il giorno.", "Suola antiscivolo, misura {size}."),
        ),
    },
)  # fmt: skip

WATCHES = Shelf(
    category="Fashion >> Watches",
    weight=1.1,
    prices=(35, 320),
    brands=(*BRANDS, "Kastrel", "Zephrin"),
    materials=("steel", "leather", "leather", "silicone", "brass"),
    sizes=("36 mm", "38 mm", "40 mm", "42 mm"),
    wordings={
        "en": Wording(
            nouns=("watch", "wristwatch", "chronograph", "quartz watch", "timepiece", "sports watch", "analogue watch"),
            traits=(
                "for men", "for women", "automatic", "water resistant", "minimalist", "unisex", "vintage", "with date",
            ),
            sentences=(
                "Japanese quartz movement, mineral glass.", "Water resistant to 5 ATM.",
                "Case of {size}, strap of {material}.", "Luminous hands and date at three o'clock.",
                "The strap can be changed without tools.", "Delivered in a gift box with a two year battery.",
                "An elegant companion from the office to the evening.",
                "Scratch resistant crystal, fits slim wrists too.",
            ),
        ),
        "fr": Wording(
            nouns=("montre", "montre à quartz", "chronographe", "montre bracelet"),
            traits=("pour homme", "pour femme", "étanche", "automatique"),
            sentences=(
                "Mouvement à quartz, verre minéral.", "Boîtier de {size}, bracelet en {material}.",
                "Étanche 5 ATM, aiguilles lumineuses.", "Livrée dans son écrin.",
            ),
        ),
        "de": Wording(
            nouns=("Armbanduhr", "Uhr", "Chronograph"),
            traits=("für Herren", "für Damen"),
            sentences=("Quarzwerk, Mineralglas.", "Gehäuse {size}, wasserdicht 5 ATM."),
        ),
        "es": Wording(
            nouns=("reloj", "reloj de pulsera"),
            traits=("de hombre", "de mujer"),
            sentences=("Movimiento de cuarzo, cristal mineral.", "Caja de {size}, resistente al agua."),
        ),
        "it": Wording(
            nouns=("orologio", "orologio da polso"),
            traits=("da uomo", "da donna"),
            sentences=("Movimento al quarzo, vetro minerale.", "Cassa di {size}, resistente all'acqua."),
        ),
    },
)  # fmt: skip
