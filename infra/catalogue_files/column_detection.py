"""Find the column of each field: chosen by the user, declared by the file, or by common column names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.errors import InvalidCatalogue

# The likeliest names come first: of two columns that could be the id, it is the one that is earlier in this table.
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
# Columns that describe the product itself; prices, addresses, dates and counts do not.
ATTRIBUTE_NAMES = frozenset(
    {
        *("brand", "brands", "marque", "colour", "color", "couleur", "colours", "colors", "material"),
        *("materials", "matiere", "size", "taille", "gender", "genre", "fabric", "tissu", "pattern"),
        *("motif", "style", "weight", "poids", "capacity", "capacite", "dimensions", "shape", "forme"),
        *("flavour", "flavor", "parfum", "ingredients", "ingredients_text", "labels", "packaging"),
        *("emballage", "origin", "origins", "origine", "manufacturer", "fabricant", "model", "modele"),
        *("season", "saison", "usage", "sub_brand", "product_line", "age_group", "sleeve", "neck"),
        *("scent", "volume", "quantity", "quantite"),
    }
)
# Fields by the role names that users type.
ROLES: Mapping[str, str] = {("id" if field == "external_id" else field): field for field in FIELD_NAMES}
TEXT_FIELDS = ("name", "description", "image")
ALL_OTHERS = "*"


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field that has one, and the columns that become attributes."""

    fields: Mapping[str, str]
    attributes: tuple[str, ...]

    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        return tuple(dict.fromkeys((*self.fields.values(), *self.attributes)))


def detect_columns(
    header: Sequence[str], chosen: Mapping[str, str] | None = None, declared: Mapping[str, str] | None = None
) -> Columns:
    """Find the fields: first the ``chosen`` columns (by field), then common names, then ``declared`` columns.

    A chosen column is named as in the file, or with other case and accents; an empty one says that the file has no
    such column. ``attributes`` takes several with commas between them, or ``*`` for all columns that are left. A
    ``declared`` column, as the file itself says it, serves no other field.

    Raises InvalidCatalogue, which names the columns of the file, when a chosen one is unknown or when there is neither
    a name, nor a description, nor an image.
    """
    chosen, declared = chosen or {}, declared or {}
    for field in chosen:
        if field not in FIELD_NAMES:
            raise unknown_role(field)
    fields = {f: _find_one(header, text) for f, text in chosen.items() if f != "attributes" and text.strip()}
    asked = chosen.get("attributes")
    attributes = () if asked is None or asked.strip() == ALL_OTHERS else tuple(_find_several(header, asked))
    by_name: dict[str, str] = {}
    for name in header:
        by_name.setdefault(plain(name), name)
    for field, names in FIELD_NAMES.items():
        if field not in chosen:
            taken = {*fields.values(), *attributes, *(c for f, c in declared.items() if f != field)}
            candidates = [by_name[name] for name in names if name in by_name]
            candidates += [declared[field]] if field in declared else []
            column = next((c for c in candidates if c not in taken), None)
            if column is not None:
                fields[field] = column
    if not any(field in fields for field in TEXT_FIELDS):
        raise InvalidCatalogue(
            f"no column holds a name, a description or an image; columns are: {_listed(header)}; "
            f"say which is which, such as --columns name={header[0] if header else 'title'}"
        )
    others = [name for name in header if name not in set(fields.values())]
    if asked is None:
        attributes = tuple(name for name in others if plain(name) in ATTRIBUTE_NAMES)
    elif asked.strip() == ALL_OTHERS:
        attributes = tuple(others)
    return Columns(fields, attributes)


def unknown_role(role: str) -> InvalidCatalogue:
    """The error for a role that does not exist; it lists the roles."""
    return InvalidCatalogue(f"there is no role {role!r}; roles are: {', '.join(ROLES)}")


def plain(name: str) -> str:
    """A column's name without case, accents and punctuation: ``Catégorie (1)`` is ``categorie_1``."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "_".join("".join(c if c.isalnum() or c == "_" else " " for c in bare.lower()).split())


def unique_names(names: Sequence[str]) -> list[str]:
    """The names of a header, each once and none empty: ``name``, ``name (2)``, ``column 3``."""
    unique: list[str] = []
    for number, name in enumerate(names, 1):
        candidate = base = name.strip().lstrip("\ufeff") or f"column {number}"
        occurrence = 2
        while candidate in unique:
            candidate, occurrence = f"{base} ({occurrence})", occurrence + 1
        unique.append(candidate)
    return unique


def _find_one(header: Sequence[str], text: str) -> str:
    for same in (lambda column: column == text, lambda column: plain(column) == plain(text)):
        found = [column for column in header if same(column)]
        if len(found) == 1:
            return found[0]
    raise InvalidCatalogue(f"there is no column {text.strip()!r}; columns are: {_listed(header)}")


def _find_several(header: Sequence[str], text: str) -> Sequence[str]:
    if text in header:
        return (text,)
    return tuple(dict.fromkeys(_find_one(header, part) for part in text.split(",") if part.strip()))


def _listed(header: Sequence[str]) -> str:
    text = ", ".join(header[:30]) or "none"
    return text if len(text) < 600 else text[:600] + "…"


# A comma ends a pair only where another role follows: columns may have commas in their names.
NEXT_PAIR = re.compile(r",(?=[^,=]*=)")
EXAMPLE = "name=title,description=body,category=path,image=photo,id=sku"


def read_choices(texts: Sequence[str]) -> dict[str, str]:
    """Chosen columns by field, as ``open_catalogue`` takes them.

    ``role=`` says that the file has no such column; ``attributes`` may be given several times, or several columns.
    Raises InvalidCatalogue when a role does not exist (it lists the roles), names no column or comes twice.
    """
    chosen: dict[str, str] = {}
    for pair in (pair for text in texts for pair in NEXT_PAIR.split(text)):
        role, equals, column = pair.partition("=")
        role = role.strip().lower()
        if not equals:
            raise InvalidCatalogue(f"{pair!r} is not ROLE=COLUMN; write it like {EXAMPLE}")
        field = ROLES.get(role) or (role if role in ROLES.values() else None)
        if field is None:
            raise unknown_role(role)
        if field == "attributes" and chosen.get(field):
            column = f"{chosen[field]},{column}"
        elif field in chosen:
            raise InvalidCatalogue(f"two columns are given for {role}: {chosen[field]!r} and {column!r}; choose one")
        chosen[field] = column
    return chosen
