"""A random export of a product database, drawn from a seed, in the format of Open Food Facts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

KINDS = {
    "en:champagnes": ("Champagne brut", "Blanc de blancs", "Cuvée rosé"),
    "en:green-teas": ("Sencha", "Thé vert à la menthe", "Gunpowder"),
    "en:biscuits": ("Sablés au chocolat", "Galettes pur beurre", "Petits carrés"),
    "en:olive-oils": ("Huile d’olive vierge extra", "Olive oil", "Huile d’olive fruitée"),
    "en:yogurts": ("Yaourt nature", "Skyr à la vanille", "Yaourt à la grecque"),
}
BRANDS = ("Maison Lavigne", "Le Samovar", "Biscuiterie du Port", "Moulin d’Orbey", "Laiterie Fabre", "Green & Co")
INGREDIENTS = (
    "farine de _blé_", "sucre", "beurre (_lait_)", "chocolat noir 22 % (pâte de cacao, sucre)", "sel", "_œufs_",
    "arôme naturel de vanille", "huile de colza", "lait écrémé", "raisin", "thé vert",
    "émulsifiant : lécithine de _soja_",
)  # fmt: skip
NUTRIENTS = ("energy", "energy-kcal", "fat", "saturated-fat", "carbohydrates", "sugars", "fiber", "proteins", "salt")


def barcode(number: int) -> str:
    """A valid GTIN-13 for each number below a billion."""
    digits = f"2{number:011d}"
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return f"{digits}{-total % 10}"


def product(number: int, seed: int = 0) -> dict[str, Any]:
    """The product of this number: about 3 kB of JSON, a third of which is read."""
    rng = Random(seed << 40 | number)
    code = barcode(number)
    category = rng.choice(list(KINDS))
    kind, brand = rng.choice(KINDS[category]), rng.choice(BRANDS)
    ingredients = ", ".join(rng.sample(INGREDIENTS, rng.randint(3, len(INGREDIENTS))))
    tags = ["en:foods", f"en:{rng.choice(('snacks', 'beverages', 'dairies'))}", category]
    image = {"rev": str(rng.randint(3, 90)), "imgid": "1", "sizes": {"400": {"w": 300, "h": 400}, "full": {"w": 900}}}
    return {
        "_id": code,
        "code": code,
        "lang": "fr",
        "lc": "fr",
        "creator": "openfoodfacts-contributors",
        "product_name": f"{kind} {brand} {number}",
        "product_name_fr": f"{kind} {brand} {number}",
        "generic_name": kind,
        "generic_name_fr": kind,
        "ingredients_text": ingredients,
        "ingredients_text_fr": ingredients,
        "ingredients": [{"id": f"fr:{part}", "text": part} for part in ingredients.split(", ")],
        "brands": brand,
        "brands_tags": [brand.lower()],
        "quantity": rng.choice(("75 cl", "200 g", "1 l", "4 x 125 g")),
        "packaging": "fr:Carton, fr:Plastique",
        "labels": rng.choice(("", "Bio, AB Agriculture Biologique", "Fair trade")),
        "origins": rng.choice(("", "France")),
        "categories": ", ".join(tag[3:].replace("-", " ").title() for tag in tags),
        "categories_lc": "en",
        "categories_tags": tags,
        "categories_hierarchy": tags,
        "images": {"1": {"sizes": image["sizes"]}, "front_fr": image} if rng.random() < 0.8 else {},
        "nutriments": {f"{n}{end}": round(rng.uniform(0, 90), 2) for n in NUTRIENTS for end in ("", "_100g", "_value")},
        "states_tags": [f"en:{state}-to-be-completed" for state in ("origins", "packaging", "product-name", "photos")],
        "_keywords": ingredients.lower().split(),
        "created_t": 1_500_000_000 + number,
        "last_modified_t": 1_700_000_000 + number,
    }


def lines(rows: int, seed: int = 0) -> Iterator[bytes]:
    """The lines of an export; one in a thousand is unusable, one in five hundred occurs twice."""
    for number in range(rows):
        if number % 1000 == 999:
            yield b'{"code": "123", "product_name": "No barcode"}\n'
        else:
            line = json.dumps(product(number - 1 if number % 500 == 250 else number, seed), ensure_ascii=False)
            yield line.encode() + b"\n"


def write_export(path: Path, rows: int, seed: int = 0) -> int:
    """Write an export of this many lines, with the fastest gzip; returns the bytes of the lines."""
    size = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        for line in lines(rows, seed):
            size += file.write(line)
    return size
