"""Shelves of electronics."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Kastrel", "Sonoryx", "Zephrin", "Voltane", "Auralis Nine", "Brightly")

HEADPHONES = Shelf(
    "Electronics >> Headphones", 1.05, (15, 280), BRANDS, ("plastic", "aluminium", "silicone", "leather"), ("40 mm",
        "190 g", "20 h", "one size"),
    {
        "en": Wording(
            ("headphones", "earbuds", "headset", "earphones", "in-ear headphones", "over-ear headphones"),
            ("wireless", "noise cancelling", "Bluetooth 5.3", "with microphone", "foldable", "sport", "waterproof",
            "true wireless"),
            ("Deep bass and clear voices.", "Up to 30 hours of battery life, charges over USB-C.",
            "Built-in microphone for calls.", "Pairs with your phone in seconds over Bluetooth.",
             "Soft ear pads of {material}, comfortable for hours.", "Sweat proof, for running or the gym.",
             "The charging case fits in every pocket.", "Folds flat for travel.")),
        "fr": Wording(
            ("casque audio", "écouteurs", "casque", "écouteurs sans fil"), ("sans fil", "Bluetooth 5.3",
            "à réduction de bruit", "avec micro"),
            ("Basses profondes et voix claires.", "Jusqu'à 30 heures d'autonomie, recharge USB-C.",
            "Micro intégré pour les appels.", "Coussinets doux, confortable des heures.")),
        "de": Wording(("Kopfhörer", "Ohrhörer", "Headset"), ("kabellos", "Bluetooth"),
            ("Tiefe Bässe, klare Stimmen.", "Bis zu 30 Stunden Akku, USB-C.")),
        "es": Wording(("auriculares", "cascos"), ("inalámbricos", "Bluetooth"), ("Graves profundos y voces claras.",
            "Hasta 30 horas de batería, USB-C.")),
        "it": Wording(("cuffie", "auricolari"), ("senza fili", "Bluetooth"), ("Bassi profondi e voci chiare.",
            "Fino a 30 ore di batteria, USB-C.")),
    },
)  # fmt: skip

SMARTWATCHES = Shelf(
    "Electronics >> Smartwatches", 0.9, (39, 350), BRANDS, ("aluminium", "silicone", "steel", "plastic", "leather"),
        ("40 mm", "42 mm", "44 mm", "1.4 inch"),
    {
        "en": Wording(
            ("smartwatch", "fitness watch", "watch", "connected watch", "sports watch", "activity tracker",
            "smart band"),
            ("GPS", "Bluetooth 5.3", "water resistant", "for women", "for men", "unisex", "with heart rate",
            "AMOLED"),
            ("Measures heart rate, steps and sleep.", "Up to 10 days of battery life, charges over USB.",
            "Shows calls and messages of your phone.", "Water resistant to 5 ATM.",
             "Built-in GPS for running and cycling.", "The strap can be changed without tools.",
             "Bright touch screen with 100 faces.", "Case of {size}, strap of {material}.")),
        "fr": Wording(
            ("montre connectée", "montre de sport", "bracelet connecté", "montre"), ("GPS", "étanche", "pour femme",
            "pour homme"),
            ("Mesure le rythme cardiaque, les pas et le sommeil.", "Jusqu'à 10 jours d'autonomie.",
            "Affiche les appels et les messages.", "Boîtier de {size}, bracelet en {material}.")),
        "de": Wording(("Smartwatch", "Fitnessuhr", "Sportuhr"), ("GPS", "wasserdicht"),
            ("Misst Puls, Schritte und Schlaf.", "Bis zu 10 Tage Akku.")),
        "es": Wording(("reloj inteligente", "reloj deportivo"), ("GPS", "resistente al agua"),
            ("Mide el pulso, los pasos y el sueño.", "Hasta 10 días de batería.")),
        "it": Wording(("smartwatch", "orologio sportivo"), ("GPS", "resistente all'acqua"),
            ("Misura battito, passi e sonno.", "Fino a 10 giorni di batteria.")),
    },
)  # fmt: skip
