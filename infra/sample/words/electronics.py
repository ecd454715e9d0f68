"""Shelves of electronics."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Kastrel", "Sonoryx", "Zephrin", "Voltane", "Auralis Nine", "Brightmoor")

HEADPHONES = Shelf(
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
            nouns=("casque audio", "écouteurs", "casque", "écouteurs sans fil"),
            traits=("sans fil", "Bluetooth 5.3", "à réduction de bruit", "avec micro"),
            sentences=(
                "Basses profondes et voix claires.", "Jusqu'à 30 heures d'autonomie, recharge USB-C.",
                "Micro intégré pour les appels.", "Coussinets doux, confortable des heures.",
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

SMARTWATCHES = Shelf(
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
            nouns=("montre connectée", "montre de sport", "bracelet connecté", "montre"),
            traits=("GPS", "étanche", "pour femme", "pour homme"),
            sentences=(
                "Mesure le rythme cardiaque, les pas et le sommeil.", "Jusqu'à 10 jours d'autonomie.",
                "Affiche les appels et les messages.", "Boîtier de {size}, bracelet en {material}.",
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
