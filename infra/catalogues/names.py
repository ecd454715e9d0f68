"""The names that columns of catalogues commonly have, in English and in French."""

from __future__ import annotations

from collections.abc import Mapping

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
        *("image_bytes", "photo_bytes", "picture_bytes"),
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
