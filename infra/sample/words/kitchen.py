"""Shelves of the kitchen."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Brumel", "Hearthly", "Cuvanne", "Dunmarch", "Potager & Fils", "Skovlund")

MUGS = Shelf(
    "Kitchen >> Mugs", 1.15, (6, 28), BRANDS, ("ceramic", "ceramic", "enamel", "glass", "steel"), ("250 ml",
        "350 ml", "0.4 l", "12 oz"),
    {
        "en": Wording(
            ("mug", "coffee mug", "cup", "tea mug", "travel mug", "espresso cup", "beaker"),
            ("hand painted", "dishwasher safe", "large", "funny", "double wall", "retro", "stackable"),
            ("Keeps your coffee or tea warm a little longer.", "Safe for the microwave and the dishwasher.",
            "Holds {size}, with a comfortable handle.",
             "Perfect for breakfast or a break at the office.", "This {noun} makes every morning better.",
             "Printed on both sides, the print does not fade.",
             "For hot chocolate, latte or soup.", "Glazed inside and out, food safe {material}.")),
        "fr": Wording(
            ("mug", "tasse à café", "grande tasse", "tasse", "gobelet"), ("peint à la main",
            "passe au lave-vaisselle", "double paroi", "vintage"),
            ("Pour le café, le thé ou le chocolat chaud.", "Compatible micro-ondes et lave-vaisselle.",
            "Contenance {size}, anse confortable.", "Idéal pour le petit-déjeuner.")),
        "de": Wording(("Kaffeetasse", "Becher", "Tasse"), ("spülmaschinenfest", "groß"),
            ("Für Kaffee, Tee oder Kakao.", "Mikrowellengeeignet, Inhalt {size}.")),
        "es": Wording(("taza", "taza de café"), ("apta para lavavajillas", "grande"), ("Para café, té o chocolate.",
            "Apta para microondas, capacidad {size}.")),
        "it": Wording(("tazza", "tazza da caffè"), ("lavabile in lavastoviglie", "grande"),
            ("Per caffè, tè o cioccolata.", "Adatta al microonde, capacità {size}.")),
    },
)  # fmt: skip

PANS = Shelf(
    "Kitchen >> Pans", 1.05, (15, 120), BRANDS, ("aluminium", "iron", "steel", "ceramic", "enamel"), ("20 cm",
        "24 cm", "28 cm", "2.5 l", "3 l"),
    {
        "en": Wording(
            ("frying pan", "saucepan", "skillet", "casserole", "wok", "crepe pan", "pan"),
            ("non-stick", "induction", "oven safe", "with lid", "professional", "stackable", "deep"),
            ("Suitable for all hobs including induction.", "Non-stick coating free of PFOA, cooks with less oil.",
            "Heats evenly, keeps warm for long.",
             "The handle stays cool while you cook.", "For eggs, pancakes, vegetables or a stew.",
             "Oven safe up to 220 °C, dishwasher safe.",
             "A {noun} of {size} for the whole family.", "Thick base, pouring rim on both sides.")),
        "fr": Wording(
            ("poêle", "casserole", "sauteuse", "cocotte", "crêpière"), ("antiadhésive", "tous feux", "induction",
            "avec couvercle"),
            ("Compatible tous feux dont induction.", "Revêtement antiadhésif sans PFOA.",
            "La queue reste froide pendant la cuisson.", "Pour cuire, saisir et mijoter, {size}.")),
        "de": Wording(("Bratpfanne", "Kochtopf", "Pfanne"), ("beschichtet", "induktionsgeeignet"),
            ("Für alle Herdarten, auch Induktion.", "Der Griff bleibt kühl, {size}.")),
        "es": Wording(("sartén", "cazo", "cacerola"), ("antiadherente", "para inducción"),
            ("Apta para todas las cocinas, también inducción.", "Cocina con menos aceite, {size}.")),
        "it": Wording(("padella", "casseruola"), ("antiaderente", "per induzione"),
            ("Per tutti i piani cottura, anche induzione.", "Il manico resta freddo, {size}.")),
    },
)  # fmt: skip

KETTLES = Shelf(
    "Kitchen >> Kettles", 0.9, (18, 95), BRANDS, ("steel", "enamel", "glass", "plastic", "iron"), ("1 l", "1.2 l",
        "1.7 l", "2 l"),
    {
        "en": Wording(
            ("kettle", "tea kettle", "electric kettle", "water boiler", "whistling kettle", "teapot"),
            ("cordless", "retro", "2200 W", "fast boil", "induction", "with thermometer", "gooseneck"),
            ("Boils {size} in less than four minutes.", "Switches itself off, with boil dry protection.",
            "Whistles when the water boils.",
             "Suitable for all hobs including induction.", "Precise spout, pours without dripping.",
             "For tea, filter coffee or instant soup.",
             "Removable lime filter, easy to fill.", "The handle stays cool, the lid opens wide.")),
        "fr": Wording(
            ("bouilloire", "bouilloire électrique", "théière", "bouilloire sifflante"), ("sans fil", "2200 W",
            "rétro", "tous feux"),
            ("Porte {size} à ébullition en quatre minutes.", "Arrêt automatique, filtre anticalcaire amovible.",
            "Bec verseur précis, ne goutte pas.", "Pour le thé, le café filtre ou les infusions.")),
        "de": Wording(("Wasserkocher", "Teekessel", "Flötenkessel"), ("kabellos", "2200 W"),
            ("Kocht {size} in vier Minuten.", "Automatische Abschaltung, Kalkfilter.")),
        "es": Wording(("hervidor", "tetera", "hervidor de agua"), ("inalámbrico", "2200 W"),
            ("Hierve {size} en cuatro minutos.", "Apagado automático, filtro antical.")),
        "it": Wording(("bollitore", "teiera"), ("senza fili", "2200 W"), ("Bolle {size} in quattro minuti.",
            "Spegnimento automatico, filtro anticalcare.")),
    },
)  # fmt: skip
