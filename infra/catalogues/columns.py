"""Which column is what, by the names that catalogues commonly use, in English and in French."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.errors import InvalidCatalogue

# The likeliest name comes first: of two columns that could be the id, the earlier in this table is.
FIELD_NAMES: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        *("uniq_id", "external_id", "product_id", "id", "_id", "item_id", "listing_id", "sku", "code", "asin"),
        *("ean", "gtin", "barcode", "code_barre", "pid", "reference", "ref", "identifiant", "handle"),
    ),
    "name": (
        *("product_name", "name", "title", "product_title", "item_name", "nom", "nom_du_produit", "nom_produit"),
        *("libelle", "designation", "intitule", "titre", "label"),
    ),
    "description": (
        *("description", "product_description", "desc", "long_description", "body", "body_html", "descriptif"),
        *("details", "generic_name", "short_description", "texte"),
    ),
    "category": (
        *("product_category_tree", "category_path", "category", "product_category", "categories", "categorie"),
        *("chemin_categorie", "product_type", "taxonomy", "rayon"),
    ),
    "image": (
        *("image", "image_url", "images", "image_urls", "photo", "photos", "photo_url", "picture", "pictures"),
        *("image_file", "image_path", "image_link", "main_image", "img", "file_name", "filename", "fichier"),
    ),
    "attributes": (
        *("product_specifications", "specifications", "attributes", "specs", "product_attributes"),
        *("attributs", "caracteristiques", "proprietes", "properties"),
    ),
    "split": ("split", "subset"),
}
# Columns that say something of the product itself; prices, addresses, dates and counts do not.
ATTRIBUTE_NAMES = frozenset(
    [
        "brand",
        "brands",
        "marque",
        "colour",
        "color",
        "couleur",
        "colours",
        "colors",
        "material",
        "materials",
        "matiere",
        "size",
        "taille",
        "gender",
        "genre",
        "fabric",
        "tissu",
        "pattern",
        "motif",
        "style",
        "weight",
        "poids",
        "capacity",
        "capacite",
        "dimensions",
        "shape",
        "forme",
        "flavour",
        "flavor",
        "parfum",
        "ingredients",
        "ingredients_text",
        "labels",
        "packaging",
        "emballage",
        "origin",
        "origins",
        "origine",
        "manufacturer",
        "fabricant",
        "model",
        "modele",
        "season",
        "saison",
        "usage",
        "sub_brand",
        "product_line",
        "age_group",
        "sleeve",
        "neck",
        "scent",
        "volume",
        "quantity",
        "quantite",
    ]
)
TEXT_FIELDS = ("name", "description", "image")


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field that has one, and the columns that become attributes."""

    fields: Mapping[str, str]
    attributes: tuple[str, ...]


def detect_columns(header: Sequence[str], chosen: Mapping[str, str] | None = None) -> Columns:
    """Find the fields; ``chosen`` (field to column) goes first.

    Raises InvalidCatalogue, naming the columns there are, when a chosen one is unknown or when there is neither a
    name, nor a description, nor an image.
    """
    fields: dict[str, str] = {}
    for field, column in (chosen or {}).items():
        if field not in FIELD_NAMES:
            raise InvalidCatalogue(f"there is no field {field!r}; fields are: {', '.join(FIELD_NAMES)}")
        if column not in header:
            raise InvalidCatalogue(f"there is no column {column!r}; columns are: {_shown(header)}")
        fields[field] = column
    by_name: dict[str, str] = {}
    for column in header:
        by_name.setdefault(plain(column), column)
    for field, names in FIELD_NAMES.items():
        if field not in fields:
            free = (by_name[n] for n in names if n in by_name and by_name[n] not in fields.values())
            if (found := next(free, None)) is not None:
                fields[field] = found
    if not any(field in fields for field in TEXT_FIELDS):
        raise InvalidCatalogue(
            f"no column holds a name, a description or an image; columns are: {_shown(header)}; "
            "rename one, or say which is which, such as name=Title"
        )
    used = set(fields.values())
    return Columns(fields, tuple(c for c in header if c not in used and plain(c) in ATTRIBUTE_NAMES))


def plain(name: str) -> str:
    """A column's name without case, accents and punctuation: ``Catégorie (1)`` is ``categorie_1``."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "_".join("".join(c if c.isalnum() or c == "_" else " " for c in bare.lower()).split())


def _shown(header: Sequence[str]) -> str:
    text = ", ".join(header[:30]) or "none"
    return text if len(text) < 600 else text[:600] + "…"
