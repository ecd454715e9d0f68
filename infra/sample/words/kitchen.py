"""Shelves of the kitchen."""

from __future__ import annotations

from infra.sample.words.shelf import Shelf, Wording

BRANDS = ("Brumel", "Hearthly", "Cuvanne", "Dunmarch", "Potager & Fils", "Skovlund")

MUGS = Shelf(
    category="Kitchen >> Mugs",
    weight=1.15,
    prices=(6, 28),
    brands=BRANDS,
    materials=("ceramic", "ceramic", "enamel", "glass", "steel"),
    sizes=("250 ml", "350 ml", "0.4 l", "12 oz"),
    wordings={
        "en": Wording(
            nouns=("mug", "coffee mug", "cup", "tea mug", "travel mug", "espresso cup", "beaker"),
            traits=("hand painted", "dishwasher safe", "large", "funny", "double wall", "retro", "stackable"),
            sentences=(
                "Keeps your coffee or tea warm a little longer.", "Safe for the microwave and the dishwasher.",
                "Holds {size}, with a comfortable handle.", "Perfect for breakfast or a break at the office.",
                "This {noun} makes every morning better.", "Printed on both sides, the print does not fade.",
                "For hot chocolate, latte or soup.", "Glazed inside and out, food safe {material}.",
            ),
        ),
        "fr": Wording(
            nouns=("mug", "tasse à café", "grande tasse", "tasse", "gobelet"),
            traits=("peint à la main", "passe au lave-vaisselle", "double paroi", "vintage"),
            sentences=(
                "Pour le café, le thé ou le chocolat chaud.", "Compatible micro-ondes et lave-vaisselle.",
                "Contenance {size}, anse confortable.", "Idéal pour le petit-déjeuner.",
            ),
        ),
        "de": Wording(
            nouns=("Kaffeetasse", "Becher", "Tasse"),
            traits=("spülmaschinenfest", "groß"),
            sentences=("Für Kaffee, Tee oder Kakao.", "Mikrowellengeeignet, Inhalt {size}."),
        ),
        "es": Wording(
            nouns=("taza", "taza de café"),
            traits=("apta para lavavajillas", "grande"),
            sentences=("Para café, té o chocolate.", "Apta para microondas, capacidad {size}."),
        ),
        "it": Wording(
            nouns=("tazza", "tazza da caffè"),
            traits=("lavabile in lavastoviglie", "grande"),
            sentences=("Per caffè, tè o cioccolata.", "Adatta al microonde, capacità {size}."),
        ),
    },
)  # fmt: skip

PANS = Shelf(
    category="Kitchen >> Pans",
    weight=1.05,
    prices=(15, 120),
    brands=BRANDS,
    materials=("aluminium", "iron", "steel", "ceramic", "enamel"),
    sizes=("20 cm", "24 cm", "28 cm", "2.5 l", "3 l"),
    wordings={
        "en": Wording(
            nouns=("frying pan", "saucepan", "skillet", "casserole", "wok", "crepe pan", "pan"),
            traits=("non-stick", "induction", "oven safe", "with lid", "professional", "stackable", "deep"),
            sentences=(
                "Suitable for all hobs including induction.", "Non-stick coating free of PFOA, cooks with less oil.",
                "Heats evenly, keeps warm for long.", "The handle stays cool while you cook.",
                "For eggs, pancakes, vegetables or a stew.", "Oven safe up to 220 °C, dishwasher safe.",
                "A {noun} of {size} for the whole family.", "Thick base, pouring rim on both sides.",
            ),
        ),
        "fr": Wording(
            nouns=("poêle", "casserole", "sauteuse", "cocotte", "crêpière"),
            traits=("antiadhésive", "tous feux", "induction", "avec couvercle"),
            sentences=(
                "Compatible tous feux dont induction.", "Revêtement antiadhésif sans PFOA.",
                "La queue reste froide pendant la cuisson.", "Pour cuire, saisir et mijoter, {size}.",
            ),
        ),
        "de": Wording(
            nouns=("Bratpfanne", "Kochtopf", "Pfanne"),
            traits=("beschichtet", "induktionsgeeignet"),
            sentences=("Für alle Herdarten, auch Induktion.", "Der Griff bleibt kühl, {size}."),
        ),
        "es": Wording(
            nouns=("sartén", "cazo", "cacerola"),
            traits=("antiadherente", "para inducción"),
            sentences=("Apta para todas las cocinas, también inducción.", "Cocina con menos aceite, {size}."),
        ),
        "it": Wording(
            nouns=("padella", "casseruola"),
            traits=("antiaderente", "per induzione"),
            sentences=("Per tutti i piani cottura, anche induzione.", "Il manico resta freddo, {size}."),
        ),
    },
)  # fmt: skip

KETTLES = Shelf(
    category="Kitchen >> Kettles",
    weight=0.9,
    prices=(18, 95),
    brands=BRANDS,
    materials=("steel", "enamel", "glass", "plastic", "iron"),
    sizes=("1 l", "1.2 l", "1.7 l", "2 l"),
    wordings={
        "en": Wording(
            nouns=("kettle", "tea kettle", "electric kettle", "water boiler", "whistling kettle", "teapot"),
            traits=("cordless", "retro", "2200 W", "fast boil", "induction", "with thermometer", "gooseneck"),
            sentences=(
                "Boils {size} in less than four minutes.", "Switches itself off, with boil dry protection.",
                "Whistles when the water boils.", "Suitable for all hobs including induction.",
                "Precise spout, pours without dripping.", "For tea, filter coffee or instant soup.",
                "Removable lime filter, easy to fill.", "The handle stays cool, the lid opens wide.",
            ),
        ),
        "fr": Wording(
            nouns=("bouilloire", "bouilloire électrique", "théière", "bouilloire sifflante"),
            traits=("sans fil", "2200 W", "rétro", "tous feux"),
            sentences=(
                "Porte {size} à ébullition en quatre minutes.", "Arrêt automatique, filtre anticalcaire amovible.",
                "Bec verseur précis, ne goutte pas.", "Pour le thé, le café filtre ou les infusions.",
            ),
        ),
        "de": Wording(
            nouns=("Wasserkocher", "Teekessel", "Flötenkessel"),
            traits=("kabellos", "2200 W"),
            sentences=("Kocht {size} in vier Minuten.", "Automatische Abschaltung, Kalkfilter."),
        ),
        "es": Wording(
            nouns=("hervidor", "tetera", "hervidor de agua"),
            traits=("inalámbrico", "2200 W"),
            sentences=("Hierve {size} en cuatro minutos.", "Apagado automático, filtro antical."),
        ),
        "it": Wording(
            nouns=("bollitore", "teiera"),
            traits=("senza fili", "2200 W"),
            sentences=("Bolle {size} in quattro minuti.", "Spegnimento automatico, filtro anticalcare."),
        ),
    },
)  # fmt: skip
