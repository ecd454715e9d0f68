"""The stock of the fake product database: invented products, their photos, and their changes."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from infra.sample.categories import DRAWINGS
from infra.sample.product_photo import DrawnPhoto

Product = dict[str, Any]
BEGINNING = 1_700_000_000  # when the first product was added, in seconds of Unix time

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "champagnes": ("en:beverages", "en:alcoholic-beverages", "en:wines", "en:sparkling-wines", "en:champagnes"),
    "green-teas": ("en:beverages", "en:hot-beverages", "en:teas", "en:green-teas"),
    "chocolate-biscuits": ("en:snacks", "en:sweet-snacks", "en:biscuits", "en:chocolate-biscuits"),
}
WORDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "champagnes": (
        ("Brut", "Brut rosé", "Extra brut", "Blanc de blancs", "Demi-sec", "Cuvée de réserve"),
        ("Maison Lavigne", "Veuve Aubry", "Clos Morel", "Comtes de Brie"),
        "Raisin Chardonnay, raisin Pinot noir, _sulfites_",
    ),
    "green-teas": (
        ("Sencha", "Gunpowder", "Thé vert à la menthe", "Matcha", "Jasmin"),
        ("Le Samovar", "Feuille & Eau"),
        "Thé vert 98 %, arôme naturel",
    ),
    "chocolate-biscuits": (
        ("Sablés au chocolat", "Petits carrés", "Cookies aux pépites", "Galettes nappées"),
        ("Biscuiterie du Port", "Grand-mère Odile"),
        "Farine de _blé_, sucre, chocolat noir 22 % (pâte de cacao, sucre), beurre (_lait_), _œufs_",
    ),
}


def barcode(number: int) -> str:
    """A valid GTIN-13 of a range for internal use."""
    digits = f"200{number:09d}"
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return f"{digits}{-total % 10}"


def photo_folder(code: str) -> str:
    return f"{code[:3]}/{code[3:6]}/{code[6:9]}/{code[9:]}"


def invented_product(category: str, number: int, base: str = "") -> Product:
    """The product of that number (from 1); ``base`` is the address its photo is under."""
    kinds, brands, ingredients = WORDS[category]
    rng = Random(f"{category} {number}")
    code = barcode(1000 * (1 + list(WORDS).index(category)) + number)
    kind, brand = rng.choice(kinds), rng.choice(brands)
    created = BEGINNING + 1000 * number
    return {
        "code": code,
        "_id": code,
        "lang": "fr",
        "lc": "fr",
        "product_name": f"{brand} {kind} {number}",
        "product_name_fr": f"{brand} {kind} {number}",
        "generic_name": kind,
        "ingredients_text": ingredients,
        "ingredients_text_fr": ingredients,
        "brands": brand,
        "quantity": rng.choice(("75 cl", "37,5 cl", "200 g", "100 g")),
        "packaging": "fr:Bouteille, fr:Verre" if category == "champagnes" else "Carton",
        "labels": "en:organic" if rng.random() < 0.3 else "",
        "origins": "France",
        "categories": ",".join(tag[3:].replace("-", " ").title() for tag in CATEGORIES[category]),
        "categories_lc": "en",
        "categories_tags": list(CATEGORIES[category]),
        "image_front_url": f"{base}/images/products/{photo_folder(code)}/front_fr.3.400.jpg",
        "image_url": f"{base}/images/products/{photo_folder(code)}/front_fr.3.400.jpg",
        "images": {"front_fr": {"rev": "3", "imgid": "1", "sizes": {"400": {"w": 300, "h": 400}}}},
        "created_t": created,
        "last_modified_t": created + 5,
        "nutriments": {"energy_100g": 100 + number, "note": "never requested"},
    }


@lru_cache(maxsize=256)
def photo_of(code: str) -> bytes:
    """The drawn photo of a barcode."""
    motif = Random(code).choice(sorted(DRAWINGS))
    return DrawnPhoto(motif, (120, 80, 60), f"shop {code}").jpeg()


@dataclass
class ProductStock:
    """Products by barcode, in the order they were added; tests add, change and remove them while a server runs."""

    products: dict[str, Product] = field(default_factory=dict)
    extra: list[Any] = field(default_factory=list)  # anything else that a search returns, in the category "untidy"
    deltas: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def stock(self, counts: Mapping[str, int], base: str) -> None:
        """Invent that many products of each category."""
        for category, count in counts.items():
            for number in range(1, count + 1):
                self.add(invented_product(category, number, base))

    def add(self, product: Product) -> None:
        with self.lock:
            self.products[product["code"]] = product

    def change(self, code: str, **fields: Any) -> None:
        with self.lock:
            product = self.products[code]
            product.update(fields)
            product["last_modified_t"] += 60

    def remove(self, code: str) -> None:
        with self.lock:
            del self.products[code]

    def all(self) -> list[Product]:
        with self.lock:
            return deepcopy(list(self.products.values()))

    def publish_delta(self, codes: Sequence[str], begin: int, end: int, name: str = "openfoodfacts") -> str:
        """Publish a file of the changes between two moments; return its name."""
        with self.lock:
            lines = [json.dumps(self.products[code]) for code in codes]
            file = f"{name}_products_{begin}_{end}.json.gz"
            self.deltas[file] = gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)
            return file

    def export(self) -> bytes:
        """The whole published file."""
        lines = [json.dumps(product) for product in self.all()]
        return gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)
